//! Commits that outlast a power cut.
//!
//! A commit that is found may have been written by a program that was killed before it could force it to
//! disk; only the system's memory holds it then. The log is trimmed because of what the table's commits say,
//! so each of them is forced to disk before anything it says is passed on. Its data files were before it was
//! written.

use object_store::path::Path;

use super::DeltaTable;
use crate::error::LakeError;
use crate::store::{self, first_needed};
use crate::table::location::{checkpoint_location, commit_location};

impl DeltaTable {
    /// Forces the commits up to the present snapshot to disk, as far as it is not known that they are there.
    /// Does nothing on a store that is durable when it answers.
    pub(super) fn keep_commits(&mut self) -> Result<(), LakeError> {
        let version = self.snapshot.version();
        if !self.store.is_local() || self.durable.is_some_and(|durable| durable >= version) {
            return Ok(());
        }
        let entries = match self.durable {
            Some(before) if before + 1 == version => {
                vec![commit_location(&self.schema.name, &self.store, version)?]
            }
            _ => self.entries_behind(self.durable, version)?,
        };
        // A second fsync after one that failed may succeed without the content being there, as the system
        // takes its pages for written. It may have failed in a former life of this program.
        if std::mem::replace(&mut self.sync_failed, true) {
            self.store.rewrite_durably(&entries)?;
        } else {
            self.store.make_durable(&entries)?;
        }
        self.sync_failed = false;
        self.durable = Some(version);
        Ok(())
    }

    /// The entries of the Delta log that make the table up to `version`: those behind `after`, or else from
    /// the newest checkpoint on.
    fn entries_behind(&self, after: Option<u64>, version: u64) -> Result<Vec<Path>, LakeError> {
        let entries = store::runtime()?.block_on(self.store.log_entries(&self.schema.name))?;
        let first = after.map_or_else(|| first_needed(&entries, version), |after| after + 1);
        let needed = entries.iter().filter(|entry| (first..=version).contains(&entry.version));
        Ok(needed.map(|entry| self.store.location(&entry.file.path)).collect())
    }

    /// Commits that it covers may be deleted one day.
    pub(super) fn make_checkpoint_durable(&self) -> Result<(), LakeError> {
        let place = checkpoint_location(&self.schema.name, &self.store, self.snapshot.version())?;
        // A table of many files may get another form of checkpoint.
        if self.store.exists_blocking(&place)? { self.store.make_durable(&[place]) } else { Ok(()) }
    }
}
