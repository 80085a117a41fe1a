//! Snapshots of folded state: what a restart begins with instead of the whole log.
//!
//! A snapshot at offset `o` holds the fold of every record before `o`, one part for each fold. Snapshots are
//! objects in the lake's store, so that the machine's own disk holds nothing but the log, and each stands in
//! the folder of its log: a snapshot of another log means nothing to this one. Two are kept, and the log is
//! trimmed up to the *older* one only: where the newer cannot be used, the older one and the log behind it
//! give the same state. A log that has been trimmed cannot do without any of them. Where nothing can happen
//! behind the newest, as the log is full, a second copy of it takes the place of the older one. Then two
//! objects have the same offset and one may be damaged, so what is known to be good is known by its path.
//!
//! There is no second copy on the disk. The server does not start without the lake's store, so a copy would
//! only spare a start the reading of one object; and while the store is away nothing may be trimmed, with or
//! without a copy, as the store has none of the records either.

mod form;
mod keeper;
mod store;
#[cfg(test)]
mod tests;

use forewarn_types::Offset;
use serde::Serialize;

use crate::Parts;

pub use keeper::{Kept, SnapshotKeeper};
pub use store::SnapshotStore;

/// Everything that is folded from the log, as of one offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Every record before this one is folded in.
    pub offset: Offset,
    /// The state of each fold.
    pub parts: Parts,
}

/// A snapshot in the lake's store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SavedSnapshot {
    /// Every record before this one is folded in.
    pub offset: Offset,
    /// Where it is, below the lake's URL.
    pub path: String,
}
