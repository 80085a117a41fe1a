//! How far the tail has come: who reads waits for what the log held when it was asked.

use forewarn_types::Offset;
use parking_lot::RwLock;
use tokio::sync::watch;

use crate::error::LakeError;

/// How far the tail is, and why it goes no further if it does not.
#[derive(Debug, Clone, Default)]
struct State {
    applied: Offset,
    stopped: Option<String>,
    /// The tail is full and cannot be committed.
    behind: Option<String>,
}

/// How far the tail is, and how far the log.
pub(crate) struct Progress {
    state: watch::Sender<State>,
    log_end: RwLock<Option<watch::Receiver<Offset>>>,
}

impl Progress {
    /// The tail holds everything before `applied`; there is no log yet.
    pub(crate) fn at(applied: Offset) -> Self {
        let state = watch::Sender::new(State { applied, ..State::default() });
        Self { state, log_end: RwLock::new(None) }
    }

    /// From here on readers wait for what the log holds, of which `end` tells the end.
    pub(crate) fn follow(&self, end: watch::Receiver<Offset>) {
        *self.log_end.write() = Some(end);
    }

    /// Where the log ends now, if there is one.
    pub(crate) fn log_end(&self) -> Option<Offset> {
        self.log_end.read().as_ref().map(|end| *end.borrow())
    }

    /// The tail holds everything before this offset.
    pub(crate) fn applied(&self) -> Offset {
        self.state.borrow().applied
    }

    /// The tail holds everything before `applied` now.
    pub(crate) fn advance(&self, applied: Offset) {
        self.state.send_modify(|state| state.applied = applied);
    }

    /// The tail goes no further.
    pub(crate) fn stop(&self, reason: String) {
        self.state.send_modify(|state| state.stopped = Some(reason));
    }

    /// The tail can take in nothing for now, or again.
    pub(crate) fn set_behind(&self, reason: Option<String>) {
        self.state.send_if_modified(|state| {
            let changed = state.behind != reason;
            state.behind = reason;
            changed
        });
    }

    /// Waits until readers see every record before `offset`.
    ///
    /// # Errors
    /// [`LakeError::Stopped`] if the branch has ended before, [`LakeError::Behind`] if it can take in nothing
    /// more for now.
    pub(crate) async fn wait_applied(&self, offset: Offset) -> Result<(), LakeError> {
        let mut state = self.state.subscribe();
        let settled =
            |state: &State| state.applied >= offset || state.stopped.is_some() || state.behind.is_some();
        let reached =
            state.wait_for(settled).await.map_err(|_| LakeError::Stopped("it has been closed".into()))?;
        match (&reached.stopped, &reached.behind) {
            _ if reached.applied >= offset => Ok(()),
            (Some(reason), _) => Err(LakeError::Stopped(reason.clone())),
            (None, reason) => Err(LakeError::Behind(reason.clone().unwrap_or_default())),
        }
    }

    /// Waits until readers see what the log held when this was called.
    pub(crate) async fn wait_current(&self) -> Result<(), LakeError> {
        match self.log_end() {
            Some(end) => self.wait_applied(end).await,
            None => Ok(()),
        }
    }
}
