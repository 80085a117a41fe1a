//! A small simulated plant: pumps whose bearings wear, squeak, heat up and fail.
//!
//! The physics, kept simple enough to be checked by hand:
//!
//! - *Life.* How long a bearing lasts is drawn from a Weibull distribution with shape 5 and scale 30 days,
//!   cut to 18–45 days (the form ISO 281 uses for rolling bearings). After a failure the pump stands still
//!   for 12–36 hours and gets a new bearing.
//! - *Wear.* With the age as a share of the life, x = t/L, wear is w = x³: little for half of the life, then
//!   faster and faster, as fatigue spalls grow.
//! - *Load* follows the shift: 0.75 at night, 1 by day, 0.85 on weekends.
//! - *Vibration* (RMS velocity, mm/s): 1.6 · load · (1 + 3.5 w). ISO 10816-1 calls 4.5 unsatisfactory and 7.1
//!   unacceptable.
//! - *Sound* in the band 2–8 kHz (dB): 62 + 6 · (load − 1) + 16 w; from w > 0.3 on, a dry bearing squeaks now
//!   and then, 12 dB louder, the more often the more it is worn.
//! - *Temperature* of the bearing (°C): ambient (18 ± 4 over the day) + 30 · load + 38 w, in thermal balance.
//! - *Flow* (m³/h): 120 · load · (1 − 0.06 w).
//!
//! Every number is a pure function of seed, pump and time (noise comes from a counter-based hash), so a plant
//! that was stopped goes on exactly where it was, and the same seed always gives the same plant.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "times of a few centuries in µs fit both types"
)]

use forewarn_types::Timestamp;

/// Time between two readings of a signal: 15 minutes.
pub(crate) const STEP_US: i64 = 15 * 60 * 1_000_000;
/// The signals every pump has.
pub(crate) const SIGNALS: [&str; 4] = ["vibration_rms", "acoustic_db", "temperature", "flow"];

const HOUR_US: f64 = 3_600e6;
const DAY_US: f64 = 24.0 * HOUR_US;

/// The plant.
#[derive(Debug, Clone)]
pub(crate) struct Plant {
    seed: u64,
    start: Timestamp,
    pumps: Vec<String>,
}

/// One bearing, from its installation to its failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Life {
    /// When it was put in.
    pub(crate) installed: Timestamp,
    /// When it failed, or will.
    pub(crate) fails: Timestamp,
}

impl Life {
    /// Age at `time` as a share of the life, 0 to 1.
    pub(crate) fn share(&self, time: Timestamp) -> f64 {
        time.since_us(self.installed) as f64 / self.fails.since_us(self.installed) as f64
    }
}

impl Plant {
    /// A plant of `pumps` pumps that begins at `start`, which should be a whole day.
    pub(crate) fn new(seed: u64, start: Timestamp, pumps: usize) -> Self {
        let pumps = (0..pumps).map(|i| format!("plant1/hall{}/pump{}", 1 + i / 3, 1 + i)).collect();
        Self { seed, start, pumps }
    }

    /// When it begins.
    pub(crate) fn start(&self) -> Timestamp {
        self.start
    }

    /// The pumps' asset paths.
    pub(crate) fn pumps(&self) -> &[String] {
        &self.pumps
    }

    /// All lives of pump `pump` that began before `until`, oldest first.
    pub(crate) fn lives(&self, pump: usize, until: Timestamp) -> Vec<Life> {
        let mut lives = Vec::new();
        let mut installed = self.start.plus_us((pump as f64 * 3.0 * DAY_US) as i64);
        while installed < until {
            let index = lives.len() as u64;
            let unit = self.uniform(pump, 100, index).max(1e-9);
            let days = (30.0 * (-unit.ln()).powf(0.2)).clamp(18.0, 45.0);
            let fails = installed.plus_us((days * DAY_US) as i64);
            lives.push(Life { installed, fails });
            installed = fails.plus_us(((12.0 + 24.0 * self.uniform(pump, 101, index)) * HOUR_US) as i64);
        }
        lives
    }

    /// The life that pump `pump` is in at `time`; `None` while it stands still.
    pub(crate) fn life_at(&self, pump: usize, time: Timestamp) -> Option<Life> {
        self.lives(pump, time.plus_us(1)).pop().filter(|life| time < life.fails)
    }

    /// The first time after `days` days at which some pump has used up `share` of its bearing's life and none
    /// fails within three days: a good moment to watch.
    pub(crate) fn moment_to_watch(&self, days: i64, share: f64) -> Timestamp {
        let mut time = self.start.plus_us(days * DAY_US as i64);
        let near = |time: Timestamp| {
            let lives: Vec<Life> =
                (0..self.pumps.len()).filter_map(|pump| self.life_at(pump, time)).collect();
            lives.iter().any(|life| (share..share + 0.02).contains(&life.share(time)))
                && lives.iter().all(|life| life.fails.since_us(time) >= 3 * DAY_US as i64)
        };
        while !near(time) {
            time = time.plus_us(STEP_US);
        }
        time
    }

