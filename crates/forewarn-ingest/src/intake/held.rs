//! Readings that are stored since longer than the intake remembers: who imports a history once more is told
//! so.
//!
//! The memory of repetitions is bounded. Beyond it the lake knows what it holds, but asking it takes time, so
//! that only imports do, and only for readings that are not newer than their series.

use forewarn_types::SeriesId;
use hashbrown::HashSet;

use super::window::fingerprint;

/// Readings that are known to be stored.
#[derive(Debug, Clone, Default)]
pub struct Held(HashSet<u64>);

impl Held {
    /// Adds a stored reading; `time` is µs UTC.
    pub fn add(&mut self, id: SeriesId, time: i64, value: f64) {
        self.0.insert(fingerprint(id, time, value));
    }

    /// Whether this reading is stored.
    pub(super) fn contains(&self, id: SeriesId, time: i64, value: f64) -> bool {
        !self.0.is_empty() && self.0.contains(&fingerprint(id, time, value))
    }
}

/// Of which series, and for which times, readings may be stored already.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unsure {
    /// The series, each once.
    pub series: Vec<SeriesId>,
    /// The times, µs UTC, ascending, each once.
    pub times: Vec<i64>,
}
