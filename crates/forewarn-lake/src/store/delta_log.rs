//! The entries of a table's Delta log, as they lie in the store.

use super::files::{ObjectFiles, StoredFile};
use super::layout::{DELTA_LOG, version_of};
use crate::error::LakeError;

/// One entry: a commit, a checkpoint, or a checksum.
#[derive(Debug, Clone)]
pub(crate) struct LogEntry {
    /// The version of the table it belongs to.
    pub(crate) version: u64,
    pub(crate) file: StoredFile,
}

impl LogEntry {
    /// Whether it is a checkpoint with content. One that a power cut left without content covers nothing.
    pub(crate) fn is_checkpoint(&self) -> bool {
        self.file.path.ends_with(".checkpoint.parquet") && self.file.size_bytes > 0
    }
}

/// The version from which on `entries` are needed to read version `version`: that of the newest checkpoint.
pub(crate) fn first_needed(entries: &[LogEntry], version: u64) -> u64 {
    let checkpoints = entries.iter().filter(|entry| entry.is_checkpoint() && entry.version <= version);
    checkpoints.map(|entry| entry.version).max().unwrap_or(0)
}

impl ObjectFiles {
    /// The entries of the Delta log of `table`, in the order of their names, which is that of their versions.
    ///
    /// # Errors
    /// [`LakeError::Store`] if the store fails.
    pub(crate) async fn log_entries(&self, table: &str) -> Result<Vec<LogEntry>, LakeError> {
        let files = self.list(&format!("{table}/{DELTA_LOG}")).await?;
        let entry = |file: StoredFile| Some(LogEntry { version: version_of(&file.path)?, file });
        Ok(files.into_iter().filter_map(entry).collect())
    }
}
