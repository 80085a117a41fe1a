//! What cannot be committed for now, for those who watch the server.

use std::collections::BTreeMap;

use forewarn_types::Timestamp;
use parking_lot::RwLock;

use crate::error::LakeError;

/// Why rows of a table cannot be committed for now. They are in the log and in the tail meanwhile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitFailure {
    /// The table.
    pub table: String,
    /// When the first of the attempts failed that have failed without a success between, by the injected
    /// clock.
    pub since: Timestamp,
    /// How many attempts that were.
    pub attempts: u64,
    /// What went wrong with the last one.
    pub problem: String,
}

/// The tables whose last commit failed.
#[derive(Default)]
pub(crate) struct Failures(RwLock<BTreeMap<String, CommitFailure>>);

impl Failures {
    /// All of them, by name.
    pub(crate) fn all(&self) -> Vec<CommitFailure> {
        self.0.read().values().cloned().collect()
    }

    /// Takes note of how an attempt at `now` to commit rows of `table` ended.
    pub(super) fn note(&self, table: &str, error: Option<&LakeError>, now: Timestamp) {
        let mut failures = self.0.write();
        let Some(error) = error else {
            failures.remove(table);
            return;
        };
        let (since, attempts) = failures.get(table).map_or((now, 1), |last| (last.since, last.attempts + 1));
        failures.insert(
            table.to_owned(),
            CommitFailure { table: table.to_owned(), since, attempts, problem: error.to_string() },
        );
    }
}
