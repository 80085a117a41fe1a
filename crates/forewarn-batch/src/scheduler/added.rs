//! Jobs that were added while the scheduler works, and whose past is being read.

use tokio::task::{JoinError, JoinSet};

use crate::Job;
use crate::core::JobPast;

/// The number of the update that added jobs, these, and their past.
pub(super) type Read = (u64, Vec<Job>, Vec<JobPast>);

/// Jobs whose past is being read.
#[derive(Default)]
pub(super) struct Added {
    pub(super) tasks: JoinSet<Read>,
    /// Counts the updates: what was read for an earlier one is of no use.
    pub(super) updates: u64,
    /// The jobs of the newest update, in order.
    pub(super) names: Vec<String>,
}

impl Added {
    /// The next that has been read; nothing if none is. Cancel-safe.
    pub(super) async fn join_next(&mut self) -> Option<Result<Read, JoinError>> {
        self.tasks.join_next().await
    }
}
