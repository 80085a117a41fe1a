//! Vacuum: files that no table needs any more leave the store.
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

use super::shared::Upkeep;
use crate::error::LakeError;
use crate::store::{DELTA_LOG, LogEntry, VACUUM_NOTES};
use crate::table::DataFile;

/// What [`Lake::vacuum`](crate::Lake::vacuum) deleted of a table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Vacuumed {
    /// Data files deleted.
    pub files: usize,
    /// Entries of the Delta log deleted: commits that a checkpoint covers, and older checkpoints.
    pub log_entries: usize,
    /// Bytes of both.
    pub bytes: u64,
}

impl Upkeep {
    /// Deletes what no table needs any more; see [`Lake::vacuum`](crate::Lake::vacuum).
    pub(crate) async fn vacuum(
        &self,
        table: &str,
        safety_us: i64,
        log_retention_us: i64,
    ) -> Result<Vacuumed, LakeError> {
        let _alone = self.alone.lock().await;
        let shared = self.writer.tables.find(table)?;
        // What another program has committed must not look like a left-over, and what it took out must not be
        // read any more.
        let writer = Arc::clone(&self.writer);
        let current = move || {
            let mut table = shared.lock();
            table.refresh()?;
            writer.show_files(&mut table)?;
            Ok(table.files())
        };
        let files =
            tokio::task::spawn_blocking(current).await.map_err(|error| LakeError::cut_off(&error))??;
        let now = self.writer.clock.now();
        let mut done = Vacuumed::default();
        self.vacuum_files(table, &files, safety_us, now, &mut done).await?;
        self.vacuum_log(table, log_retention_us, now, &mut done).await?;
        Ok(done)
    }

    /// Writes a checkpoint of the Delta log of `table`; see [`Lake::checkpoint`](crate::Lake::checkpoint).
    pub(crate) async fn checkpoint(&self, table: &str) -> Result<(), LakeError> {
        let shared = self.writer.tables.find(table)?;
        let write = move || shared.lock().checkpoint();
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
        let store = &self.writer.reader.store;
        let notes = format!("{VACUUM_NOTES}/{table}.json");
        let seen = store.get(&notes).await?.unwrap_or_default();
        // Notes that cannot be read are started again: deletions come later then.
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
        let store = &self.writer.reader.store;
        let entries = store.log_entries(table).await?;
        let is_old = |entry: &LogEntry| now.0.saturating_sub(entry.file.modified.0) >= retention_us;
        let covering = entries.iter().filter(|entry| entry.is_checkpoint() && is_old(entry));
        let Some(checkpoint) = covering.max_by_key(|entry| entry.version) else {
            return Ok(());
        };
        let covered: Vec<&LogEntry> =
            entries.iter().filter(|entry| entry.version < checkpoint.version && is_old(entry)).collect();
        if !covered.is_empty() {
            // It is all that stands for them from now on. An fsync of it may have failed before.
            let (files, location) = (store.clone(), [store.location(&checkpoint.file.path)]);
            let keep_it = move || files.rewrite_durably(&location);
            tokio::task::spawn_blocking(keep_it).await.map_err(|error| LakeError::cut_off(&error))??;
        }
        // In ascending order: a crash between leaves the newer ones, and no gap among them.
        for entry in covered {
            store.delete(&entry.file.path).await?;
            done.log_entries += 1;
            done.bytes += entry.file.size_bytes;
        }
        Ok(())
    }
}
