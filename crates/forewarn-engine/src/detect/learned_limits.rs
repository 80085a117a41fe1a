//! The default detector of one series: three envelopes that learn what is normal by themselves.
//!
//! The value, its short-term level (an EWMA) and its distance from a weekly profile each have an envelope
//! that widens to what it has seen and slowly shrinks toward its centre. A reading strays by how far it lies
//! outside, in widths of the envelope. Everything keeps learning during an episode: freezing would lock a
//! level shift into an endless alert.
//!
//! It lives in time. How fast it learns and how long an episode lasts was found on series of one reading in
//! five minutes; a reading of a faster series counts as the share of five minutes that it covers, so that
//! the same signal is judged alike at one reading a second. A slower series is counted reading by reading.
//! Only the averages are over readings at any rate: they smooth noise, which comes with each reading.
//!
//! Buckets of the profile are `f64`, not `f32` relative to the first value: at one reading a second the
//! slowest rate is 7e-5, and an `f32` mean would stop moving long before it arrives. They are allocated at
//! the first reading.

mod version_2;

use chrono::{Offset, TimeZone};
use chrono_tz::Tz;
use forewarn_spec::LearnedLimitsParams;
use serde::{Deserialize, Serialize};

use super::judge::{Judge, SCALE_FLOOR, Sample, Subject, Verdict, is_usable};
use crate::message::number;
pub(crate) use version_2::Version2;

/// Readings before the first score …
const WARMUP: u32 = 200;
/// … and time.
const WARMUP_US: i64 = HOUR_US;
/// Readings the short-term level remembers: alpha = 2 / (n + 1).
const SHORT_READINGS: f64 = 24.0;
/// Readings the smoothed residual remembers.
const RESIDUAL_READINGS: f64 = 3.0;
/// The envelope shrinks toward its centre with this half-life in readings …
const HALF_LIFE_READINGS: f64 = 6931.0;
/// … and no faster than with this one in seconds.
const HALF_LIFE_S: f64 = 28.0 * 86_400.0;
/// By how many widths an envelope widens at most, at the base spacing.
const WIDEN: f64 = 1.0;
/// Rate of the centre, of the hour-of-week, hour-of-day and overall means, at the base spacing.
const RATES: [f64; 4] = [0.002, 0.1, 0.02, 0.01];
/// The spacing at and above which [`RATES`] are per reading; a faster series learns at `1 - (1 - rate)^(dt /
/// base)`.
const BASE_S: f64 = 300.0;
/// Readings after an onset in which only an escalation is an onset, and without a score of 1 after which the
/// episode is over.
const QUIET_READINGS: f64 = 100.0;
/// Sums of shares of readings are not exact.
const ALMOST_NOTHING: f64 = 1e-6;
/// The envelope of a series that was constant takes in this part of its first move: a single one does not
/// become usual.
const CONSTANT_STEP: f64 = 0.02;
/// An escalation: the score reaches this multiple of the episode's highest.
const ESCALATION: f64 = 2.0;

const WEEK: usize = 168;
const DAY: usize = 24;
const WEEK_HOURS: i64 = 168;
const HOUR_US: i64 = 3_600_000_000;
const ZONE_BLOCK_US: i64 = HOUR_US / 4;

/// What of a reading strayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Aspect {
    /// The value itself.
    #[default]
    Value,
    /// Its EWMA over about a dozen readings.
    ShortTermLevel,
    /// Its smoothed distance from the mean of that hour of the week.
    WeeklyProfile,
}

impl Aspect {
    /// Its name in messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Value => "value",
            Self::ShortTermLevel => "short-term level",
            Self::WeeklyProfile => "weekly profile",
        }
    }
}

/// By how much a reading strayed, for the words of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Stray {
    /// The aspect that strayed most.
    pub aspect: Aspect,
    /// Its number: the value, the level, or the distance from the profile.
    pub number: f64,
    /// Lower end of the envelope it was held against.
    pub low: f64,
    /// Upper end of that envelope.
    pub high: f64,
    /// How far it lies outside, in widths of the envelope.
    pub widths: f64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Envelope {
    low: f64,
    high: f64,
    centre: f64,
}

