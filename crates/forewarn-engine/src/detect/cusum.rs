//! CUSUM: the sum of what lies beyond a slack above, or below, the running mean. It finds small shifts that
//! last, the sooner the larger they are.
//!
//! With u = (x − mean) / s, at most 6 either way: high = max(0, high + u − slack), low likewise with −u;
//! score = the larger sum / limit. The sums are given for readings five minutes apart; a reading of a faster
//! series adds as much less. They are held at twice the limit, so that a long episode does not take as long
//! again to end; it ends when both are 0. While the score is 1 or more a reading is learnt as if it lay at
//! most 4 deviations off.

use forewarn_spec::CusumParams;
use serde::{Deserialize, Serialize};

use super::gap::UsualGap;
use super::judge::{Judge, Sample, Subject, Verdict, is_usable};
use super::moments::Moments;
use crate::message::number;

/// How much of one reading is counted, in deviations.
const COUNTED: f64 = 6.0;
/// The sums go no higher, in limits.
const MOST: f64 = 2.0;
/// How far an outlier moves the statistics, in deviations.
const CLIP: f64 = 4.0;

/// The state of one series.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Cusum {
    moments: Moments,
    high: f64,
    low: f64,
    open: bool,
}

/// The sums, and what a reading is held against.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Sums {
    /// What lies above the mean, in deviations, this reading included.
    pub high: f64,
    /// What lies below it.
    pub low: f64,
    /// The running mean.
    pub mean: f64,
    /// One running deviation.
    pub scale: f64,
}

impl Judge for Cusum {
    type Params = CusumParams;
    type Reason = Sums;

    /// A late reading is judged only: it may begin an episode and ends none.
    fn judge(&mut self, params: &CusumParams, sample: Sample) -> (Verdict, Sums) {
        let Sample { time_us, value: x, late } = sample;
        if !is_usable(x) || (late && self.moments.is_empty()) {
            return (Verdict::default(), Sums::default());
        }
        let learn = !late && self.moments.is_new(time_us);
        let (mean, scale) = (self.moments.mean(), self.moments.deviation(x));
        let mut reason = Sums { high: self.high, low: self.low, mean, scale };
        let mut verdict = Verdict::default();
        if self.moments.is_warm(time_us) {
            let distance = x - mean;
            let u = if distance == 0.0 { 0.0 } else { (distance / scale).clamp(-COUNTED, COUNTED) };
            let share = self.moments.share(time_us);
            let add = |sum: f64, u: f64| (sum + (u - params.slack) * share).clamp(0.0, MOST * params.above);
            (reason.high, reason.low) = (add(self.high, u), add(self.low, -u));
            let sum = reason.high.max(reason.low);
            verdict.score = Some(sum / params.above);
            verdict.onset = sum >= params.above && !self.open;
            verdict.clear = sum == 0.0 && self.open && learn;
            self.open = (self.open || verdict.onset) && !verdict.clear;
        }
        if learn {
            let strays = verdict.score.is_some_and(|score| score >= 1.0);
            let clip = if strays { CLIP * scale } else { f64::INFINITY };
            self.moments.learn(params.baseline, time_us, x, clip);
            (self.high, self.low) = (reason.high, reason.low);
        }
        (verdict, reason)
    }

    fn words(params: &CusumParams, about: &Subject<'_>, reason: &Sums) -> String {
        let Subject { signal, unit, sample } = about;
        let (side, sum) =
            if reason.high > reason.low { ("above", reason.high) } else { ("below", reason.low) };
        let [x, mean, scale, sum] = [sample.value, reason.mean, reason.scale, sum].map(number);
        format!(
            "{signal} {x}{unit} lies {side} its running mean {mean}{unit} again and again: in sum by {sum} \
             deviations beyond the slack (one deviation: {scale}{unit}), limit {}",
            number(params.above)
        )
    }
}

impl Cusum {
    /// The running mean.
    pub(crate) const fn usual(&self) -> f64 {
        self.moments.mean()
    }

    /// Whether enough was seen to judge a reading of that time.
    pub(super) const fn is_ready(&self, time_us: i64) -> bool {
        self.moments.is_warm(time_us)
    }

    pub(super) const fn gap_mut(&mut self) -> &mut UsualGap {
        self.moments.gap_mut()
    }
}
