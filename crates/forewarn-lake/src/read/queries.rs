//! How many queries run at the same time, and what they may take together.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::watch::Watch;

/// Queries that run at the same time; more wait. Each may use every core.
pub(crate) const MAX_QUERIES: usize = 4;
/// The same for those of the server itself: its jobs and models.
const MAX_INTERNAL_QUERIES: usize = 2;

/// What all queries share.
pub(crate) struct Queries {
    pub(crate) users: Arc<Semaphore>,
    pub(crate) internal: Arc<Semaphore>,
    /// Ends queries that have been given up, or that take too much memory.
    pub(crate) watch: Arc<Watch>,
}

impl Queries {
    /// Queries that may take `memory_bytes` together.
    pub(crate) fn new(memory_bytes: u64) -> Self {
        Self {
            users: Arc::new(Semaphore::new(MAX_QUERIES)),
            internal: Arc::new(Semaphore::new(MAX_INTERNAL_QUERIES)),
            watch: Watch::new(memory_bytes),
        }
    }
}
