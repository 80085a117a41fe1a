//! Detectors: single-pass judges of one series, with O(1) work and bounded state a reading.
//!
//! They are public so that a backtest and a test can look at every score, not only at the alerts that come of
//! them. All share the same manners: a score of 1 is the limit, a reading that is late (or repeats a time) is
//! scored and teaches nothing, a value that is not finite is neither scored nor learnt.

mod learned_limits;
mod rate;
mod robust_z;

#[cfg(test)]
mod tests;

pub use learned_limits::{Aspect, LearnedLimits, Stray};
pub use rate::RateOfChange;
pub use robust_z::RobustZ;

/// Readings a classical detector sees before it judges.
pub const WARMUP_READINGS: u32 = 200;
/// Readings a running statistic remembers where nothing else is said.
pub const MEMORY_READINGS: f64 = 2000.0;

/// The smallest scale of a statistic, relative to the values it is made of: it keeps the score of a constant
/// series finite.
const SCALE_FLOOR: f64 = 1e-9;

/// Beyond this magnitude sums and products of readings overflow; no sensor means it.
const MAX_MAGNITUDE: f64 = 1e150;

/// Whether a detector can make anything of `x`.
fn is_usable(x: f64) -> bool {
    x.abs() < MAX_MAGNITUDE
}

/// What a detector says of one reading.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Judgement {
    /// How far the reading strays, where 1 is the limit; `None` while the detector warms up or cannot judge.
    pub score: Option<f64>,
    /// An episode begins here, or worsens enough to be told again.
    pub onset: bool,
    /// The episode is over.
    pub clear: bool,
}
