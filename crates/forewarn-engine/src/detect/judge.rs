//! What all detectors share: what one is given, what it says, and the bounds of what it can make sense of.

/// Readings a classical detector sees before it judges.
pub const WARMUP_READINGS: u32 = 200;
/// Readings a running statistic remembers where nothing else is said.
pub const MEMORY_READINGS: f64 = 2000.0;

/// The smallest scale of a statistic, relative to the values it is made of: it keeps the score of a constant
/// series finite.
pub(super) const SCALE_FLOOR: f64 = 1e-9;

/// Beyond this magnitude sums and products of readings overflow; no sensor means it.
const MAX_MAGNITUDE: f64 = 1e150;

/// Whether a detector can make anything of `x`.
pub(super) fn is_usable(x: f64) -> bool {
    x.abs() < MAX_MAGNITUDE
}

/// A reading of the series that a detector watches.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// Its event time, µs UTC.
    pub time_us: i64,
    /// Its value.
    pub value: f64,
    /// Whether it is older than readings that came before it.
    pub late: bool,
}

/// What a detector says of one reading.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Verdict {
    /// How far the reading strays, where 1 is the limit; `None` while the detector warms up or cannot judge.
    pub score: Option<f64>,
    /// An episode begins here, or worsens enough to be told again.
    pub onset: bool,
    /// The episode is over.
    pub clear: bool,
}

/// The reading that a message is about.
#[derive(Debug, Clone)]
pub struct Subject<'a> {
    /// The signal's name.
    pub signal: &'a str,
    /// Its unit with a blank before it, or nothing.
    pub unit: String,
    /// The reading.
    pub sample: Sample,
}

/// A single-pass judge of one series, with O(1) work and bounded state a reading.
pub trait Judge {
    /// The numbers that its user sets.
    type Params;
    /// The numbers that the words of an onset are made of.
    type Reason;

    /// Judges a reading, then learns from it.
    fn judge(&mut self, params: &Self::Params, sample: Sample) -> (Verdict, Self::Reason);

    /// The message of an onset: what strayed, by how much, and what the limit is.
    fn words(params: &Self::Params, about: &Subject<'_>, reason: &Self::Reason) -> String;
}
