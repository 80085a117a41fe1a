//! Retention and vacuum: what is too old leaves the tables, and files that no table needs any more leave the
//! store.
//!
//! A file that a commit has taken out of a table is still there: queries that began before may read it, and
//! so may readers of an older version. The same is true of a file that is about to be committed. So the
//! vacuum deletes no file at first sight. It notes, in an object of its own, since when each file has been
//! seen without belonging to the table, and deletes those of which that is longer ago than the safety period.
//! It needs neither the clock of the store nor the tombstones of the Delta log for this, and a crash or a
//! lost note only puts deletions off.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use forewarn_types::Timestamp;
use object_store::path::Path;

use crate::parquet::Bounds;
use crate::table::{Change, DataFile, Uploaded};
use crate::{Lake, LakeError};

/// Where the vacuum notes what it has seen of a table.
const NOTES: &str = "_forewarn/vacuum";
pub(crate) const DELTA_LOG: &str = "_delta_log";

/// What [`Lake::retain`] removed from a table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retained {
    /// Files taken out.
    pub files: usize,
    /// Their rows, as far as the table says how many there were.
    pub rows: u64,
}

/// What [`Lake::vacuum`] deleted of a table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Vacuumed {
    /// Data files deleted.
    pub files: usize,
    /// Entries of the Delta log deleted: commits that a checkpoint covers, and older checkpoints.
    pub log_entries: usize,
    /// Bytes of both.
    pub bytes: u64,
}

impl Lake {
    /// Takes the files of `table` out of which every row is older than `before` by its column `time`. Rows go
    /// by whole files, so a file that also holds younger rows stays.
    ///
    /// # Errors
    /// [`LakeError::Query`] if there is no such table or it has no column `time`, [`LakeError::Table`] if the
    /// commit fails.
    pub async fn retain(&self, table: &str, before: Timestamp) -> Result<Retained, LakeError> {
        let _alone = self.inner.maintaining.lock().await;
        let view = self.inner.view.read().tables.get(table).cloned();
        let view = view.ok_or_else(|| LakeError::Query(format!("there is no table {table}")))?;
        if view.schema.column("time").is_none() {
            return Err(LakeError::Query(format!(
                "the rows of table {table} have no time, so none of them is too old"
            )));
        }
        let old: Vec<Arc<DataFile>> =
            view.files.iter().filter(|file| ends_before(file, before)).cloned().collect();
        let Some(writer) = self.existing_writer(table).filter(|_| !old.is_empty()) else {
            return Ok(Retained::default());
        };
        let lake = self.clone();
        let remove = move || {
            let mut table = writer.lock();
            let done = table.replace(&old, &Uploaded::none(), Change::Deleted, lake.inner.clock.now())?;
            lake.show_files(&mut table)?;
            let rows = old.iter().filter_map(|file| file.rows).sum();
            Ok(if done { Retained { files: old.len(), rows } } else { Retained::default() })
        };
        tokio::task::spawn_blocking(remove).await.map_err(|error| LakeError::cut_off(&error))?
    }

    /// Deletes the data files that have not belonged to `table` for `safety_us`, and the entries of its Delta
    /// log that the newest checkpoint older than `log_retention_us` covers.
    ///
    /// # Errors
    /// [`LakeError::Query`] if there is no such table, [`LakeError::Store`] if the store fails. What is
    /// deleted by then was not needed.
    pub async fn vacuum(
        &self,
        table: &str,
        safety_us: i64,
        log_retention_us: i64,
    ) -> Result<Vacuumed, LakeError> {
        let _alone = self.inner.maintaining.lock().await;
        let writer = self
            .existing_writer(table)
            .ok_or_else(|| LakeError::Query(format!("there is no table {table}")))?;
        // What another program has committed must not look like a left-over, and what it took out must not be
        // read any more.
        let lake = self.clone();
        let current = move || {
            let mut table = writer.lock();
            table.refresh()?;
            lake.show_files(&mut table)?;
            Ok(table.files())
        };
        let files =
            tokio::task::spawn_blocking(current).await.map_err(|error| LakeError::cut_off(&error))??;
        let now = self.inner.clock.now();
        let mut done = Vacuumed::default();
        self.vacuum_files(table, &files, safety_us, now, &mut done).await?;
        self.vacuum_log(table, log_retention_us, now, &mut done).await?;
        Ok(done)
    }

