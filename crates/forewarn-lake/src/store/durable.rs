//! Making local files outlast a power cut.
//!
//! `object_store` never calls fsync: what it has written is in the system's memory at first, where it
//! outlives the program but no power cut. So whatever the log is trimmed for is forced to disk before, and
//! what an earlier life of the program has left is not believed to have been. Other stores are durable when
//! they answer.

use std::collections::BTreeSet;
use std::path::{Path as FsPath, PathBuf};

use object_store::path::Path;

use super::files::{CONCURRENT_WRITES, ObjectFiles};
use super::layout::local_path;
use crate::error::LakeError;

/// Fewer files than this are not worth a thread.
const FEWEST_SYNCS: usize = 8;

impl ObjectFiles {
    /// Forces local files and the folders that name them to disk. Blocks.
    pub(crate) fn make_durable(&self, locations: &[Path]) -> Result<(), LakeError> {
        if !self.local {
            return Ok(());
        }
        let root = local_path(&self.prefix);
        let mut paths = BTreeSet::new();
        for location in locations {
            // The file, and the folders that name it.
            paths.extend(
                local_path(location)
                    .ancestors()
                    .take_while(|path| path.starts_with(&root))
                    .map(FsPath::to_path_buf),
            );
        }
        // Disks take many at a time better than one after the other.
        let paths: Vec<PathBuf> = paths.into_iter().collect();
        let share = paths.len().div_ceil(CONCURRENT_WRITES).max(FEWEST_SYNCS);
        if paths.len() <= share {
            return paths.iter().try_for_each(|path| self.sync(path));
        }
        std::thread::scope(|scope| {
            let threads: Vec<_> = paths
                .chunks(share)
                .map(|paths| scope.spawn(move || paths.iter().try_for_each(|path| self.sync(path))))
                .collect();
            threads.into_iter().try_for_each(|thread| {
                thread.join().unwrap_or_else(|_| Err(LakeError::store("syncing", "a thread broke off")))
            })
        })
    }

    /// Writes local files again, as they are, and forces them to disk: an fsync of them may have failed,
    /// after which the system takes their pages for written. Blocks.
    pub(crate) fn rewrite_durably(&self, locations: &[Path]) -> Result<(), LakeError> {
        if !self.local {
            return Ok(());
        }
        self.rewrite_blocking(locations)?;
        self.make_durable(locations)
    }

    #[cfg_attr(not(test), expect(clippy::unused_self, reason = "tests watch the disk"))]
    fn sync(&self, path: &FsPath) -> Result<(), LakeError> {
        let failed = |error| LakeError::store(format!("syncing {}", path.display()), error);
        #[cfg(test)]
        self.disk.sync(path).map_err(failed)?;
        std::fs::File::open(path).and_then(|file| file.sync_all()).map_err(failed)
    }
}
