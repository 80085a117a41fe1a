//! The lake as the other stages hold it: tables, queries, and the writing of rows that jobs make.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use forewarn_types::{Clock, Offset, SeriesTable};
use parking_lot::{Mutex, RwLock};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

use crate::failures::CommitFailure;
use crate::parquet::{NewFile, file_of_columns};
use crate::schema::{TableInfo, TableSchema, built_in};
use crate::sql::Watch;
use crate::store::ObjectFiles;
use crate::table::{Appended, DeltaTable, LakeEngine, engine};
use crate::view::{TableView, View};
use crate::{LakeError, ResultSet};

/// Queries that run at the same time; more wait. Each may use every core.
pub(crate) const MAX_QUERIES: usize = 4;
/// The same for those of the server itself: its jobs and models.
const MAX_INTERNAL_QUERIES: usize = 2;
/// Where the branch notes how far it is.
pub(crate) const MARKER: &str = "_forewarn/branch.json";
/// How the application id of the branch in `txn` actions begins; the id of its log follows.
const BRANCH_APP: &str = "forewarn-branch";

/// Where the lake is and how it behaves.
#[derive(Debug, Clone)]
pub struct LakeOptions {
    /// `file://./folder`, `file:///folder` or `s3://bucket/prefix`.
    pub url: String,
    /// The branch commits when the tail holds this many rows.
    pub commit_rows: usize,
    /// The branch commits when the oldest rows of the tail have waited this long, µs of the injected clock.
    pub commit_every_us: i64,
    /// The branch commits when the tail holds about this many bytes.
    pub commit_bytes: u64,
    /// A commit of the branch writes no file that is much larger than this.
    pub file_bytes: u64,
    /// The most rows the tail may hold; the branch commits at half of it, and reads no further while it is
    /// full.
    pub tail_max_rows: usize,
    /// The most bytes the tail may hold, about; as for the rows.
    pub tail_max_bytes: u64,
    /// The most rows a query may return.
    pub sql_max_rows: usize,
    /// The longest a query may take.
    pub sql_timeout: Duration,
    /// The memory that queries may take together, bytes.
    pub sql_memory_bytes: u64,
}

impl Default for LakeOptions {
    /// A lake in `./data/lake` with commits each minute.
    fn default() -> Self {
        Self {
            url: "file://./data/lake".to_owned(),
            commit_rows: 1_000_000,
            commit_every_us: 60_000_000,
            commit_bytes: 128 << 20,
            file_bytes: 128 << 20,
            tail_max_rows: 4_000_000,
            tail_max_bytes: 1 << 30,
            sql_max_rows: 100_000,
            sql_timeout: Duration::from_secs(30),
            sql_memory_bytes: 1 << 30,
        }
    }
}

/// How far the tail is, and why it goes no further if it does not.
#[derive(Debug, Clone, Default)]
pub(crate) struct Progress {
    pub(crate) applied: Offset,
    pub(crate) stopped: Option<String>,
    /// The tail is full and cannot be committed.
    pub(crate) behind: Option<String>,
}

pub(crate) type FlushReply = oneshot::Sender<Result<Offset, String>>;

pub(crate) struct Inner {
    pub(crate) options: LakeOptions,
    pub(crate) files: ObjectFiles,
    pub(crate) engine: Arc<LakeEngine>,
    pub(crate) series: Arc<RwLock<SeriesTable>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) view: RwLock<View>,
    pub(crate) progress: watch::Sender<Progress>,
    pub(crate) log_end: RwLock<Option<watch::Receiver<Offset>>>,
    pub(crate) flush: RwLock<Option<mpsc::Sender<FlushReply>>>,
    pub(crate) queries: Arc<Semaphore>,
    pub(crate) internal_queries: Arc<Semaphore>,
    /// Ends queries that nobody waits for, or that take too much memory.
    pub(crate) watch: Arc<Watch>,
    /// Files handed to a scan so far: what pruning left.
    pub(crate) files_scanned: AtomicUsize,
    pub(crate) writers: RwLock<BTreeMap<String, Arc<Mutex<DeltaTable>>>>,
    /// The tables whose last commit failed.
    pub(crate) failures: RwLock<BTreeMap<String, CommitFailure>>,
    /// Held while a table is created, so that two jobs do not both create it.
    pub(crate) creating: tokio::sync::Mutex<()>,
    /// Held by whoever compacts, deletes or vacuums.
    pub(crate) maintaining: Arc<tokio::sync::Mutex<()>>,
    /// What the marker said when the lake was opened.
    marker: Option<Marker>,
    /// The application id in `txn` actions of the branch, once it is known which log feeds the lake.
    branch_app: OnceLock<String>,
}

