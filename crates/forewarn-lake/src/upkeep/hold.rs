//! A state of the lake that stays as it is until it has been copied.
//!
//! A version of a Delta table is made of files that never change, so it can be copied while the table moves
//! on. What must not happen is that its files are deleted meanwhile. All that deletes holds one lock, and so
//! does who holds a state.

use std::sync::Arc;

use forewarn_types::Offset;
use tokio::sync::OwnedMutexGuard;

use super::shared::Upkeep;
use crate::error::LakeError;
use crate::store::first_needed;

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

impl Upkeep {
    /// Waits until no upkeep is under way, and lets none begin.
    pub(crate) async fn pause_upkeep(&self) -> Paused {
        Paused(Arc::clone(&self.alone).lock_owned().await)
    }

    /// Holds the lake as it is now; see [`Lake::hold`](crate::Lake::hold).
    pub(crate) async fn hold(&self, paused: Paused) -> Result<Held, LakeError> {
        // Before the tables are looked at: they only gain records from here on.
        let offset = self.writer.stored_offset().await?;
        let mut tables = Vec::new();
        let names = self.writer.reader.view.read().names(true);
        for name in names {
            tables.push(self.hold_table(name).await?);
        }
        // Behind the records that these tables have, and before the rows of jobs: a run is on record once its
        // rows are stored.
        let end = self.writer.reader.progress.log_end().unwrap_or(offset);
        let names = self.writer.reader.view.read().names(false);
        for name in names {
            tables.push(self.hold_table(name).await?);
        }
        let left_out = self.left_out().await?;
        Ok(Held { offset, end, tables, left_out, _paused: paused })
    }

    /// The tables in the store that this server does not know: those that could not be opened when it
    /// started, and those that another program has made since.
    async fn left_out(&self) -> Result<Vec<LeftOut>, LakeError> {
        // A table that is being created is in the store before it is known.
        let none_is_created = self.writer.tables.creating().await;
        let mut unknown = self.writer.reader.store.tables().await?;
        unknown.retain(|table| self.writer.tables.get(table).is_none());
        drop(none_is_created);
        unknown.sort();
        let mut left_out = Vec::with_capacity(unknown.len());
        for table in unknown {
            let reason = match self.writer.tables.try_open(&table).await {
                Ok(_) => "it could not be opened, or was not there, when the server started; restart the \
                          server to take it in"
                    .to_owned(),
                Err(error) => error.to_string(),
            };
            left_out.push(LeftOut { table, reason });
        }
        Ok(left_out)
    }

    async fn hold_table(&self, name: String) -> Result<HeldTable, LakeError> {
        let shared = self.writer.tables.find(&name)?;
        // A commit that is under way holds the table.
        let current = tokio::task::spawn_blocking(move || {
            let table = shared.lock();
            (table.version(), table.files())
        });
        let (version, files) = current.await.map_err(|error| LakeError::cut_off(&error))?;
        let store = &self.writer.reader.store;
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
        let entries = store.log_entries(&name).await?;
        let needed = first_needed(&entries, version)..=version;
        let log_entries = entries
            .into_iter()
            .filter(|entry| needed.contains(&entry.version))
            .map(|entry| entry.file.path)
            .collect();
        Ok(HeldTable { name, version, files, log_entries })
    }
}

#[cfg(test)]
mod tests;
