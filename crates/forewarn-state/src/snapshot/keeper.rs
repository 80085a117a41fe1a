//! Which snapshots there are, which one is worth saving, and what the log learns of them.
//!
//! Once a snapshot is saved the log hears that it is needed from the snapshot *before* on, which is the one
//! to start from should the newest turn out to be damaged.
//!
//! In a log that has no room left nothing happens any more, so there would be no snapshot behind the newest,
//! and what lies between the two would never be trimmed. For that case the newest is saved a second time:
//! there are two again, and the log is needed from there on only. Where an alert waits for room and no state
//! is at hand, the second one is a copy of the first.

use std::sync::Arc;

use forewarn_log::Log;
use forewarn_types::{BoxFuture, Offset};

use super::{SavedSnapshot, Snapshot, SnapshotStore};
use crate::{PartsToCome, StateError};

/// Saves snapshots of one log.
pub struct SnapshotKeeper {
    log: Arc<dyn Log>,
    /// The log's name for what snapshots rest on.
    consumer: &'static str,
    store: SnapshotStore,
    /// The newest snapshot that is known to be good.
    saved: Option<SavedSnapshot>,
    /// The log has learnt that nothing before this is needed.
    needed: Option<Offset>,
}

/// A snapshot that has been saved.
#[derive(Debug)]
pub struct Kept {
    /// Which one.
    pub saved: SavedSnapshot,
    /// From where on the log now knows that it is needed.
    needed: Option<Offset>,
}

impl SnapshotKeeper {
    /// Saves snapshots of `log` in `store`. `saved` is the one that the start rested on.
    #[must_use]
    pub const fn new(
        log: Arc<dyn Log>,
        consumer: &'static str,
        store: SnapshotStore,
        saved: Option<SavedSnapshot>,
    ) -> Self {
        Self { log, consumer, store, saved, needed: None }
    }

    /// The newest snapshot that is known to be good.
    #[must_use]
    pub const fn newest(&self) -> Option<&SavedSnapshot> {
        self.saved.as_ref()
    }

    /// Whether the state at `offset` is worth saving: something has happened since the newest snapshot, or
    /// the log, which `is_pressed` for room, keeps for the one before what the newest does not need.
    #[must_use]
    pub fn wants(&self, offset: Offset, is_pressed: bool) -> bool {
        let Some(saved) = &self.saved else { return true };
        let is_second = is_pressed && self.needed < Some(saved.offset);
        offset > saved.offset || (offset == saved.offset && is_second)
    }

    /// Saves `snapshot` once the rest of it has come, so that it never holds what a crash could take back.
    /// [`SnapshotKeeper::note`] follows, and until then no other call.
    pub fn save(
        &self,
        mut snapshot: Snapshot,
        to_come: PartsToCome,
    ) -> BoxFuture<'static, Result<Kept, StateError>> {
        let (store, log, consumer) = (self.store.clone(), Arc::clone(&self.log), self.consumer);
        let before = self.saved.clone();
        Box::pin(async move {
            for (name, bytes) in to_come {
                snapshot.parts.insert(name, bytes.await?);
            }
            let saved = store.save(snapshot, before.as_ref()).await?;
            let needed = checkpoint(log, consumer, before.map(|before| before.offset)).await?;
            Ok(Kept { saved, needed })
        })
    }

    /// Saves the newest snapshot a second time, where that lets the log have room. Otherwise as
    /// [`SnapshotKeeper::save`].
    pub fn save_again(&self) -> Option<BoxFuture<'static, Result<Kept, StateError>>> {
        let good = self.saved.clone().filter(|saved| self.needed < Some(saved.offset))?;
        let (store, log, consumer) = (self.store.clone(), Arc::clone(&self.log), self.consumer);
        Some(Box::pin(async move {
            let saved = store.save_again(&good).await?;
            let needed = checkpoint(log, consumer, Some(good.offset)).await?;
            Ok(Kept { saved, needed })
        }))
    }

    /// Notes what has been saved.
    pub fn note(&mut self, kept: Kept) {
        self.needed = kept.needed.or(self.needed);
        self.saved = Some(kept.saved);
    }
}

/// Lets the log know from where on it is needed. That comes back, unless the log could not note it.
async fn checkpoint(
    log: Arc<dyn Log>,
    consumer: &'static str,
    needed: Option<Offset>,
) -> Result<Option<Offset>, StateError> {
    let Some(needed) = needed else { return Ok(None) };
    let noted = tokio::task::spawn_blocking(move || log.checkpoint(consumer, needed)).await?;
    if let Err(error) = &noted {
        tracing::error!(
            %error,
            "the older snapshot's offset could not be noted in the log, which grows until it can"
        );
    }
    Ok(noted.ok().map(|()| needed))
}
