//! The objects that snapshots are.

use std::fs;
use std::path::{Path, PathBuf};

use forewarn_lake::ObjectFiles;
use forewarn_types::Offset;

use super::{SavedSnapshot, Snapshot, form};
use crate::StateError;

/// Where snapshots are in the lake's store: `FOLDER/LOG/OFFSET.snap`.
const FOLDER: &str = "_forewarn/snapshots";

/// The snapshots of one log.
#[derive(Debug, Clone)]
pub struct SnapshotStore {
    pub(super) files: ObjectFiles,
    log: String,
    /// The folder in which earlier releases kept snapshots. It is read where the store has none, and goes
    /// once the store has two.
    pub(super) former: Option<PathBuf>,
}

impl SnapshotStore {
    /// The snapshots of the log `log` in the store `files`; `former` is the folder of earlier releases, if
    /// there can be one.
    #[must_use]
    pub fn new(files: ObjectFiles, log: &str, former: Option<PathBuf>) -> Self {
        Self { files, log: log.to_owned(), former }
    }

    /// What `restore` makes of the newest snapshot that can be used. One that cannot is passed over with a
    /// warning. Beside it, which one it is if it is one in the store.
    ///
    /// # Errors
    /// A store or a folder that cannot be read: whether there is a snapshot is not known then.
    pub async fn newest<T>(
        &self,
        mut restore: impl FnMut(Snapshot) -> Result<T, StateError>,
    ) -> Result<Option<(T, Option<SavedSnapshot>)>, StateError> {
        let pass_over = |path: &str, error: &StateError| {
            tracing::warn!(
                path,
                error = error.in_full(),
                "this snapshot is passed over; an older one and the log have to serve"
            );
        };
        for path in self.paths().await?.into_iter().rev() {
            let Some(bytes) = self.files.get(&path).await? else { continue };
            let read = form::decode(&bytes, &self.log)
                .and_then(|snapshot| Ok((snapshot.offset, restore(snapshot)?)));
            match read {
                Ok((offset, restored)) => return Ok(Some((restored, Some(SavedSnapshot { offset, path })))),
                Err(error) => pass_over(&path, &error),
            }
        }
        for path in former_files(self.former.as_deref())?.into_iter().rev() {
            let bytes = fs::read(&path).map_err(StateError::io("read the snapshot", &path))?;
            match form::decode_file(&bytes).and_then(&mut restore) {
                Ok(restored) => return Ok(Some((restored, None))),
                Err(error) => pass_over(&path.display().to_string(), &error),
            }
        }
        Ok(None)
    }

    /// Writes `snapshot` durably, then deletes all others but `before`, which is known to be good. If that is
    /// at the same offset the new one is a second copy of it.
    ///
    /// # Errors
    /// If it could not be written.
    pub async fn save(
        &self,
        snapshot: Snapshot,
        before: Option<&SavedSnapshot>,
    ) -> Result<SavedSnapshot, StateError> {
        let (offset, log) = (snapshot.offset, self.log.clone());
        let bytes = tokio::task::spawn_blocking(move || form::encode(&snapshot, &log)).await??;
        self.put(offset, bytes, before).await
    }

    /// Makes a second copy of `good`, and deletes all others: for want of a state that could be saved.
    ///
    /// # Errors
    /// If `good` cannot be read, is not whole any more, or the copy could not be written.
    pub async fn save_again(&self, good: &SavedSnapshot) -> Result<SavedSnapshot, StateError> {
        let SavedSnapshot { offset, path } = good;
        let found = self.files.get(path).await?;
        let bytes = found.ok_or_else(|| StateError::Snapshot(format!("{path} is gone")))?;
        form::check(&bytes).map_err(|error| StateError::Snapshot(format!("{path} is damaged: {error}")))?;
        self.put(*offset, bytes.to_vec(), Some(good)).await
    }

    /// Puts the snapshot at `offset` where it does not overwrite `before`, and leaves no others beside these
    /// two.
    async fn put(
        &self,
        offset: Offset,
        bytes: Vec<u8>,
        before: Option<&SavedSnapshot>,
    ) -> Result<SavedSnapshot, StateError> {
        let before = before.map(|before| before.path.as_str());
        let first = self.path(offset);
        let path = if before == Some(first.as_str()) { self.second_path(offset) } else { first };
        self.files.put(&path, bytes.into(), false).await?;
        if let Err(error) = self.tidy(&path, before).await {
            let error = error.in_full();
            tracing::warn!(error, "old snapshots could not be deleted; the next one tries again");
        }
        Ok(SavedSnapshot { offset, path })
    }

    async fn tidy(&self, newest: &str, before: Option<&str>) -> Result<(), StateError> {
        for old in self.paths().await?.iter().filter(|old| *old != newest && Some(old.as_str()) != before) {
            self.files.delete(old).await?;
        }
        if let Some(former) = self.former.as_deref().filter(|former| before.is_some() && former.exists()) {
            fs::remove_dir_all(former).map_err(StateError::io("delete", former))?;
        }
        Ok(())
    }

    /// Where the snapshots are, for messages.
    pub fn place(&self) -> String {
        format!("{} of the lake", self.folder())
    }

    /// The path in the store of the snapshot at `offset`.
    pub(super) fn path(&self, offset: Offset) -> String {
        format!("{}/{:020}.snap", self.folder(), offset.0)
    }

    /// The path of the other one, where two copies are kept. By name it comes before the first.
    pub(super) fn second_path(&self, offset: Offset) -> String {
        format!("{}/{:020}-2.snap", self.folder(), offset.0)
    }

    fn folder(&self) -> String {
        format!("{FOLDER}/{}", self.log)
    }

    pub(super) async fn paths(&self) -> Result<Vec<String>, StateError> {
        let files = self.files.list(&self.folder()).await?;
        Ok(files
            .into_iter()
            .map(|file| file.path)
            .filter(|path| path.rsplit('.').next() == Some("snap"))
            .collect())
    }
}

/// The files of earlier releases, in order.
fn former_files(dir: Option<&Path>) -> Result<Vec<PathBuf>, StateError> {
    let Some(dir) = dir.filter(|dir| dir.exists()) else { return Ok(Vec::new()) };
    let failed = || StateError::io("read the folder", dir);
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed())? {
        let path = entry.map_err(failed())?.path();
        if path.extension().is_some_and(|extension| extension == "snap") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
