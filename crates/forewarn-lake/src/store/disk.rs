//! A disk that tests watch and let fail.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

/// What has been forced to disk, and what shall fail.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    /// Whatever would outlast a power cut.
    pub(crate) synced: Mutex<BTreeSet<PathBuf>>,
    /// Every fsync of a file below `_delta_log` fails.
    pub(crate) fails: AtomicBool,
}

impl Disk {
    pub(super) fn sync(&self, path: &Path) -> std::io::Result<()> {
        let of_log = path.parent().is_some_and(|folder| folder.ends_with("_delta_log"));
        if of_log && self.fails.load(Ordering::Relaxed) {
            return Err(std::io::Error::other("the disk is sick"));
        }
        self.synced.lock().insert(path.to_path_buf());
        Ok(())
    }
}