    /// Writes a checkpoint of the Delta log of `table`, as the branch does every so many commits.
    ///
    /// # Errors
    /// [`LakeError::Query`] if there is no such table. A checkpoint that cannot be written is reported in the
    /// server's log alone.
    pub async fn checkpoint(&self, table: &str) -> Result<(), LakeError> {
        let writer = self
            .existing_writer(table)
            .ok_or_else(|| LakeError::Query(format!("there is no table {table}")))?;
        let write = move || writer.lock().checkpoint();
        tokio::task::spawn_blocking(write).await.map_err(|error| LakeError::cut_off(&error))
    }

    async fn vacuum_files(
        &self,
        table: &str,
        files: &[Arc<DataFile>],
        safety_us: i64,
        now: Timestamp,
        done: &mut Vacuumed,
    ) -> Result<(), LakeError> {
        let store = self.store();
        let notes = format!("{NOTES}/{table}.json");
        let seen = store.get(&notes).await?.unwrap_or_default();
        // Notes that cannot be read are begun anew: deletions come later then.
        let seen: BTreeMap<String, i64> = serde_json::from_slice(&seen).unwrap_or_default();
        let live: HashSet<&Path> = files.iter().map(|file| &file.location).collect();
        let mut left = BTreeMap::new();
        for file in store.list(table).await? {
            let inside = file.path.strip_prefix(table).unwrap_or(&file.path).trim_start_matches('/');
            if inside.starts_with(DELTA_LOG)
                || !inside.ends_with(".parquet")
                || live.contains(&store.location(&file.path))
            {
                continue;
            }
            let since = seen.get(&file.path).copied().filter(|since| *since <= now.0).unwrap_or(now.0);
            if now.0.saturating_sub(since) >= safety_us && seen.contains_key(&file.path) {
                store.delete(&file.path).await?;
                done.files += 1;
                done.bytes += file.size_bytes;
            } else {
                left.insert(file.path, since);
            }
        }
        if left != seen {
            let text = serde_json::to_vec(&left)
                .map_err(|error| LakeError::store(format!("writing {notes}"), error))?;
            store.put(&notes, Bytes::from(text), false).await?;
        }
        Ok(())
    }

    async fn vacuum_log(
        &self,
        table: &str,
        retention_us: i64,
        now: Timestamp,
        done: &mut Vacuumed,
    ) -> Result<(), LakeError> {
        let store = self.store();
        let entries = store.list(&format!("{table}/{DELTA_LOG}")).await?;
        let entries: Vec<(i64, &crate::StoredFile)> =
            entries.iter().filter_map(|file| Some((version_of(&file.path)?, file))).collect();
        let is_old = |file: &crate::StoredFile| now.0.saturating_sub(file.modified.0) >= retention_us;
        // One that a power cut left without content covers nothing.
        let is_whole =
            |file: &crate::StoredFile| file.path.ends_with(".checkpoint.parquet") && file.size_bytes > 0;
        let covering = entries.iter().filter(|(_, file)| is_whole(file) && is_old(file));
        let Some((keep, checkpoint)) = covering.max_by_key(|(version, _)| *version).copied() else {
            return Ok(());
        };
        let covered: Vec<&crate::StoredFile> = entries
            .iter()
            .filter(|(version, file)| *version < keep && is_old(file))
            .map(|(_, file)| *file)
            .collect();
        if !covered.is_empty() {
            // It is all that stands for them from now on. An fsync of it may have failed before.
            let (files, location) = (store.clone(), [store.location(&checkpoint.path)]);
            let keep_it = move || files.rewrite_durably(&location);
            tokio::task::spawn_blocking(keep_it).await.map_err(|error| LakeError::cut_off(&error))??;
        }
        // In ascending order: a crash between leaves the newer ones, and no gap among them.
        for file in covered {
            store.delete(&file.path).await?;
            done.log_entries += 1;
            done.bytes += file.size_bytes;
        }
        Ok(())
    }
}

/// Whether every row of `file` is older than `before`. A file of which the times are not known stays.
fn ends_before(file: &DataFile, before: Timestamp) -> bool {
    let time = file.bounds.iter().find(|(name, _)| name == "time").map(|(_, bounds)| bounds);
    matches!(time, Some(Bounds::Time(_, newest)) if *newest < before.0)
}

/// The version in the name of an entry of a Delta log: `…/00000000000000000042.json`,
/// `…/00000000000000000042.checkpoint.parquet`.
pub(crate) fn version_of(path: &str) -> Option<i64> {
    let name = path.rsplit('/').next()?;
    let (digits, kind) = name.split_once('.')?;
    let known = matches!(kind, "json" | "crc" | "checkpoint.parquet");
    (known && digits.len() == 20).then(|| digits.parse().ok())?
}

#[cfg(test)]
#[path = "maintain_tests.rs"]
mod tests;
