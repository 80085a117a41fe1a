//! The read model, shared: one writer folds the log, many handlers read, and a handler that must see what was
//! just written can wait for it.

use std::sync::Arc;
use std::time::Duration;

use forewarn_types::{Offset, Record};
use parking_lot::{RwLock, RwLockReadGuard};
use tokio::sync::{broadcast, watch};

use super::State;

/// Alert transitions that a slow listener may lag behind by before it has to read them from the log.
const FEED: usize = 4_096;

/// A handle on the read model; cheap to clone.
#[derive(Clone)]
pub struct SharedState {
    inner: Arc<Inner>,
}

struct Inner {
    state: RwLock<State>,
    applied: watch::Sender<Offset>,
    alerts: broadcast::Sender<(Offset, Arc<Record>)>,
}

impl SharedState {
    /// Shares `state`.
    #[must_use]
    pub fn new(state: State) -> Self {
        let applied = watch::Sender::new(state.applied());
        Self {
            inner: Arc::new(Inner {
                state: RwLock::new(state),
                applied,
                alerts: broadcast::Sender::new(FEED),
            }),
        }
    }

    /// Folds in `records`, which follow on those before. To be called by one task, once the alert transitions
    /// that `records` cause are durable in the log: then whoever has waited for an offset and after that for
    /// the log's end has seen its consequences.
    pub fn apply(&self, records: &[(Offset, Arc<Record>)]) {
        let applied = {
            let mut state = self.inner.state.write();
            for (offset, record) in records {
                state.apply(*offset, record);
            }
            state.applied()
        };
        // First the mark, then the feed: who subscribes in between finds the record at or before the mark.
        self.inner.applied.send_replace(applied);
        for (offset, record) in records {
            if matches!(**record, Record::Alert(_)) {
                // An error only says that nobody listens.
                let _ = self.inner.alerts.send((*offset, Arc::clone(record)));
            }
        }
    }

    /// The state, to read from. To be held briefly, and never over an await.
    pub fn read(&self) -> RwLockReadGuard<'_, State> {
        self.inner.state.read()
    }

    /// What has been folded in: one past the newest record.
    #[must_use]
    pub fn applied(&self) -> Offset {
        *self.inner.applied.borrow()
    }

    /// Follows [`SharedState::applied`].
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Offset> {
        self.inner.applied.subscribe()
    }

    /// Waits until everything before `offset` has been folded in, but no longer than `at_most`. Says whether
    /// it has.
    pub async fn wait(&self, offset: Offset, at_most: Duration) -> bool {
        let mut applied = self.watch();
        let reached = tokio::time::timeout(at_most, applied.wait_for(|applied| *applied >= offset)).await;
        matches!(reached, Ok(Ok(_)))
    }

    /// Puts `state` in the place of what was folded so far.
    pub(crate) fn replace(&self, state: State) {
        let applied = state.applied();
        *self.inner.state.write() = state;
        self.inner.applied.send_replace(applied);
    }

    /// Alert transitions as they are folded in.
    #[must_use]
    pub fn alert_feed(&self) -> broadcast::Receiver<(Offset, Arc<Record>)> {
        self.inner.alerts.subscribe()
    }
}
