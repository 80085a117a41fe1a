//! What cannot be committed for now, for whoever watches the server.

use forewarn_types::Timestamp;

use crate::{Lake, LakeError};

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

impl Lake {
    /// The tables of the log's records whose rows cannot be committed for now, by name. While there is one,
    /// the log keeps its records.
    #[must_use]
    pub fn failures(&self) -> Vec<CommitFailure> {
        self.inner.failures.read().values().cloned().collect()
    }

    /// Takes note of how an attempt to commit rows of `table` ended.
    pub(crate) fn note_commit(&self, table: &str, error: Option<&LakeError>) {
        let mut failures = self.inner.failures.write();
        let Some(error) = error else {
            failures.remove(table);
            return;
        };
        let (since, attempts) = failures
            .get(table)
            .map_or_else(|| (self.inner.clock.now(), 1), |last| (last.since, last.attempts + 1));
        failures.insert(
            table.to_owned(),
            CommitFailure { table: table.to_owned(), since, attempts, problem: error.to_string() },
        );
    }
}