/// The object that says which log the lake belongs to, and up to which offset everything is in the files.
#[derive(serde::Serialize, serde::Deserialize)]
struct Marker {
    offset: Offset,
    log: String,
}

/// The lake. Clones share it.
#[derive(Clone)]
pub struct Lake {
    pub(crate) inner: Arc<Inner>,
}

impl std::fmt::Debug for Lake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lake").field("url", &self.inner.options.url).finish_non_exhaustive()
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
        let names = files.tables().await?;
        let engine = engine(&files)?;
        let opening = (Arc::clone(&engine), files.clone());
        let open = move || open_tables(&names, &opening.0, &opening.1);
        let tables =
            tokio::task::spawn_blocking(open).await.map_err(|error| LakeError::cut_off(&error))??;
        // Without a marker every record is read again; the tables' own transactions tell which rows they
        // have.
        let resume = marker.as_ref().map(|marker| marker.offset).unwrap_or_default();
        let of_log: Vec<String> = built_in().into_iter().map(|schema| schema.name).collect();
        let mut view = View { applied: resume, ..View::default() };
        for table in &tables {
            let committed = of_log.contains(&table.schema.name).then_some(resume);
            let entry = TableView { schema: Arc::clone(&table.schema), files: table.files(), committed };
            view.tables.insert(table.schema.name.clone(), entry);
        }
        let writers = tables
            .into_iter()
            .map(|table| (table.schema.name.clone(), Arc::new(Mutex::new(table))))
            .collect();
        let inner = Inner {
            watch: Watch::new(options.sql_memory_bytes),
            options,
            files,
            engine,
            series,
            clock,
            view: RwLock::new(view),
            progress: watch::Sender::new(Progress { applied: resume, ..Progress::default() }),
            log_end: RwLock::new(None),
            flush: RwLock::new(None),
            queries: Arc::new(Semaphore::new(MAX_QUERIES)),
            internal_queries: Arc::new(Semaphore::new(MAX_INTERNAL_QUERIES)),
            files_scanned: AtomicUsize::new(0),
            writers: RwLock::new(writers),
            failures: RwLock::default(),
            creating: tokio::sync::Mutex::new(()),
            maintaining: Arc::default(),
            marker,
            branch_app: OnceLock::new(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The offset the branch reads the log from: everything before it is in the files.
    #[must_use]
    pub fn resume_offset(&self) -> Offset {
        self.inner.marker.as_ref().map(|marker| marker.offset).unwrap_or_default()
    }

    /// Makes sure that the lake belongs to the log `log`; one that belongs to none yet is its from now on.
    /// Offsets of two logs would be taken for one another, and records for such as are in the lake already.
    ///
    /// # Errors
    /// [`LakeError::Mismatch`] if it belongs to another log.
    pub(crate) async fn claim(&self, log: &str) -> Result<(), LakeError> {
        let owner = match &self.inner.marker {
            Some(marker) => marker.log.clone(),
            None if self.put_marker(Offset(0), log, true).await? => return Ok(()),
            // Another server was faster.
            None => read_marker(self.store()).await?.map(|marker| marker.log).unwrap_or_default(),
        };
        if owner == log {
            return Ok(());
        }
        Err(LakeError::Mismatch(format!(
            "the lake {} is fed from the log {owner}, and this server's log is {log}; \
             give each server a lake URL of its own, or restore the data_dir that this lake was fed from; if that is lost for good, \
             `forewarn restore --data-dir … --lake …` makes a new one from the lake's newest snapshot. To feed the lake from this \
             log from now on, with what it holds kept, stop the other server and delete {MARKER} in the lake",
            self.inner.options.url
        )))
    }

    /// Asks each table of the log's records for the offset up to which it has those of the log `log`; the
    /// newest comes back. Blocks.
    pub(crate) fn adopt(&self, log: &str) -> Result<Offset, LakeError> {
        let resume = self.resume_offset();
        let app_id = self.inner.branch_app.get_or_init(|| branch_app(log));
        let names: Vec<String> = {
            let view = self.inner.view.read();
            view.tables
                .iter()
                .filter(|(_, table)| table.committed.is_some())
                .map(|(name, _)| name.clone())
                .collect()
        };
        let mut newest = resume;
        for name in names {
            let Some(writer) = self.existing_writer(&name) else { continue };
            let version = writer.lock().version_of(app_id)?.unwrap_or(0);
            let committed = Offset(u64::try_from(version).unwrap_or(0)).max(resume);
            newest = newest.max(committed);
            if let Some(table) = self.inner.view.write().tables.get_mut(&name) {
                table.committed = Some(committed);
            }
        }
        Ok(newest)
    }

    /// The log the lake belonged to when it was opened.
    pub(crate) fn owner(&self) -> Option<String> {
        self.inner.marker.as_ref().map(|marker| marker.log.clone())
    }

    /// The offset in the marker as it is in the store now: everything before it is in the files.
    pub(crate) async fn stored_offset(&self) -> Result<Offset, LakeError> {
        Ok(read_marker(self.store()).await?.map(|marker| marker.offset).unwrap_or_default())
    }

    /// Notes that everything of the log `log` before `offset` is in the files. With `if_absent` an older note
    /// stays, and the answer is false.
    pub(crate) async fn put_marker(
        &self,
        offset: Offset,
        log: &str,
        if_absent: bool,
    ) -> Result<bool, LakeError> {
        put_marker(self.store(), offset, log, if_absent).await
    }

    /// Waits until queries see every record before `offset`.
    ///
    /// # Errors
    /// [`LakeError::Stopped`] if the branch has ended before, [`LakeError::Behind`] if it can take in nothing
    /// more for now.
    pub async fn wait_applied(&self, offset: Offset) -> Result<(), LakeError> {
        let mut progress = self.inner.progress.subscribe();
        let settled = |progress: &Progress| {
            progress.applied >= offset || progress.stopped.is_some() || progress.behind.is_some()
        };
        let reached =
            progress.wait_for(settled).await.map_err(|_| LakeError::Stopped("it has been closed".into()))?;
        match (&reached.stopped, &reached.behind) {
            _ if reached.applied >= offset => Ok(()),
            (Some(reason), _) => Err(LakeError::Stopped(reason.clone())),
            (None, reason) => Err(LakeError::Behind(reason.clone().unwrap_or_default())),
        }
    }

    /// Waits until queries see what the log held when this was called.
    pub(crate) async fn wait_current(&self) -> Result<(), LakeError> {
        let end = self.inner.log_end.read().as_ref().map(|end| *end.borrow());
        match end {
            Some(end) => self.wait_applied(end).await,
            None => Ok(()),
        }
    }

    /// Commits the tail now. The offset up to which everything is in the files comes back.
    ///
    /// # Errors
    /// [`LakeError::Stopped`] without a running branch, or the reason why the commit failed.
    pub async fn flush(&self) -> Result<Offset, LakeError> {
        self.wait_current().await?;
        let stopped = || LakeError::Stopped("the branch is not running".into());
        let branch = self.inner.flush.read().clone().ok_or_else(stopped)?;
        let (reply, answer) = oneshot::channel();
        branch.send(reply).await.map_err(|_| stopped())?;
        answer
            .await
            .map_err(|_| stopped())?
            .map_err(|problem| LakeError::store("committing the tail", problem))
    }

    /// The tables and their columns, by name.
    #[must_use]
    pub fn tables(&self) -> Vec<TableInfo> {
        self.inner.view.read().tables.values().map(|table| table.schema.info()).collect()
    }

    /// The files beside the tables.
    #[must_use]
    pub fn store(&self) -> &ObjectFiles {
        &self.inner.files
    }

    /// How many data files queries have read so far: what pruning left of the tables.
    #[must_use]
    pub fn files_scanned(&self) -> usize {
        self.inner.files_scanned.load(Ordering::Relaxed)
    }

    /// How many rows the tail holds.
    #[must_use]
    pub fn tail_rows(&self) -> usize {
        self.inner.view.read().tail_rows
    }

    /// About how many bytes of memory the tail takes.
    #[must_use]
    pub fn tail_bytes(&self) -> u64 {
        self.inner.view.read().tail_bytes
    }

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
        check_table_name(table)?;
        if self.inner.view.read().tables.get(table).is_some_and(|table| table.committed.is_some()) {
            return Err(LakeError::Query(format!(
                "table {table} holds records of the log; write to a table of another name"
            )));
        }
        let writer = self.writer(table, rows).await?;
        let (lake, rows, app_id, count) =
            (self.clone(), rows.clone(), app_id.to_owned(), rows.row_count() as u64);
        let append = move || {
            let schema = Arc::clone(&writer.lock().schema);
            let ordered = in_order(&schema, &rows)?;
            let file = file_of_columns(&schema, &ordered)?;
            lake.commit(&writer, vec![file], &app_id, version, None)
        };
        let appended =
            tokio::task::spawn_blocking(append).await.map_err(|error| LakeError::cut_off(&error))??;
        Ok(if appended == Appended::Added { count } else { 0 })
    }

    /// Appends `files` and shows them to queries in the same step. With `after`, the rows are the tail's from
    /// that offset on, and the border between files and tail moves to what the table says afterwards. Blocks.
    pub(crate) fn commit(
        &self,
        writer: &Mutex<DeltaTable>,
        files: Vec<NewFile>,
        app_id: &str,
        version: i64,
        after: Option<Offset>,
    ) -> Result<Appended, LakeError> {
        let mut table = writer.lock();
        let after = after.map(|offset| i64::try_from(offset.0).unwrap_or(i64::MAX));
        let appended = table.append(files, app_id, version, after, self.inner.clock.now())?;
        let border = match after {
            Some(_) => table.version_of(app_id)?.map(|version| Offset(u64::try_from(version).unwrap_or(0))),
            None => None,
        };
        let mut view = self.inner.view.write();
        if let Some(entry) = view.tables.get_mut(&table.schema.name) {
            entry.files = table.files();
            entry.committed = border.or(entry.committed);
        }
        Ok(appended)
    }

    /// Shows queries the files that `table` has now. Among them may be rows that stand in the tail as well:
    /// those of an own commit whose answer got lost. So the border between files and tail moves along.
    pub(crate) fn show_files(&self, table: &mut DeltaTable) -> Result<(), LakeError> {
        let version = self.inner.branch_app.get().map_or(Ok(None), |app_id| table.version_of(app_id))?;
        let border = version.map(|version| Offset(u64::try_from(version).unwrap_or(0)));
        if let Some(entry) = self.inner.view.write().tables.get_mut(&table.schema.name) {
            entry.files = table.files();
            entry.committed =
                entry.committed.map(|committed| border.map_or(committed, |border| border.max(committed)));
        }
        Ok(())
    }

    /// Whether queries see the files that `table` has.
    pub(crate) fn shows(&self, table: &DeltaTable) -> bool {
        self.inner
            .view
            .read()
            .tables
            .get(&table.schema.name)
            .is_some_and(|entry| Arc::ptr_eq(&entry.files, &table.files()))
    }

    /// The writer of `table`.
    pub(crate) fn existing_writer(&self, table: &str) -> Option<Arc<Mutex<DeltaTable>>> {
        self.inner.writers.read().get(table).cloned()
    }

    /// The writer of `table`, which is created with the columns of `rows` if there is none.
    async fn writer(&self, table: &str, rows: &ResultSet) -> Result<Arc<Mutex<DeltaTable>>, LakeError> {
        let _alone = self.inner.creating.lock().await;
        if let Some(writer) = self.existing_writer(table) {
            return Ok(writer);
        }
        let schema = TableSchema { name: table.to_owned(), columns: rows.schema(), by_date: false };
        if schema.columns.is_empty() {
            return Err(LakeError::Schema {
                table: table.to_owned(),
                problem: "the rows have no columns".into(),
            });
        }
        let (engine, files) = (Arc::clone(&self.inner.engine), self.inner.files.clone());
        let create = move || DeltaTable::create(&schema, &engine, &files);
        let made =
            tokio::task::spawn_blocking(create).await.map_err(|error| LakeError::cut_off(&error))??;
        let entry = TableView { schema: Arc::clone(&made.schema), files: made.files(), committed: None };
        let writer = Arc::new(Mutex::new(made));
        self.inner.writers.write().insert(table.to_owned(), Arc::clone(&writer));
        self.inner.view.write().tables.insert(table.to_owned(), entry);
        Ok(writer)
    }
}

