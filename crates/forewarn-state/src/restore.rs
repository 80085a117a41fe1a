//! The start: the newest snapshot that can be used, and what the log holds behind it.

use std::sync::Arc;

use forewarn_log::Log;
use forewarn_types::Offset;

use crate::{Folds, SavedSnapshot, SnapshotStore, StateError};

const READ_RECORDS: usize = 4_096;
const READ_BYTES: usize = 16 << 20;

/// What the folds have been restored from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// The snapshot in the store that this rests on, if it rests on one there.
    pub snapshot: Option<SavedSnapshot>,
    /// The first record that is not folded in yet.
    pub from: Offset,
    /// Records behind the snapshot.
    pub replayed: u64,
}

/// Restores `folds` from the newest snapshot that can be used, and lets them see what `log` holds behind it.
///
/// # Errors
/// If the store or the log cannot be read, or the log does not reach back to what can be restored.
pub async fn restore(
    store: &SnapshotStore,
    log: &Arc<dyn Log>,
    folds: &mut Folds,
) -> Result<Restored, StateError> {
    let start = log.start();
    let newest = store.newest(|snapshot| {
        if snapshot.offset < start {
            let problem = format!("the log behind it has been trimmed up to offset {start}");
            return Err(StateError::Snapshot(problem));
        }
        folds.restore(&snapshot.parts)?;
        Ok(snapshot.offset)
    });
    let (from, snapshot) = match newest.await? {
        Some(found) => found,
        None if start > Offset(0) => return Err(StateError::NoSnapshot { place: store.place(), start }),
        None => {
            // One that could not be used may have been restored in part.
            folds.reset();
            (start, None)
        }
    };
    let mut next = from;
    while next < log.end() {
        let records = log.read(next, READ_RECORDS, READ_BYTES)?;
        folds.preview(&records)?;
        if let Some((last, _)) = records.last() {
            next = last.next();
        }
    }
    Ok(Restored { snapshot, from, replayed: next.0 - from.0 })
}
