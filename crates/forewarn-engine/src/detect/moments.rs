//! The running mean and deviation of a series, which the classical detectors hold a reading against.
//!
//! With d = x − mean: mean += a·d, variance = (1 − a)·(variance + a·d²). The rate a is 2 / (N + 1) for a
//! memory of N readings, 1 − exp(−dt / T) for one of the duration T, where dt is at most ten usual gaps,
//! and never below 1/n for the n-th reading.

use forewarn_spec::Baseline;
use serde::{Deserialize, Serialize};

use super::gap::UsualGap;
use super::judge::{SCALE_FLOOR, WARMUP_READINGS};

/// How long a series is watched at least before it is judged, however many readings it sends.
const WARMUP_US: i64 = 3_600_000_000;
/// The spacing of readings for which weights are given; a faster series weighs each of its readings less.
const BASE_US: f64 = 300e6;

/// What is known of a series.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Moments {
    seen: u32,
    first_us: i64,
    last_us: i64,
    mean: f64,
    variance: f64,
    #[serde(default)]
    gap: UsualGap,
}

impl Moments {
    /// Whether nothing has been learnt yet.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.seen == 0
    }

    /// Whether a reading of that time may be learnt: it is newer than the last.
    #[must_use]
    pub fn is_new(&self, time_us: i64) -> bool {
        self.seen == 0 || self.gap.stands_for(self.last_us, time_us).is_some()
    }

    pub(super) const fn gap_mut(&mut self) -> &mut UsualGap {
        &mut self.gap
    }

    /// Whether enough has been seen to judge a reading of that time: 200 readings, and an hour.
    #[must_use]
    pub const fn is_warm(&self, time_us: i64) -> bool {
        self.seen >= WARMUP_READINGS && time_us.saturating_sub(self.first_us) >= WARMUP_US
    }

    /// The running mean.
    #[must_use]
    pub const fn mean(&self) -> f64 {
        self.mean
    }

    /// One running deviation, as a reading `x` is held against.
    #[must_use]
    pub fn deviation(&self, x: f64) -> f64 {
        self.variance.sqrt().max(SCALE_FLOOR * self.mean.abs().max(x.abs()))
    }

    /// The part of five minutes that has passed since the last reading, at most all of them: how much a
    /// reading of that time counts. A time that is not newer counts in full.
    #[must_use]
    pub fn share(&self, time_us: i64) -> f64 {
        let us = self.gap.stands_for(self.last_us, time_us).unwrap_or(0) as f64;
        if us > 0.0 { (us / BASE_US).min(1.0) } else { 1.0 }
    }

    /// Learns a reading, as if it lay no further than `clip` from the mean.
    pub fn learn(&mut self, baseline: Baseline, time_us: i64, x: f64, clip: f64) {
        if self.seen == 0 {
            (self.first_us, self.mean) = (time_us, x);
        } else {
            let us = self.gap.stands_for(self.last_us, time_us).unwrap_or(0);
            let rate = match baseline {
                Baseline::Readings(readings) => 2.0 / (f64::from(readings) + 1.0),
                Baseline::Duration(memory_us) => -(-(us as f64) / memory_us as f64).exp_m1(),
            };
            self.gap.learn(time_us.saturating_sub(self.last_us));
            let rate = rate.max(1.0 / f64::from(self.seen.saturating_add(1)));
            let distance = (x - self.mean).clamp(-clip, clip);
            self.mean += rate * distance;
            self.variance = (1.0 - rate) * (self.variance + rate * distance * distance);
        }
        self.seen = self.seen.saturating_add(1);
        self.last_us = time_us;
    }
}