impl Envelope {
    /// How far `x` lies outside, in widths. Of what was constant so far a move is held against the width
    /// that the move will give it, a share of `constant_step` of it.
    fn exceed(&self, x: f64, constant_step: f64) -> f64 {
        let width = self.high - self.low;
        let outside = (x - self.high).max(self.low - x);
        if outside <= 0.0 {
            0.0
        } else if width > 0.0 {
            outside / width
        } else if outside > SCALE_FLOOR * self.high.abs().max(x.abs()) {
            1.0 / constant_step
        } else {
            0.0
        }
    }

    /// Takes in the `seen`-th reading; `judges` once the warm-up is over.
    fn learn(&mut self, x: f64, (seen, judges): (u32, bool), rates: &Rates, constant_step: f64) {
        let width = self.high - self.low;
        self.centre += rates.centre.max(1.0 / f64::from(seen.saturating_add(1))) * (x - self.centre);
        self.low += rates.shrink * (self.centre - self.low);
        self.high -= rates.shrink * (self.high - self.centre);
        let step = |outside: f64| match (judges, width > 0.0) {
            (true, true) => outside.min(rates.widen * width),
            (true, false) => outside * constant_step,
            (false, _) => outside,
        };
        if x > self.high {
            self.high += step(x - self.high);
        } else if x < self.low {
            self.low -= step(self.low - x);
        }
    }
}

/// Means by hour of the week, then by hour of the day, and how many readings each has seen.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Profile {
    means: Box<[f64]>,
    counts: Box<[u32]>,
    overall: f64,
}

impl Profile {
    fn predict(&self, hour: usize) -> f64 {
        if self.counts[hour] > 0 {
            self.means[hour]
        } else if self.counts[WEEK + hour % DAY] > 0 {
            self.means[WEEK + hour % DAY]
        } else {
            self.overall
        }
    }

    fn learn(&mut self, hour: usize, x: f64, seen: u32, rates: &Rates) {
        self.bucket(hour, x, rates.week);
        self.bucket(WEEK + hour % DAY, x, rates.day);
        self.overall = if seen == 0 {
            x
        } else {
            self.overall + rates.overall.max(1.0 / f64::from(seen.saturating_add(1))) * (x - self.overall)
        };
    }

    fn bucket(&mut self, index: usize, x: f64, rate: f64) {
        let count = self.counts[index].saturating_add(1);
        self.counts[index] = count;
        let mean = &mut self.means[index];
        *mean = if count == 1 { x } else { *mean + rate.max(1.0 / f64::from(count)) * (x - *mean) };
    }
}

/// The rates that follow from the time since the last reading.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Rates {
    dt_us: i64,
    centre: f64,
    week: f64,
    day: f64,
    overall: f64,
    shrink: f64,
    /// As how much of a reading at the base spacing it counts. Snapshots before it was there have 0, which
    /// no spacing has.
    #[serde(default)]
    share: f64,
    /// By how many widths an envelope widens at most.
    #[serde(default)]
    widen: f64,
    /// How much of a first move an envelope without a width takes in.
    #[serde(default)]
    constant_step: f64,
}

impl Default for Rates {
    fn default() -> Self {
        Self::of(0)
    }
}

impl Rates {
    fn of(dt_us: i64) -> Self {
        let dt = dt_us.max(0) as f64 / 1e6;
        let share = if dt_us > 0 { (dt / BASE_S).min(1.0) } else { 1.0 };
        let in_time = |rate: f64| if share == 1.0 { rate } else { 1.0 - (1.0 - rate).powf(share) };
        let [centre, week, day, overall] = RATES.map(in_time);
        let shrink = (1.0 - 0.5f64.powf(1.0 / HALF_LIFE_READINGS)).min(1.0 - 0.5f64.powf(dt / HALF_LIFE_S));
        Self {
            dt_us,
            centre,
            week,
            day,
            overall,
            shrink,
            share,
            widen: (1.0 + WIDEN).powf(share) - 1.0,
            constant_step: in_time(CONSTANT_STEP),
        }
    }
}

