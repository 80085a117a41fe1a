//! Room for the bytes that are on their way to the store, or from it.

use tokio::sync::{Semaphore, SemaphorePermit};

/// Stores want parts of one size, of at least 5 MiB, and at most 10,000 of them.
pub(super) const PART_BYTES: usize = 8 << 20;
/// All bytes that are on the way at a time, in either direction: a line of 9 Mbit/s carries them in 30 s.
const UNDER_WAY_BYTES: usize = 4 * PART_BYTES;
/// What is counted as one.
const UNIT_BYTES: usize = 1 << 16;
/// Permits for them.
const UNDER_WAY: usize = UNDER_WAY_BYTES / UNIT_BYTES;

/// The bytes that may be on the way at a time.
#[derive(Debug)]
pub(super) struct Room(Semaphore);

impl Default for Room {
    fn default() -> Self {
        Self(Semaphore::new(UNDER_WAY))
    }
}

impl Room {
    /// Waits until so many bytes more may be on the way.
    pub(super) async fn take(&self, bytes: usize) -> Option<SemaphorePermit<'_>> {
        let units = u32::try_from(bytes.div_ceil(UNIT_BYTES).min(UNDER_WAY)).unwrap_or(u32::MAX);
        // It is never closed.
        self.0.acquire_many(units).await.ok()
    }

    /// Whether nothing is on the way.
    #[cfg(test)]
    pub(super) fn is_free(&self) -> bool {
        self.0.available_permits() == UNDER_WAY
    }
}
