//! The EWMA chart: a smoothed value against the running mean, in deviations that a smoothed value has. It
//! finds small shifts that last, which single readings do not show.
//!
//! With z += λ·(x − z): score = |z − mean| / (limit · s · √(λ / (2 − λ))). λ is given for readings five
//! minutes apart; a faster series weighs each reading as much less as it takes to forget equally fast in
//! time. While the score is 1 or more a reading is learnt as if it lay at most 4 deviations off.

use forewarn_spec::EwmaParams;
use serde::{Deserialize, Serialize};

use super::gap::UsualGap;
use super::judge::{Judge, Sample, Subject, Verdict, is_usable};
use super::moments::Moments;
use crate::message::number;

/// The episode ends below this score.
const CLEAR_BELOW: f64 = 0.75;
/// How far an outlier moves the statistics, in deviations.
const CLIP: f64 = 4.0;

/// The state of one series.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Ewma {
    moments: Moments,
    smoothed: f64,
    open: bool,
}

/// The smoothed value, and what it is held against.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Smoothed {
    /// The smoothed value, this reading included.
    pub value: f64,
    /// The running mean.
    pub mean: f64,
    /// One deviation of a smoothed value.
    pub scale: f64,
}

impl Judge for Ewma {
    type Params = EwmaParams;
    type Reason = Smoothed;

    /// A late reading is judged only: it may begin an episode and ends none.
    fn judge(&mut self, params: &EwmaParams, sample: Sample) -> (Verdict, Smoothed) {
        let Sample { time_us, value: x, late } = sample;
        if !is_usable(x) || (late && self.moments.is_empty()) {
            return (Verdict::default(), Smoothed::default());
        }
        let learn = !late && self.moments.is_new(time_us);
        let weight = 1.0 - (1.0 - params.lambda).powf(self.moments.share(time_us));
        let value = if self.moments.is_empty() { x } else { self.smoothed + weight * (x - self.smoothed) };
        let deviation = self.moments.deviation(x);
        let scale = deviation * (params.lambda / (2.0 - params.lambda)).sqrt();
        let reason = Smoothed { value, mean: self.moments.mean(), scale };
        let distance = (value - reason.mean).abs();
        let score = self
            .moments
            .is_warm(time_us)
            .then(|| if distance == 0.0 { 0.0 } else { distance / (params.above * scale) });
        let mut verdict = Verdict { score, ..Verdict::default() };
        if let Some(score) = score {
            verdict.onset = score >= 1.0 && !self.open;
            verdict.clear = score < CLEAR_BELOW && self.open && learn;
            self.open = (self.open || verdict.onset) && !verdict.clear;
        }
        if learn {
            let strays = score.is_some_and(|score| score >= 1.0);
            let clip = if strays { CLIP * deviation } else { f64::INFINITY };
            self.moments.learn(params.baseline, time_us, x, clip);
            self.smoothed = value;
        }
        (verdict, reason)
    }

    fn words(params: &EwmaParams, about: &Subject<'_>, reason: &Smoothed) -> String {
        let Subject { signal, unit, sample } = about;
        let Smoothed { value, mean, scale } = *reason;
        let side = if value > mean { "above" } else { "below" };
        let deviations = number((value - mean).abs() / scale);
        let [x, value, mean, scale] = [sample.value, value, mean, scale].map(number);
        format!(
            "{signal} {x}{unit}, smoothed {value}{unit}, is {deviations} deviations {side} its running mean \
             {mean}{unit} (one deviation: {scale}{unit}), limit {}",
            number(params.above)
        )
    }
}

impl Ewma {
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
