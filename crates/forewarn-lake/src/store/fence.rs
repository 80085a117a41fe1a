//! What a process knows of the epoch that it holds: see [`epoch`](super::epoch).

use std::sync::OnceLock;

use tokio::sync::watch;

/// The epoch this process holds, and whether there is a newer one. Shared by all clones of [`ObjectFiles`].
#[derive(Debug)]
pub(super) struct Fence {
    pub(super) held: OnceLock<u64>,
    /// Why nothing may be written any more, once that is so.
    pub(super) lost: watch::Sender<Option<String>>,
}

impl Default for Fence {
    fn default() -> Self {
        Self { held: OnceLock::new(), lost: watch::channel(None).0 }
    }
}
