//! The lake as the other stages hold it: each call goes to the floor that does it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use forewarn_log::Log;
use forewarn_types::{Clock, Offset, SeriesTable, Timestamp};
use parking_lot::RwLock;

use crate::error::LakeError;
use crate::options::LakeOptions;
use crate::read::{Reader, ReadingsQuery, ResultSet, SeriesReadings, Snapshot, TableView, View};
use crate::store::ObjectFiles;
use crate::table::{ColumnInfo, TableInfo, Tables};
use crate::tail::{Tail, built_in};
use crate::upkeep::{CompactOptions, Compacted, Held, Paused, Retained, Upkeep, Vacuumed};
use crate::write::{Branch, CommitFailure, IntervalOf, RowsInParts, Writer, check_feeder, read_marker};

/// The lake. Clones share it.
#[derive(Clone)]
pub struct Lake {
    pub(crate) reader: Arc<Reader>,
    pub(crate) writer: Arc<Writer>,
    upkeep: Arc<Upkeep>,
}

impl std::fmt::Debug for Lake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lake").field("url", &self.reader.options.url).finish_non_exhaustive()
    }
}

impl Lake {
    /// Opens the lake at `options.url`: checks that the store can be written, creates the built-in tables
    /// that are missing, and opens those that jobs have written.
    ///
    /// # Errors
    /// [`LakeError::Url`] if the store cannot be used, [`LakeError::Table`] if a table cannot.
    pub async fn open(
        options: LakeOptions,
        series: Arc<RwLock<SeriesTable>>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, LakeError> {
        let files = ObjectFiles::open(&options.url, clock.now()).await?;
        Self::open_on(options, files, series, clock).await
    }

    /// [`Lake::open`] for the server that is to feed the lake from `log`: it takes the lake over from whichever
    /// server had it before, which writes nothing more then. Messages of others call it `server`.
    ///
    /// # Errors
    /// As there, and [`LakeError::Mismatch`] if the lake is not that of `log`, which leaves it as it is.
    pub async fn open_to_feed(
        options: LakeOptions,
        series: Arc<RwLock<SeriesTable>>,
        clock: Arc<dyn Clock>,
        log: &dyn Log,
        server: &str,
    ) -> Result<Self, LakeError> {
        let files = ObjectFiles::open(&options.url, clock.now()).await?;
        check_feeder(&files, &options.url, log.id(), log.end()).await?;
        let epoch = files.take_over(server, clock.now()).await?;
        tracing::info!(epoch, "this server feeds the lake");
        Self::open_on(options, files, series, clock).await
    }

    /// [`Lake::open`] on a store that is at hand; `options.url` is only its name in messages.
    ///
    /// # Errors
    /// As there.
    pub async fn open_on(
        options: LakeOptions,
        files: ObjectFiles,
        series: Arc<RwLock<SeriesTable>>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, LakeError> {
        let marker = read_marker(&files).await?;
        // Without a marker every record is read again; the tables' own transactions tell which rows they
        // have.
        let resume = marker.as_ref().map(|marker| marker.offset).unwrap_or_default();
        let of_log = built_in();
        let tables = Tables::open(&files, of_log.clone()).await?;
        let mut view = View { tail: Tail::at(resume), ..View::default() };
        for table in tables.all() {
            let table = table.lock();
            let name = &table.schema.name;
            let committed = of_log.iter().any(|schema| schema.name == *name).then_some(resume);
            let entry = TableView { schema: Arc::clone(&table.schema), files: table.files(), committed };
            view.tables.insert(name.clone(), entry);
        }
        let reader = Arc::new(Reader::new(options, files, series, view, resume));
        let writer = Arc::new(Writer::new(Arc::clone(&reader), tables, clock, marker));
        let upkeep = Arc::new(Upkeep::new(Arc::clone(&writer)));
        Ok(Self { reader, writer, upkeep })
    }

    /// The offset the branch reads the log from: everything before it is in the files.
    #[must_use]
    pub fn resume_offset(&self) -> Offset {
        self.writer.resume_offset()
    }

    /// Waits until queries see every record before `offset`.
    ///
    /// # Errors
    /// [`LakeError::Stopped`] if the branch has ended before, [`LakeError::Behind`] if it can take in nothing
    /// more for now.
    pub async fn wait_applied(&self, offset: Offset) -> Result<(), LakeError> {
        self.reader.progress.wait_applied(offset).await
    }

    /// Commits the tail now. The offset up to which everything is in the files comes back.
    ///
    /// # Errors
    /// [`LakeError::Stopped`] without a running branch, or the reason why the commit failed.
    pub async fn flush(&self) -> Result<Offset, LakeError> {
        self.writer.flush().await
    }

    /// Everything that the log held durably when this was called.
    ///
    /// # Errors
    /// [`LakeError::Behind`] if the lake does not catch up with the log, [`LakeError::Stopped`] if the branch
    /// has ended.
    pub async fn snapshot(&self) -> Result<Snapshot, LakeError> {
        self.reader.progress.wait_current().await?;
        Ok(Snapshot::of(&self.reader))
    }

    /// Why a reader may have waited `waited` without success: the lake has not taken in what the log holds.
    #[must_use]
    pub fn behind_after(&self, waited: Duration) -> Option<LakeError> {
        let held = self.reader.progress.log_end()?;
        (self.reader.progress.applied() < held).then(|| LakeError::behind(waited))
    }

    /// The tables and their columns, by name.
    #[must_use]
    pub fn tables(&self) -> Vec<TableInfo> {
        self.reader.view.read().tables.values().map(|table| table.schema.info()).collect()
    }

    /// The files beside the tables.
    #[must_use]
    pub fn store(&self) -> &ObjectFiles {
        &self.reader.store
    }

    /// How many data files queries have read so far: what pruning left of the tables.
    #[must_use]
    pub fn files_scanned(&self) -> usize {
        self.reader.files_scanned.load(Ordering::Relaxed)
    }

    /// How many rows the tail holds.
    #[must_use]
    pub fn tail_rows(&self) -> usize {
        self.reader.view.read().tail.rows
    }

    /// About how many bytes of memory the tail takes.
    #[must_use]
    pub fn tail_bytes(&self) -> u64 {
        self.reader.view.read().tail.bytes
    }

    /// The readings that `query` asks for, over all that the log held durably when this was called, each
    /// once. The answer has one entry for each series, in the order asked.
    ///
    /// # Errors
    /// [`LakeError::Query`] for an unknown series, [`LakeError::TooLarge`] above 64 million readings,
    /// [`LakeError::Store`] or [`LakeError::Table`] if the lake cannot be read, [`LakeError::Behind`] if it
    /// does not come up with the log in time, [`LakeError::Stopped`] if the branch has ended.
    pub async fn readings(&self, query: ReadingsQuery) -> Result<Vec<SeriesReadings>, LakeError> {
        self.reader.readings(query).await
    }
}

/// What is written.
impl Lake {
    /// Adds `rows` to the table `table`, which is created on first use, in one commit that carries `version`
    /// of `app_id`. If that version or a later one is already there, nothing is written and 0 comes back.
    /// Columns may stand in any order.
    ///
    /// # Errors
    /// [`LakeError::Schema`] if the rows do not fit the table, [`LakeError::Table`] or [`LakeError::Store`]
    /// if writing fails.
    pub async fn append_rows(
        &self,
        table: &str,
        rows: &ResultSet,
        app_id: &str,
        version: i64,
    ) -> Result<u64, LakeError> {
        self.writer.append_rows(table, rows, app_id, version).await
    }

    /// Begins the rows of one data interval of a job in the table `table` that come in parts, and take
    /// the place of those of an earlier run in one commit, as by [`Self::replace_interval`]. The table is
    /// created with `columns` on first use.
    ///
    /// # Errors
    /// [`LakeError::Schema`] if the columns are not those of the table, [`LakeError::Query`] if jobs cannot
    /// write to it, [`LakeError::Table`] or [`LakeError::Store`] if it cannot be read or created.
    pub async fn rows_in_parts(
        &self,
        table: &str,
        columns: Vec<ColumnInfo>,
        interval: IntervalOf,
    ) -> Result<RowsInParts, LakeError> {
        self.writer.rows_in_parts(table, columns, interval).await
    }

    /// Makes `rows` the rows of one data interval of a job in the table `table`, which is created on first
    /// use: what the job has written for that interval, or for parts of it, goes in the same commit. So a
    /// reader sees the rows of before or those of now, never some of each. Says how many rows there are now.
    /// `earlier` are the writers that an earlier version may have used for that stretch of time: rows of
    /// theirs cannot be told from others, so nothing is written if there are any.
    ///
    /// # Errors
    /// [`LakeError::Schema`] if the rows do not fit the table, [`LakeError::Query`] if the table has rows of
    /// another interval of the job that overlaps this one, [`LakeError::Table`] or [`LakeError::Store`] if
    /// writing fails.
    pub async fn replace_interval(
        &self,
        table: &str,
        rows: &ResultSet,
        interval: IntervalOf,
        earlier: Vec<String>,
    ) -> Result<u64, LakeError> {
        self.writer.replace_interval(table, rows, interval, earlier).await
    }

    /// Takes in what other programs have committed to the tables since the last look.
    ///
    /// # Errors
    /// The first that a table gives, [`LakeError::Store`] or [`LakeError::Table`]; the other tables are taken
    /// in all the same.
    pub async fn refresh(&self) -> Result<(), LakeError> {
        self.writer.refresh().await
    }

    /// The tables of the log's records whose rows cannot be committed for now, by name. While there is one,
    /// the log keeps its records.
    #[must_use]
    pub fn failures(&self) -> Vec<CommitFailure> {
        self.writer.failures.all()
    }

    /// The log that the lake is fed from, and one past the newest record of it that a table has; nothing if
    /// there is no such log yet.
    ///
    /// # Errors
    /// [`LakeError::Table`] if a table does not say.
    pub async fn fed_by(&self) -> Result<Option<(String, Offset)>, LakeError> {
        let Some(log) = self.writer.owner() else { return Ok(None) };
        let newest = self.writer.adopt(log).await?;
        Ok(Some((log.to_owned(), newest)))
    }

    /// Lets the lake be fed from the log `log` from now on, beginning with the record at `offset`. No server
    /// may run on the lake.
    ///
    /// # Errors
    /// [`LakeError::Store`] if the store fails.
    pub async fn hand_over(&self, log: &str, offset: Offset) -> Result<(), LakeError> {
        self.writer.put_marker(offset, log, false).await.map(drop)
    }
}

/// Upkeep.
impl Lake {
    /// Merges small files of `table` as of the injected clock, group by group.
    ///
    /// # Errors
    /// [`LakeError::Query`] if there is no such table, [`LakeError::Store`] or [`LakeError::Table`] if a
    /// group could not be read or written: the first failure, and how many there were. The other groups are
    /// merged all the same, as long as the store answers.
    pub async fn compact(&self, table: &str, options: CompactOptions) -> Result<Compacted, LakeError> {
        self.upkeep.compact(table, options).await
    }

    /// Takes the files of `table` out of which every row is older than `before` by its column `time`. Rows go
    /// by whole files, so a file that also holds younger rows stays.
    ///
    /// # Errors
    /// [`LakeError::Query`] if there is no such table or it has no column `time`, [`LakeError::Table`] if the
    /// commit fails.
    pub async fn retain(&self, table: &str, before: Timestamp) -> Result<Retained, LakeError> {
        self.upkeep.retain(table, before).await
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
        self.upkeep.vacuum(table, safety_us, log_retention_us).await
    }

    /// Writes a checkpoint of the Delta log of `table`, as the branch does every so many commits.
    ///
    /// # Errors
    /// [`LakeError::Query`] if there is no such table. A checkpoint that cannot be written is reported in the
    /// server's log alone.
    pub async fn checkpoint(&self, table: &str) -> Result<(), LakeError> {
        self.upkeep.checkpoint(table).await
    }

    /// Waits for a compaction or a vacuum that is under way; others wait until what comes back is dropped.
    pub async fn pause_upkeep(&self) -> Paused {
        self.upkeep.pause_upkeep().await
    }

    /// Holds the lake as it is now: each table at its newest version, until what comes back is dropped.
    ///
    /// # Errors
    /// [`LakeError::Store`] if the store fails.
    pub async fn hold(&self, paused: Paused) -> Result<Held, LakeError> {
        self.upkeep.hold(paused).await
    }
}

impl Branch {
    /// A branch from `log` into `lake`. From here on queries wait for what the log holds when they are asked.
    #[must_use]
    pub fn build(lake: Lake, log: Arc<dyn Log>, clock: Arc<dyn Clock>) -> Self {
        Self::new(lake.writer, log, clock)
    }
}

#[cfg(test)]
mod tests;