/// Makes the empty store `files` the lake of the log `log`, of which everything before `offset` will be in
/// the tables' files: for whoever puts the files of such a lake there.
///
/// # Errors
/// [`LakeError::Store`] if the store fails, [`LakeError::Mismatch`] if it is a lake already.
pub async fn found(files: &ObjectFiles, log: &str, offset: Offset) -> Result<(), LakeError> {
    if put_marker(files, offset, log, true).await? {
        return Ok(());
    }
    Err(LakeError::Mismatch("there is a lake already".into()))
}

async fn put_marker(
    files: &ObjectFiles,
    offset: Offset,
    log: &str,
    if_absent: bool,
) -> Result<bool, LakeError> {
    let marker = Marker { offset, log: log.to_owned() };
    let text =
        serde_json::to_vec(&marker).map_err(|error| LakeError::store(format!("writing {MARKER}"), error))?;
    files.put(MARKER, text.into(), if_absent).await
}

/// The application id of the branch that feeds the lake from the log `log`.
pub(crate) fn branch_app(log: &str) -> String {
    format!("{BRANCH_APP}:{log}")
}

/// Opens every table found, and creates the built-in ones that are missing.
fn open_tables(
    found: &[String],
    engine: &Arc<LakeEngine>,
    files: &ObjectFiles,
) -> Result<Vec<DeltaTable>, LakeError> {
    let mut tables = Vec::new();
    for schema in built_in() {
        let mut table = if found.contains(&schema.name) {
            DeltaTable::open(&schema.name, engine, files)?
        } else {
            DeltaTable::create(&schema, engine, files)?
        };
        table.conform(&schema)?;
        tables.push(table);
    }
    let of_jobs = found.iter().filter(|name| built_in().iter().all(|schema| schema.name != **name));
    for name in of_jobs {
        match DeltaTable::open(name, engine, files) {
            Ok(table) => tables.push(table),
            Err(error) => tracing::warn!(table = name, %error, "this table is left out"),
        }
    }
    Ok(tables)
}