/// How far a time zone is ahead of UTC, for the quarter of an hour that was asked for last; no zone in use
/// changes within one.
#[derive(Debug, Clone, PartialEq)]
struct ZoneOffset {
    zone: Tz,
    block: i64,
    offset_us: i64,
}

impl Default for ZoneOffset {
    fn default() -> Self {
        Self { zone: Tz::UTC, block: i64::MIN, offset_us: 0 }
    }
}

/// The state of one series.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct LearnedLimits {
    seen: u32,
    last_us: i64,
    /// Value, short-term level, residual.
    envelopes: [Envelope; 3],
    short: f64,
    residual: f64,
    profile: Profile,
    /// The rates of the last spacing: most series keep theirs, and the powers cost more than all the rest.
    rates: Rates,
    /// Readings, at the base spacing, in which only an escalation is an onset.
    quiet: f64,
    peak: f64,
    open: bool,
    /// Readings, at the base spacing, that were learnt since the last score of 1.
    calm: f64,
    /// The time of the first reading; snapshots before it was there have 0.
    #[serde(default)]
    since_us: i64,
    /// Found again after a restart.
    #[serde(skip)]
    offset: ZoneOffset,
}

impl Judge for LearnedLimits {
    type Params = LearnedLimitsParams;
    type Reason = Stray;

    /// A late reading, or one whose time is not newer than the last, is judged only.
    fn judge(&mut self, params: &LearnedLimitsParams, sample: Sample) -> (Verdict, Stray) {
        let Sample { time_us, value: x, late } = sample;
        if !is_usable(x) {
            return (Verdict::default(), Stray::default());
        }
        let first = self.seen == 0;
        if first && late {
            return (Verdict::default(), Stray::default());
        }
        let learn = first || (!late && time_us > self.last_us);
        if learn {
            self.pace(if first { 0 } else { time_us.saturating_sub(self.last_us) });
        }
        let hour = self.hour_of_week(params.timezone, time_us);
        let residual = if first { 0.0 } else { x - self.profile.predict(hour) };
        let short = self.ewma(self.short, x, SHORT_READINGS);
        let residual = self.ewma(self.residual, residual, RESIDUAL_READINGS);
        let numbers = [x, short, residual];
        let scored = self.is_ready().then(|| self.strongest(numbers));
        if learn {
            self.learn(time_us, hour, numbers);
        }
        let score = scored.map(|stray| stray.widths / params.tolerance);
        (self.episode(score, learn), scored.unwrap_or_default())
    }

    fn words(params: &LearnedLimitsParams, about: &Subject<'_>, stray: &Stray) -> String {
        let Subject { signal, unit, sample } = about;
        let side = if stray.number > stray.high { "above" } else { "below" };
        let [value, seen, widths] = [sample.value, stray.number, stray.widths].map(number);
        let range = format!("{} … {}{unit}", number(stray.low), number(stray.high));
        let what = match stray.aspect {
            Aspect::Value if stray.low == stray.high => {
                format!("has moved from {}{unit}, at which it was constant", number(stray.low))
            }
            Aspect::Value => format!("is {widths} widths {side} its learnt range {range}"),
            Aspect::ShortTermLevel => {
                format!(", averaged {seen}{unit}, is {widths} widths {side} its learnt range {range}")
            }
            Aspect::WeeklyProfile => format!(
                "lies {seen}{unit} off what this hour of the week is used to, {widths} widths {side} the \
                 learnt range {range}"
            ),
        };
        let blank = if what.starts_with(',') { "" } else { " " };
        let (aspect, limit) = (stray.aspect.as_str(), number(params.tolerance));
        format!("{signal} {value}{unit}{blank}{what} ({aspect}), limit {limit}")
    }
}

impl LearnedLimits {
    /// Whether enough was seen to judge a reading.
    pub(super) const fn is_ready(&self) -> bool {
        self.seen > WARMUP && self.last_us.saturating_sub(self.since_us) >= WARMUP_US
    }

    /// Finds the rates for a reading `dt_us` after the last one.
    fn pace(&mut self, dt_us: i64) {
        if dt_us != self.rates.dt_us || self.rates.share == 0.0 {
            self.rates = Rates::of(dt_us);
        }
    }

    /// Whether an episode is under way.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// The average of the last readings.
    pub(crate) const fn usual(&self) -> f64 {
        self.short
    }

