//! Detectors: single-pass judges of one series.
//!
//! They are public so that a backtest and a test can look at every score, not only at the alerts that come of
//! them. All share the same manners: a score of 1 is the limit, a reading that is late (or repeats a time) is
//! scored and teaches nothing, a value that is not finite is neither scored nor learnt.
//!
//! A kind is a file of its own, with its message beside it, and its lines in the list below. Its parameters
//! are those of the definitions; the state holds none of them.

mod cusum;
mod ewma;
mod gap;
mod judge;
mod learned_limits;
mod moments;
mod rate;
mod robust_z;

#[cfg(test)]
mod tests;

use forewarn_spec::Detector as Params;
use serde::{Deserialize, Serialize};

pub use cusum::{Cusum, Sums};
pub use ewma::{Ewma, Smoothed};
pub use gap::UsualGap;
pub use judge::{Judge, MEMORY_READINGS, Sample, Subject, Verdict, WARMUP_READINGS};
pub(crate) use learned_limits::Version2 as LearnedLimitsVersion2;
pub use learned_limits::{Aspect, LearnedLimits, Stray};
pub use moments::Moments;
pub use rate::{Change, RateOfChange};
pub use robust_z::{Deviation, RobustZ};

/// The state of a detector on one series: the list of all kinds. Large states are boxed, so that they do not
/// widen the small ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Detector {
    LearnedLimits(Box<LearnedLimits>),
    RobustZ(RobustZ),
    Rate(RateOfChange),
    Ewma(Box<Ewma>),
    Cusum(Box<Cusum>),
}

impl Detector {
    /// A detector that has seen nothing.
    pub(crate) fn new(params: &Params) -> Self {
        match params {
            Params::LearnedLimits(_) => Self::LearnedLimits(Box::default()),
            Params::RobustZ(_) => Self::RobustZ(RobustZ::default()),
            Params::Rate(_) => Self::Rate(RateOfChange::default()),
            Params::Ewma(_) => Self::Ewma(Box::default()),
            Params::Cusum(_) => Self::Cusum(Box::default()),
        }
    }

    /// The level that is usual by what was learnt so far, if it has one.
    pub(crate) fn usual(&self) -> Option<f64> {
        match self {
            Self::LearnedLimits(detector) => Some(detector.usual()),
            Self::RobustZ(detector) => Some(detector.median()),
            Self::Ewma(detector) => Some(detector.usual()),
            Self::Cusum(detector) => Some(detector.usual()),
            Self::Rate(_) => None,
        }
    }

    /// Whether enough was seen by `time_us` to judge a reading of that time.
    pub(crate) fn is_ready(&self, params: &Params, time_us: i64) -> bool {
        match (self, params) {
            (Self::Rate(detector), Params::Rate(params)) => detector.is_ready(params),
            (Self::LearnedLimits(detector), _) => detector.is_ready(),
            (Self::RobustZ(detector), _) => detector.is_ready(),
            (Self::Ewma(detector), _) => detector.is_ready(time_us),
            (Self::Cusum(detector), _) => detector.is_ready(time_us),
            (Self::Rate(_), _) => false,
        }
    }

    /// Adds the usual gap, where a snapshot of an earlier version does not hold it.
    pub(crate) fn complete(&mut self, gap_us: i64) {
        let gap = match self {
            Self::RobustZ(detector) => detector.gap_mut(),
            Self::Rate(detector) => detector.gap_mut(),
            Self::Ewma(detector) => detector.gap_mut(),
            Self::Cusum(detector) => detector.gap_mut(),
            Self::LearnedLimits(_) => return,
        };
        if gap.us() == 0 {
            *gap = UsualGap::of(gap_us);
        }
    }

    /// Judges a reading, then learns from it. An onset comes with its words; `about` is asked for then only.
    #[inline]
    pub(crate) fn judge<'a>(
        &mut self,
        params: &Params,
        sample: Sample,
        about: impl FnOnce() -> Subject<'a>,
    ) -> (Verdict, Option<String>) {
        match (self, params) {
            (Self::LearnedLimits(detector), Params::LearnedLimits(params)) => {
                told(&mut **detector, params, sample, about)
            }
            (Self::RobustZ(detector), Params::RobustZ(params)) => told(detector, params, sample, about),
            (Self::Rate(detector), Params::Rate(params)) => told(detector, params, sample, about),
            (Self::Ewma(detector), Params::Ewma(params)) => told(&mut **detector, params, sample, about),
            (Self::Cusum(detector), Params::Cusum(params)) => told(&mut **detector, params, sample, about),
            // A rule whose detector is of another kind starts with a new state, so these do not meet.
            (
                Self::LearnedLimits(_) | Self::RobustZ(_) | Self::Rate(_) | Self::Ewma(_) | Self::Cusum(_),
                _,
            ) => (Verdict::default(), None),
        }
    }
}

#[inline]
fn told<'a, J: Judge>(
    detector: &mut J,
    params: &J::Params,
    sample: Sample,
    about: impl FnOnce() -> Subject<'a>,
) -> (Verdict, Option<String>) {
    let (verdict, reason) = detector.judge(params, sample);
    let words = verdict.onset.then(|| J::words(params, &about(), &reason));
    (verdict, words)
}
