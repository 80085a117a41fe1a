//! A state of the lake that stays as it is until it has been copied.
//!
//! A version of a Delta table is made of files that never change, so it can be copied while the table moves
//! on. What must not happen is that its files are deleted meanwhile. All that deletes holds one lock; whoever
//! holds a state holds this lock.

use std::sync::Arc;

use forewarn_types::Offset;
use tokio::sync::OwnedMutexGuard;

use crate::maintain::{DELTA_LOG, version_of};
use crate::table::DeltaTable;
use crate::{Lake, LakeError};

/// The lake as of some moment. Nothing of it is deleted before this is dropped.
#[derive(Debug)]
pub struct Held {
    /// Every record before this one is in the tables, and some behind it may be: each table says in its own
    /// Delta log up to where.
    pub offset: Offset,
    /// No table has a record from here on, and the tables of jobs have the rows of every run that has ended
    /// before it.
    pub end: Offset,
    /// The tables.
    pub tables: Vec<HeldTable>,
    /// What lies in the lake as a table and is not known to this server.
    pub left_out: Vec<LeftOut>,
    _paused: Paused,
}

/// While this lives there is no upkeep: nothing is compacted, and nothing deleted.
#[derive(Debug)]
pub struct Paused(#[expect(dead_code, reason = "it is held, not read")] OwnedMutexGuard<()>);

/// A table in the lake that this server does not know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Its folder.
    pub table: String,
    /// Why it is left out.
    pub reason: String,
}

/// One version of a table.
#[derive(Debug)]
pub struct HeldTable {
    /// The table's name, which is also its folder.
    pub name: String,
    /// The version of its Delta log.
    pub version: u64,
    /// Its data files, and the files of deletion vectors beside them, as paths in the store.
    pub files: Vec<String>,
    /// The entries of its Delta log that name them: from the newest checkpoint of the version on.
    pub log_entries: Vec<String>,
}

impl Lake {
    /// Waits for a compaction or a vacuum that is under way; others wait until what comes back is dropped.
    pub async fn pause_upkeep(&self) -> Paused {
        Paused(Arc::clone(&self.inner.maintaining).lock_owned().await)
    }

    /// Holds the lake as it is now: each table at its newest version, until what comes back is dropped.
    ///
    /// # Errors
    /// [`LakeError::Store`] if the store fails.
    pub async fn hold(&self, paused: Paused) -> Result<Held, LakeError> {
        // Before the tables are looked at: they only gain records from here on.
        let offset = self.stored_offset().await?;
        let mut tables = Vec::new();
        for name in self.names(true) {
            tables.push(self.hold_table(name).await?);
        }
        // Behind the records that these tables have, and before the rows of jobs: a run is on record once its
        // rows are stored.
        let end = self.inner.log_end.read().as_ref().map_or(offset, |end| *end.borrow());
        for name in self.names(false) {
            tables.push(self.hold_table(name).await?);
        }
        let left_out = self.left_out().await?;
        Ok(Held { offset, end, tables, left_out, _paused: paused })
    }

    /// The tables in the store that this server does not know: those that could not be opened when it
    /// started, and those that another program has made since.
    async fn left_out(&self) -> Result<Vec<LeftOut>, LakeError> {
        // A table that is being created is in the store before it is known.
        let none_is_created = self.inner.creating.lock().await;
        let mut unknown = self.store().tables().await?;
        unknown.retain(|table| !self.inner.view.read().tables.contains_key(table));
        drop(none_is_created);
        unknown.sort();
        let mut left_out = Vec::with_capacity(unknown.len());
        for table in unknown {
            let (engine, store, name) = (Arc::clone(&self.inner.engine), self.store().clone(), table.clone());
            let opened =
                tokio::task::spawn_blocking(move || DeltaTable::open(&name, &engine, &store).map(drop)).await;
            let reason = match opened.map_err(|error| LakeError::cut_off(&error))? {
                Ok(()) => "it could not be opened, or was not there, when the server started; restart the server to take it in".to_owned(),
                Err(error) => error.to_string(),
            };
            left_out.push(LeftOut { table, reason });
        }
        Ok(left_out)
    }

    /// The tables of the log's records, or those that jobs write.
    fn names(&self, of_log: bool) -> Vec<String> {
        let view = self.inner.view.read();
        view.tables
            .iter()
            .filter(|(_, table)| table.committed.is_some() == of_log)
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// The log that the lake is fed from, and one past the newest record of it that a table has; nothing if
    /// there is no such log yet.
    ///
    /// # Errors
    /// [`LakeError::Table`] if a table does not say.
    pub async fn fed_by(&self) -> Result<Option<(String, Offset)>, LakeError> {
        let Some(log) = self.owner() else { return Ok(None) };
        let (lake, id) = (self.clone(), log.clone());
        let newest = tokio::task::spawn_blocking(move || lake.adopt(&id))
            .await
            .map_err(|error| LakeError::cut_off(&error))??;
        Ok(Some((log, newest)))
    }

    /// Lets the lake be fed from the log `log` from now on, beginning with the record at `offset`. No server
    /// may run on the lake.
    ///
    /// # Errors
    /// [`LakeError::Store`] if the store fails.
    pub async fn hand_over(&self, log: &str, offset: Offset) -> Result<(), LakeError> {
        self.put_marker(offset, log, false).await.map(drop)
    }

    async fn hold_table(&self, name: String) -> Result<HeldTable, LakeError> {
        let writer = self
            .existing_writer(&name)
            .ok_or_else(|| LakeError::Query(format!("there is no table {name}")))?;
        // A commit that is under way holds the table.
        let current = tokio::task::spawn_blocking(move || {
            let table = writer.lock();
            (table.version(), table.files())
        });
        let (version, files) = current.await.map_err(|error| LakeError::cut_off(&error))?;
        let store = self.store();
        let below = |location| {
            store
                .below(location)
                .ok_or_else(|| LakeError::table(&name, format!("its file {location} is elsewhere")))
        };
        let mut files = files.iter().map(|file| below(&file.location)).collect::<Result<Vec<_>, _>>()?;
        // Deletion vectors of other programs lie beside the data, and never change.
        files.extend(
            store
                .list(&name)
                .await?
                .into_iter()
                .map(|file| file.path)
                .filter(|path| path.rsplit('.').next() == Some("bin")),
        );
        let entries = store.list(&format!("{name}/{DELTA_LOG}")).await?;
        let entries: Vec<(u64, String)> = entries
            .into_iter()
            .filter_map(|file| Some((u64::try_from(version_of(&file.path)?).ok()?, file.path)))
            .collect();
        let checkpoints =
            entries.iter().filter(|(of, path)| *of <= version && path.ends_with(".checkpoint.parquet"));
        let from = checkpoints.map(|(of, _)| *of).max().unwrap_or(0);
        let log_entries = entries
            .into_iter()
            .filter(|(of, _)| (from..=version).contains(of))
            .map(|(_, path)| path)
            .collect();
        Ok(HeldTable { name, version, files, log_entries })
    }
}

#[cfg(test)]
#[path = "hold_tests.rs"]
mod tests;
