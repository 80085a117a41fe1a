//! Distance from a running median, in running absolute deviations: little moved by outliers, good for
//! symmetric noise.
//!
//! With d = x − median: score = |d| / (limit · 1.4826 · mad); then mad += a·(|d| − mad), median +=
//! 2.5·a·mad·sign(d). The rate a is 2 / (N + 1) for a memory of N readings, 1 − exp(−dt / T) for one of the
//! duration T, where dt is at most ten usual gaps, and never below 1/n for the n-th reading. While the
//! score is 1 or more, |d| enters as at most 4 · 1.4826 · mad: an outlier teaches little, a lasting shift
//! is learnt in time.

use forewarn_spec::{Baseline, RobustZParams};
use serde::{Deserialize, Serialize};

use super::gap::UsualGap;
use super::judge::{Judge, SCALE_FLOOR, Sample, Subject, Verdict, WARMUP_READINGS, is_usable};
use crate::message::number;

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
    #[serde(default)]
    gap: UsualGap,
}

/// What a reading is held against.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Deviation {
    /// The running median.
    pub median: f64,
    /// One running deviation.
    pub scale: f64,
}

impl Default for RobustZ {
    fn default() -> Self {
        Self { seen: 0, open: false, last_us: i64::MIN, median: 0.0, mad: 0.0, gap: UsualGap::default() }
    }
}

impl Judge for RobustZ {
    type Params = RobustZParams;
    type Reason = Deviation;

    /// A late reading is judged only: it may begin an episode and ends none.
    fn judge(&mut self, params: &RobustZParams, sample: Sample) -> (Verdict, Deviation) {
        let Sample { time_us, value: x, late } = sample;
        let reason = Deviation { median: self.median, scale: self.scale(x) };
        if !is_usable(x) {
            return (Verdict::default(), reason);
        }
        let stands_for = self.gap.stands_for(self.last_us, time_us).filter(|_| !late);
        let learn = stands_for.is_some() || (!late && self.seen == 0);
        let distance = x - self.median;
        let score = (self.seen >= WARMUP_READINGS)
            .then(|| if distance == 0.0 { 0.0 } else { distance.abs() / (params.above * reason.scale) });
        let mut verdict = Verdict { score, ..Verdict::default() };
        if let Some(score) = score {
            verdict.onset = score >= 1.0 && !self.open;
            verdict.clear = score < CLEAR_BELOW && self.open && learn;
            self.open = (self.open || verdict.onset) && !verdict.clear;
        }
        if learn {
            let strays = score.is_some_and(|score| score >= 1.0);
            let clip = if strays { CLIP * reason.scale } else { f64::INFINITY };
            self.learn(params.baseline, (time_us, stands_for.unwrap_or(0)), x, clip);
        }
        (verdict, reason)
    }

    fn words(params: &RobustZParams, about: &Subject<'_>, reason: &Deviation) -> String {
        let Subject { signal, unit, sample: Sample { value, .. } } = about;
        let Deviation { median, scale } = *reason;
        let side = if *value > median { "above" } else { "below" };
        format!(
            "{signal} {}{unit} is {} deviations {side} its running median {}{unit} (one deviation: \
             {}{unit}), \
             limit {}",
            number(*value),
            number((value - median).abs() / scale),
            number(median),
            number(scale),
            number(params.above)
        )
    }
}

impl RobustZ {
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

    /// Whether enough was seen to judge a reading.
    pub(super) const fn is_ready(&self) -> bool {
        self.seen >= WARMUP_READINGS
    }

    pub(super) const fn gap_mut(&mut self) -> &mut UsualGap {
        &mut self.gap
    }

    fn learn(&mut self, baseline: Baseline, (time_us, us): (i64, i64), x: f64, clip: f64) {
        if self.seen == 0 {
            self.median = x;
        } else {
            let rate = match baseline {
                Baseline::Readings(readings) => 2.0 / (f64::from(readings) + 1.0),
                Baseline::Duration(memory_us) => -(-(us as f64) / memory_us as f64).exp_m1(),
            };
            let rate = rate.max(1.0 / f64::from(self.seen.saturating_add(1)));
            let distance = x - self.median;
            self.mad += rate * (distance.abs().min(clip) - self.mad);
            if distance != 0.0 {
                self.median += 2.5 * rate * self.mad * distance.signum();
            }
            self.gap.learn(time_us.saturating_sub(self.last_us));
        }
        self.seen = self.seen.saturating_add(1);
        self.last_us = time_us;
    }
}
