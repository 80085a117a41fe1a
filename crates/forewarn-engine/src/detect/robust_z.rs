//! Distance from a running median, in running absolute deviations: little moved by outliers, good for
//! symmetric noise.
//!
//! With d = x − median: score = |d| / (limit · 1.4826 · mad); then mad += a·(|d| − mad), median +=
//! 2.5·a·mad·sign(d). The rate a is 2 / (N + 1) for a memory of N readings, 1 − exp(−dt / T) for one of the
//! duration T, and never below 1/n for the n-th reading. While the score is 1 or more, |d| enters as at most
//! 4 · 1.4826 · mad: an outlier teaches little, a lasting shift is learnt in time.

use forewarn_spec::Baseline;
use serde::{Deserialize, Serialize};

use super::{Judgement, SCALE_FLOOR, WARMUP_READINGS, is_usable};

/// Makes the median absolute deviation of normal noise its standard deviation.
const NORMAL: f64 = 1.4826;
/// The episode ends below this score.
const CLEAR_BELOW: f64 = 0.75;
/// How far an outlier moves the statistics, in standard deviations.
const CLIP: f64 = 4.0;

/// The state of one series.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RobustZ {
    seen: u32,
    open: bool,
    last_us: i64,
    median: f64,
    mad: f64,
}

impl Default for RobustZ {
    fn default() -> Self {
        Self::new()
    }
}

impl RobustZ {
    /// A series that has seen nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self { seen: 0, open: false, last_us: i64::MIN, median: 0.0, mad: 0.0 }
    }

    /// Judges the reading `x` at `time_us` (µs UTC) against `limit` deviations, then learns from it. A `late`
    /// reading is judged only: it may begin an episode and ends none.
    pub fn step(&mut self, baseline: Baseline, limit: f64, time_us: i64, x: f64, late: bool) -> Judgement {
        if !is_usable(x) {
            return Judgement::default();
        }
        let learn = !late && (self.seen == 0 || time_us > self.last_us);
        let distance = x - self.median;
        let scale = self.scale(x);
        let score = (self.seen >= WARMUP_READINGS)
            .then(|| if distance == 0.0 { 0.0 } else { distance.abs() / (limit * scale) });
        let mut judgement = Judgement { score, ..Judgement::default() };
        if let Some(score) = score {
            judgement.onset = score >= 1.0 && !self.open;
            judgement.clear = score < CLEAR_BELOW && self.open && learn;
            self.open = (self.open || judgement.onset) && !judgement.clear;
        }
        if learn {
            self.learn(
                baseline,
                time_us,
                x,
                if score.is_some_and(|score| score >= 1.0) { CLIP * scale } else { f64::INFINITY },
            );
        }
        judgement
    }

    /// The running median.
    #[must_use]
    pub const fn median(&self) -> f64 {
        self.median
    }

    /// The running deviation, in standard deviations of normal noise, as a reading `x` is held against.
    #[must_use]
    pub fn scale(&self, x: f64) -> f64 {
        (NORMAL * self.mad).max(SCALE_FLOOR * self.median.abs().max(x.abs()))
    }

    /// Whether an episode is under way.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.open
    }

    fn learn(&mut self, baseline: Baseline, time_us: i64, x: f64, clip: f64) {
        if self.seen == 0 {
            self.median = x;
        } else {
            let rate = match baseline {
                Baseline::Readings(readings) => 2.0 / (f64::from(readings) + 1.0),
                Baseline::Duration(us) => {
                    -(-(time_us.saturating_sub(self.last_us) as f64) / us as f64).exp_m1()
                }
            };
            let rate = rate.max(1.0 / f64::from(self.seen.saturating_add(1)));
            let distance = x - self.median;
            self.mad += rate * (distance.abs().min(clip) - self.mad);
            if distance != 0.0 {
                self.median += 2.5 * rate * self.mad * distance.signum();
            }
        }
        self.seen = self.seen.saturating_add(1);
        self.last_us = time_us;
    }
}