async fn read_marker(files: &ObjectFiles) -> Result<Option<Marker>, LakeError> {
    let Some(bytes) = files.get(MARKER).await? else { return Ok(None) };
    let marker = serde_json::from_slice(&bytes).map_err(|error| {
        LakeError::Mismatch(format!(
            "{MARKER} is not readable: {error}; if an earlier version wrote this lake, start with another lake URL; \
             if the file is damaged, delete it, and the log is read again from its start"
        ))
    })?;
    Ok(Some(marker))
}

fn check_table_name(table: &str) -> Result<(), LakeError> {
    let good = table.starts_with(|c: char| c.is_ascii_lowercase())
        && table.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if good && table.len() <= 64 {
        return Ok(());
    }
    Err(LakeError::Query(format!(
        "{table:?} cannot name a table; use at most 64 small letters, digits and _, beginning with a letter"
    )))
}

/// The columns of `rows` in the order of the table. A column without any value fits every type; one that the
/// rows lack, as another program has added it to the table, stays empty.
fn in_order(schema: &TableSchema, rows: &ResultSet) -> Result<Vec<crate::ColumnData>, LakeError> {
    let wrong = |problem: String| LakeError::Schema { table: schema.name.clone(), problem };
    if let Some(extra) = rows.columns().into_iter().find(|name| schema.column(name).is_none()) {
        return Err(wrong(format!("column {extra} is not in the table")));
    }
    if rows.columns().is_empty() {
        return Err(wrong("all columns are missing".into()));
    }
    let fit = |column: &crate::ColumnInfo| {
        let Some(data) = rows.column(&column.name) else {
            return Ok(crate::ColumnData::nulls(column.ty, rows.row_count()));
        };
        data.fit(column.ty).ok_or_else(|| {
            wrong(format!("column {} is {}, not {}", column.name, data.ty().as_str(), column.ty.as_str()))
        })
    };
    schema.columns.iter().map(fit).collect()
}

#[cfg(test)]
#[path = "lake_tests.rs"]
mod tests;
