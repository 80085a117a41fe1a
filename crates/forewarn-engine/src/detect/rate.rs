//! Rate of change: |dx/dt| in event time against a limit, the user's or ten times its own running mean.
//!
//! The mean is an EWMA over 2000 readings (rate 2/2001, never below 1/n), learnt after the test; while the
//! score is 1 or more a rate enters as at most the limit.

use serde::{Deserialize, Serialize};

use super::{Judgement, MEMORY_READINGS, SCALE_FLOOR, WARMUP_READINGS, is_usable};

/// Without a limit of the user's: this many times the running mean.
const TIMES_MEAN: f64 = 10.0;
/// A reading below this score is calm …
const CLEAR_BELOW: f64 = 0.7;
/// … and so many calm readings in a row end the episode.
const CLEAR_READINGS: u32 = 5;

/// The state of one series.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RateOfChange {
    seen: u32,
    calm: u32,
    open: bool,
    last_us: i64,
    last: f64,
    mean: f64,
}

impl Default for RateOfChange {
    fn default() -> Self {
        Self::new()
    }
}

impl RateOfChange {
    /// A series that has seen nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self { seen: 0, calm: 0, open: false, last_us: i64::MIN, last: 0.0, mean: 0.0 }
    }

    /// Judges the reading `x` at `time_us` (µs UTC) against `limit_per_s`, or against its own mean, then
    /// learns from it. A late or repeated time has no rate and is passed over.
    pub fn step(&mut self, limit_per_s: Option<f64>, time_us: i64, x: f64, late: bool) -> Judgement {
        if !is_usable(x) || late || (self.seen > 0 && time_us <= self.last_us) {
            return Judgement::default();
        }
        let mut judgement = Judgement::default();
        if self.seen > 0 {
            let rate = self.rate(time_us, x);
            let limit = self.limit(limit_per_s, rate);
            if limit_per_s.is_some() || self.seen > WARMUP_READINGS {
                let score = if rate == 0.0 { 0.0 } else { rate / limit };
                judgement = self.episode(score);
            }
            if limit_per_s.is_none() {
                let a = (2.0 / (MEMORY_READINGS + 1.0)).max(1.0 / f64::from(self.seen));
                let learnt = if judgement.score.is_some() { rate.min(limit) } else { rate };
                self.mean += a * (learnt - self.mean);
            }
        }
        self.seen = self.seen.saturating_add(1);
        self.last_us = time_us;
        self.last = x;
        judgement
    }

    /// The rate of change per second that a reading `x` at `time_us` makes.
    #[must_use]
    pub fn rate(&self, time_us: i64, x: f64) -> f64 {
        ((x - self.last) / (time_us.saturating_sub(self.last_us) as f64 / 1e6)).abs().min(f64::MAX)
    }

    /// The limit that a rate of `rate` is held against, per second.
    #[must_use]
    pub fn limit(&self, limit_per_s: Option<f64>, rate: f64) -> f64 {
        limit_per_s.unwrap_or_else(|| TIMES_MEAN * self.mean.max(SCALE_FLOOR * rate))
    }

    /// Event time of the newest reading, µs UTC.
    #[must_use]
    pub const fn last_us(&self) -> i64 {
        self.last_us
    }

    /// Whether an episode is under way.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.open
    }

    fn episode(&mut self, score: f64) -> Judgement {
        let mut judgement = Judgement { score: Some(score), ..Judgement::default() };
        if score >= 1.0 && !self.open {
            self.open = true;
            judgement.onset = true;
        }
        self.calm = if score < CLEAR_BELOW { self.calm.saturating_add(1) } else { 0 };
        if self.open && self.calm >= CLEAR_READINGS {
            self.open = false;
            judgement.clear = true;
        }
        judgement
    }
}
