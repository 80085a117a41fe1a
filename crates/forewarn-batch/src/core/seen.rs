//! What a job's runs have seen of the readings, and what is asked of those that have come since.

use std::collections::BTreeMap;

use forewarn_types::{Offset, Timestamp};

/// What starts a run over an interval that readings have come to since it was computed.
pub(crate) const RECOMPUTE: &str = "recompute";

/// A minute, µs: intervals of cron schedules begin and end at whole ones.
pub(crate) const MINUTE_US: i64 = 60_000_000;

/// What is asked of the readings: which have come to `[from, to)` and stand in the log at `since` or behind
/// it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Look {
    pub(crate) job: String,
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
    pub(crate) since: Offset,
    /// Every reading before this one is in the answer.
    pub(crate) until: Offset,
}

/// Minutes that readings have come to, each with the place in the log of the newest of them.
pub(crate) type Arrived = BTreeMap<Timestamp, Offset>;

/// What a job knows of the readings that its runs have seen.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// For each interval that is computed, up to where its run has seen the log.
    pub(super) computed: BTreeMap<(Timestamp, Timestamp), Offset>,
    /// What stands before is in the runs, or a run is in line for it.
    pub(super) looked_to: Offset,
    /// Where the `running` record of the run at work stands.
    pub(super) running: Option<Offset>,
    /// Whether to look when the job has nothing else to do.
    pub(super) wanted: bool,
    pub(super) looking: bool,
}

impl Seen {
    /// An interval has been computed by a run whose `running` record stands at `offset`. What was computed of
    /// parts of it has been replaced.
    pub(super) fn computed(&mut self, from: Timestamp, to: Timestamp, offset: Offset) {
        self.computed.retain(|(start, end), _| *end <= from || *start >= to);
        self.computed.insert((from, to), offset);
    }
}
