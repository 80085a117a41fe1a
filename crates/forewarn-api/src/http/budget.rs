//! Memory that many requests share: each takes as much as it really uses, and gives it back when it is done.
//!
//! A share grows while a body comes in, so that a sender who announces much and sends little holds little.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::problem::Problem;

/// What is counted in one.
const UNIT_BYTES: usize = 16 << 10;
/// Who finds no room waits for this long.
const WAIT: Duration = Duration::from_secs(5);

/// The memory that is there.
#[derive(Debug, Clone)]
pub(crate) struct Budget {
    units: Arc<Semaphore>,
    wait: Duration,
}

/// What one request has of it, until this is dropped.
#[derive(Debug, Default)]
pub(crate) struct Share {
    units: Option<OwnedSemaphorePermit>,
}

impl Budget {
    /// A budget of so many bytes, of which one request may take `most`.
    pub(crate) fn new(bytes: u64, most: usize) -> Self {
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX).max(most.saturating_mul(2));
        let units = bytes.div_ceil(UNIT_BYTES).min(Semaphore::MAX_PERMITS);
        Self { units: Arc::new(Semaphore::new(units)), wait: WAIT }
    }

    /// Makes `share` one of at least so many `bytes`, and waits for a while if others hold them.
    pub(crate) async fn grow(&self, share: &mut Share, bytes: usize) -> Result<(), Problem> {
        let lacking = share.lacking(bytes);
        if lacking == 0 {
            return Ok(());
        }
        let units = Arc::clone(&self.units).acquire_many_owned(lacking);
        match tokio::time::timeout(self.wait, units).await {
            Ok(Ok(units)) => {
                share.add(units);
                Ok(())
            }
            Ok(Err(_)) | Err(_) => {
                Err(Problem::unavailable("the server has no memory left for this request, as others take it")
                    .hint("nothing was stored; send it again later, or raise connections.buffer_bytes"))
            }
        }
    }

    /// The same without waiting. `false`: there is no room.
    pub(crate) fn try_grow(&self, share: &mut Share, bytes: usize) -> bool {
        match Arc::clone(&self.units).try_acquire_many_owned(share.lacking(bytes)) {
            Ok(units) => {
                share.add(units);
                true
            }
            Err(_) => false,
        }
    }

    #[cfg(test)]
    pub(crate) fn free_bytes(&self) -> usize {
        self.units.available_permits() * UNIT_BYTES
    }
}

impl Share {
    /// How many units are lacking for so many `bytes`.
    fn lacking(&self, bytes: usize) -> u32 {
        let held = self.units.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        u32::try_from(bytes.div_ceil(UNIT_BYTES).saturating_sub(held)).unwrap_or(u32::MAX)
    }

    fn add(&mut self, units: OwnedSemaphorePermit) {
        match &mut self.units {
            Some(held) => held.merge(units),
            none => *none = Some(units),
        }
    }

    /// Gives back what is not needed for so many `bytes`.
    pub(crate) fn shrink(&mut self, bytes: usize) {
        let needed = bytes.div_ceil(UNIT_BYTES);
        if let Some(units) = &mut self.units {
            drop(units.split(units.num_permits().saturating_sub(needed)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIB: usize = 1 << 10;

    #[tokio::test]
    async fn who_finds_no_room_waits_and_is_then_sent_away() {
        let budget = Budget { wait: Duration::ZERO, ..Budget::new(64 * KIB as u64, 32 * KIB) };
        let (mut one, mut two) = (Share::default(), Share::default());
        budget.grow(&mut one, 40 * KIB).await.unwrap();
        budget.grow(&mut one, 10 * KIB).await.unwrap();
        assert_eq!(budget.free_bytes(), 16 * KIB, "a share is as large as the most it has needed");
        assert!(!budget.try_grow(&mut two, 17 * KIB));
        let refused = budget.grow(&mut two, 17 * KIB).await.unwrap_err();
        assert_eq!((refused.status().as_u16(), refused.retry_after_s().is_some()), (503, true));
        one.shrink(1);
        assert_eq!(budget.free_bytes(), 48 * KIB);
        budget.grow(&mut two, 17 * KIB).await.unwrap();
        drop((one, two));
        assert_eq!(budget.free_bytes(), 64 * KIB);
    }
}