    fn strongest(&self, numbers: [f64; 3]) -> Stray {
        let mut best = Stray { widths: -1.0, ..Stray::default() };
        for (index, aspect) in
            [Aspect::Value, Aspect::ShortTermLevel, Aspect::WeeklyProfile].into_iter().enumerate()
        {
            let envelope = &self.envelopes[index];
            let widths = envelope.exceed(numbers[index], self.rates.constant_step);
            if widths > best.widths {
                best =
                    Stray { aspect, number: numbers[index], low: envelope.low, high: envelope.high, widths };
            }
        }
        best
    }

    fn learn(&mut self, time_us: i64, hour: usize, numbers: [f64; 3]) {
        if self.seen == 0 {
            self.profile.means = vec![0.0; WEEK + DAY].into_boxed_slice();
            self.profile.counts = vec![0; WEEK + DAY].into_boxed_slice();
            self.envelopes = numbers.map(|x| Envelope { low: x, high: x, centre: x });
            self.since_us = time_us;
        } else {
            // At a new level each hour of the week lies off its profile once, and that is one move.
            let steps = [self.rates.constant_step, self.rates.constant_step, 1.0];
            let so_far = (self.seen, self.is_ready());
            for ((envelope, x), step) in self.envelopes.iter_mut().zip(numbers).zip(steps) {
                envelope.learn(x, so_far, &self.rates, step);
            }
        }
        self.profile.learn(hour, numbers[0], self.seen, &self.rates);
        [_, self.short, self.residual] = numbers;
        self.seen = self.seen.saturating_add(1);
        self.last_us = time_us;
    }

    fn ewma(&self, mean: f64, x: f64, readings: f64) -> f64 {
        if self.seen == 0 {
            x
        } else {
            mean + (2.0 / (readings + 1.0)).max(1.0 / f64::from(self.seen.saturating_add(1))) * (x - mean)
        }
    }

    /// What the score makes of the episode. Only readings that are learnt count as calm: late ones are of the
    /// past and end nothing.
    fn episode(&mut self, score: Option<f64>, learnt: bool) -> Verdict {
        let mut verdict = Verdict { score, ..Verdict::default() };
        let share = self.rates.share;
        if self.quiet > ALMOST_NOTHING {
            self.quiet -= share;
        } else {
            self.peak = 0.0;
        }
        match score {
            Some(score) if score >= 1.0 => {
                if self.quiet <= ALMOST_NOTHING || score > ESCALATION * self.peak {
                    verdict.onset = true;
                    self.quiet = QUIET_READINGS;
                    self.open = true;
                }
                self.peak = self.peak.max(score);
                self.calm = 0.0;
            }
            _ if self.open && learnt => {
                self.calm += share;
                if self.calm >= QUIET_READINGS - ALMOST_NOTHING {
                    self.open = false;
                    verdict.clear = true;
                }
            }
            _ => {}
        }
        verdict
    }

    fn hour_of_week(&mut self, zone: Tz, time_us: i64) -> usize {
        let local_us = if zone == Tz::UTC {
            time_us
        } else {
            let block = time_us.div_euclid(ZONE_BLOCK_US);
            if block != self.offset.block || zone != self.offset.zone {
                let offset_us = zone_offset_us(zone, block * ZONE_BLOCK_US);
                self.offset = ZoneOffset { zone, block, offset_us };
            }
            time_us.saturating_add(self.offset.offset_us)
        };
        usize::try_from(local_us.div_euclid(HOUR_US).rem_euclid(WEEK_HOURS)).unwrap_or(0)
    }
}

#[cfg(test)]
impl LearnedLimits {
    /// As if it had seen as many readings as it can count.
    pub(super) fn exhaust_count(&mut self) {
        self.seen = u32::MAX;
    }
}

/// How far `zone` is ahead of UTC at `time_us`, µs.
fn zone_offset_us(zone: Tz, time_us: i64) -> i64 {
    let utc = forewarn_types::Timestamp(time_us).to_utc().naive_utc();
    i64::from(zone.offset_from_utc_datetime(&utc).fix().local_minus_utc()) * 1_000_000
}