    /// What the sensors of pump `pump` read at `time`, in the order of [`SIGNALS`]; `None` while it stands
    /// still.
    pub(crate) fn sample(&self, pump: usize, time: Timestamp, life: Life) -> Option<[f64; 4]> {
        if time < life.installed || time >= life.fails {
            return None;
        }
        let step = (time.0 / STEP_US) as u64;
        let wear = life.share(time).powi(3);
        let load = load(time) * (1.0 + 0.02 * self.normal(pump, 0, step));
        let hour = (time.0 as f64 / HOUR_US) % 24.0;
        let ambient = 18.0 + 4.0 * ((hour - 9.0) / 24.0 * std::f64::consts::TAU).sin();
        let squeaks = wear > 0.3 && self.uniform(pump, 1, step) < wear;
        let vibration = 1.6 * load * (1.0 + 3.5 * wear) * (1.0 + 0.05 * self.normal(pump, 2, step));
        let acoustic = 62.0
            + 6.0 * (load - 1.0)
            + 16.0 * wear
            + if squeaks { 12.0 } else { 0.0 }
            + 0.8 * self.normal(pump, 3, step);
        let temperature = ambient + 30.0 * load + 38.0 * wear + 0.5 * self.normal(pump, 4, step);
        let flow = 120.0 * load * (1.0 - 0.06 * wear) * (1.0 + 0.01 * self.normal(pump, 5, step));
        Some([round(vibration, 3), round(acoustic, 1), round(temperature, 2), round(flow, 1)])
    }

    /// A number in [0, 1) that depends on nothing but the seed and the arguments (the finaliser of
    /// `SplitMix64` over a counter).
    fn uniform(&self, pump: usize, channel: u64, counter: u64) -> f64 {
        let mut x = self.seed
            ^ (pump as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
            ^ channel.wrapping_mul(0xd1b5_4a32_d192_ed03);
        x = x.wrapping_add(counter.wrapping_mul(0x2545_f491_4f6c_dd1d));
        for _ in 0..2 {
            x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
            x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            x ^= x >> 31;
        }
        (x >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A standard normal number, by Box and Muller's transform.
    fn normal(&self, pump: usize, channel: u64, counter: u64) -> f64 {
        let radius = (-2.0 * self.uniform(pump, channel + 1000, counter).max(1e-12).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform(pump, channel + 2000, counter)).cos()
    }
}

fn load(time: Timestamp) -> f64 {
    let hour = (time.0 as f64 / HOUR_US) % 24.0;
    // 1970-01-01 was a Thursday, so days 2 and 3 of each week counted from it are Saturday and Sunday.
    let weekend = matches!((time.0 as f64 / DAY_US) as i64 % 7, 2 | 3);
    match (weekend, (6.0..22.0).contains(&hour)) {
        (true, _) => 0.85,
        (false, true) => 1.0,
        (false, false) => 0.75,
    }
}

fn round(value: f64, digits: i32) -> f64 {
    let scale = 10f64.powi(digits);
    (value * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plant() -> Plant {
        Plant::new(7, Timestamp::parse("2025-11-01T00:00:00Z").unwrap(), 6)
    }

    #[test]
    fn the_same_seed_gives_the_same_plant() {
        let (a, b) = (plant(), plant());
        let until = a.start.plus_us(200 * DAY_US as i64);
        for pump in 0..6 {
            assert_eq!(a.lives(pump, until), b.lives(pump, until));
        }
        let other = Plant::new(8, a.start, 6);
        assert_ne!(a.lives(0, until), other.lives(0, until));
    }

    #[test]
    fn lives_do_not_overlap_and_last_as_documented() {
        let plant = plant();
        for pump in 0..6 {
            let lives = plant.lives(pump, plant.start.plus_us(400 * DAY_US as i64));
            assert!(lives.len() > 8);
            for pair in lives.windows(2) {
                assert!(pair[0].fails < pair[1].installed);
            }
            for life in lives {
                let days = life.fails.since_us(life.installed) as f64 / DAY_US;
                assert!((18.0..=45.0).contains(&days), "{days}");
            }
        }
    }

    #[test]
    fn a_worn_pump_is_louder_hotter_and_shakes_more() {
        let plant = plant();
        let life = plant.lives(0, plant.start.plus_us(1))[0];
        let mean = |from: f64, to: f64| {
            let length = life.fails.since_us(life.installed) as f64;
            let mut sums = [0.0; 4];
            let mut count = 0.0;
            let mut time = life.installed.plus_us((from * length) as i64);
            while time < life.installed.plus_us((to * length) as i64) {
                let sample = plant.sample(0, time, life).unwrap();
                (0..4).for_each(|i| sums[i] += sample[i]);
                count += 1.0;
                time = time.plus_us(STEP_US);
            }
            sums.map(|sum| sum / count)
        };
        let (young, old) = (mean(0.0, 0.3), mean(0.9, 1.0));
        assert!(old[0] > 2.0 * young[0], "vibration {young:?} {old:?}");
        assert!(old[1] > young[1] + 10.0, "sound {young:?} {old:?}");
        assert!(old[2] > young[2] + 20.0, "temperature {young:?} {old:?}");
        assert!(old[3] < young[3], "flow {young:?} {old:?}");
        assert_eq!(plant.sample(0, life.fails, life), None);
    }

    #[test]
    fn there_is_a_moment_to_watch_before_the_next_failure() {
        for seed in 0..20 {
            let plant = Plant::new(seed, plant().start, 6);
            let time = plant.moment_to_watch(150, 0.66);
            assert!(time < plant.start.plus_us(200 * DAY_US as i64), "seed {seed}: {time}");
            let lives: Vec<Life> = (0..6).filter_map(|pump| plant.life_at(pump, time)).collect();
            assert!(lives.iter().any(|life| life.share(time) >= 0.66), "seed {seed}");
            assert!(lives.iter().all(|life| life.fails >= time.plus_us(3 * DAY_US as i64)), "seed {seed}");
        }
    }
}
