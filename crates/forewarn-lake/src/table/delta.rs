//! One Delta table: open or create, list its files, append files exactly once.
//!
//! All calls block and are made from threads that may. The kernel has no call that rebases a transaction:
//! after a conflict the snapshot is renewed, the application's version is asked for again, and only then a
//! new transaction is tried.

mod deletions;
mod durable;
mod listing;
mod replace;

use std::collections::HashMap;
use std::sync::Arc;

use super::day::DATE;
use super::engine::LakeEngine;
use super::file::{DataFile, FileList};
use super::location::{commit_location, location};
use super::parquet::{NewFile, delta_stats};
use super::schema::{ColumnInfo, TableSchema};
use super::upload::{Uploaded, UploadedFile, upload};
use crate::error::LakeError;
use crate::store::ObjectFiles;
use delta_kernel::committer::FileSystemCommitter;
use delta_kernel::expressions::Scalar;
use delta_kernel::schema::StructField;
use delta_kernel::transaction::create_table::create_table;
use delta_kernel::transaction::data_layout::DataLayout;
use delta_kernel::transaction::{CommitResult, CommittedTransaction, Transaction, UpdateTableOperation};
use delta_kernel::{FileMeta, Snapshot, SnapshotRef};
use delta_kernel_default_engine::build_add_file_metadata;
use delta_kernel_default_engine::parquet::DataFileMetadata;
use forewarn_types::Timestamp;

/// What the commits say wrote them.
const ENGINE_INFO: &str = concat!("forewarn/", env!("CARGO_PKG_VERSION"));
/// Listing a table slows down with the number of commits since the last checkpoint.
const COMMITS_PER_CHECKPOINT: u64 = 50;
/// A conflict means that another writer got through, so progress is made; this many in a row mean that
/// something is wrong.
const MAX_ATTEMPTS: usize = 20;
/// The application under which the first commit of a server carries the epoch that the server holds.
const EPOCH_APP: &str = "forewarn-epoch";

/// How an append ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Appended {
    /// The files are in the table now.
    Added,
    /// That version, or a later one, was there already: nothing was done.
    AlreadyThere,
    /// A version between the expected one and the new one is there: an earlier commit whose answer got lost.
    /// Nothing was done, as some of the rows may be in the table.
    Overtaken,
}

/// Why files go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// Their rows stand in the files that are added: readers that follow the table have seen them.
    Rearranged,
    /// Their rows are no longer wanted.
    Deleted,
    /// Some of their rows are written anew, and others take their place.
    Replaced,
}

/// A table as its one writer sees it.
pub(crate) struct DeltaTable {
    pub(crate) schema: Arc<TableSchema>,
    engine: Arc<LakeEngine>,
    store: ObjectFiles,
    snapshot: SnapshotRef,
    files: FileList,
    /// Versions this process knows of, by application id, at `snapshot`.
    versions: HashMap<String, i64>,
    /// The version up to which commits are on disk, if any is known to be.
    durable: Option<u64>,
    /// The last attempt to bring commits to disk failed.
    sync_failed: bool,
}

impl DeltaTable {
    /// Opens the table, which must exist.
    pub(crate) fn open(name: &str, engine: &Arc<LakeEngine>, store: &ObjectFiles) -> Result<Self, LakeError> {
        let failed = |error: delta_kernel::KernelError| LakeError::table(name, error);
        let snapshot =
            Snapshot::builder_for(store.table_url(name)?).build(engine.as_ref()).map_err(failed)?;
        let schema = TableSchema::from_delta(name, &snapshot.schema());
        Self::at(schema, snapshot, engine, store)
    }

    /// Creates the table. Another process may do so at the same time: then that one is opened.
    pub(crate) fn create(
        schema: &TableSchema,
        engine: &Arc<LakeEngine>,
        store: &ObjectFiles,
    ) -> Result<Self, LakeError> {
        let failed = |error: delta_kernel::KernelError| LakeError::table(&schema.name, error);
        let url = store.table_url(&schema.name)?;
        store.make_folder(&url)?;
        let mut builder = create_table(&url, Arc::new(schema.to_delta()?), ENGINE_INFO, true);
        if schema.by_date {
            builder = builder.with_data_layout(DataLayout::partitioned([DATE]));
        }
        let committer = Box::new(FileSystemCommitter::new());
        let made = builder
            .build(engine.as_ref(), committer)
            .and_then(|transaction| transaction.commit(engine.as_ref()));
        match made {
            Ok(CommitResult::Committed(done)) => {
                if let Some(snapshot) = done.post_commit_snapshot() {
                    return Self::at(schema.clone(), Arc::clone(snapshot), engine, store);
                }
                Self::open(&schema.name, engine, store)
            }
            Ok(CommitResult::Conflicted(_)) => Self::open(&schema.name, engine, store),
            Ok(CommitResult::Retryable(retry)) => Err(failed(retry.error)),
            Err(error) => Self::open(&schema.name, engine, store).map_err(|_| failed(error)),
        }
    }

    /// Makes `schema` the table's columns. Those that the table has not, as an earlier version made it, are
    /// added, empty in all its rows; those it has beside them stay as they are and are left empty in new
    /// rows.
    pub(crate) fn conform(&mut self, schema: &TableSchema) -> Result<(), LakeError> {
        for _ in 0..MAX_ATTEMPTS {
            let found = TableSchema::from_delta(&schema.name, &self.snapshot.schema());
            let missing = schema.missing_in(&found).map_err(|problem| {
                let problem = format!(
                    "{problem}; the lake was written by another version, or the table by another program"
                );
                LakeError::Schema { table: schema.name.clone(), problem }
            })?;
            if missing.is_empty() {
                self.schema = Arc::new(schema.clone());
                return Ok(());
            }
            self.add_columns(&missing)?;
        }
        Err(self.overtaken())
    }

    /// Adds those of `columns` that the table has not, empty in all its rows.
    pub(crate) fn ensure(&mut self, columns: &[ColumnInfo]) -> Result<(), LakeError> {
        for _ in 0..MAX_ATTEMPTS {
            let found = TableSchema::from_delta(&self.schema.name, &self.snapshot.schema());
            let missing: Vec<ColumnInfo> =
                columns.iter().filter(|column| found.column(&column.name).is_none()).cloned().collect();
            if missing.is_empty() {
                self.schema = Arc::new(found);
                return Ok(());
            }
            self.add_columns(&missing)?;
        }
        Err(self.overtaken())
    }

    /// One attempt to add columns; after a conflict the newest snapshot tells what is still to be done.
    fn add_columns(&mut self, columns: &[ColumnInfo]) -> Result<(), LakeError> {
        self.store.check_epoch_blocking()?;
        let failed = |error: delta_kernel::KernelError| LakeError::table(&self.schema.name, error);
        let engine = Arc::clone(&self.engine);
        let mut builder =
            Arc::clone(&self.snapshot).update_table(UpdateTableOperation::AlterTable, ENGINE_INFO, false);
        for column in columns {
            builder = builder.add_column(StructField::nullable(&column.name, column.ty.to_delta()));
        }
        let transaction =
            builder.build(engine.as_ref(), Box::new(FileSystemCommitter::new())).map_err(failed)?;
        match transaction.commit(engine.as_ref()).map_err(failed)? {
            CommitResult::Retryable(retry) => return Err(failed(retry.error)),
            CommitResult::Conflicted(_) => {}
            CommitResult::Committed(done) => {
                let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
                tracing::info!(
                    table = self.schema.name,
                    ?names,
                    "columns that an earlier version did not have are added"
                );
                self.settle(&done)?;
            }
        }
        self.refresh()
    }

    fn at(
        schema: TableSchema,
        snapshot: SnapshotRef,
        engine: &Arc<LakeEngine>,
        store: &ObjectFiles,
    ) -> Result<Self, LakeError> {
        let mut table = Self {
            schema: Arc::new(schema),
            engine: Arc::clone(engine),
            store: store.clone(),
            snapshot,
            files: FileList::default(),
            versions: HashMap::new(),
            durable: None,
            // What an earlier life of the program has met is not known.
            sync_failed: true,
        };
        table.files = table.list(&table.snapshot)?;
        table.keep_commits()?;
        Ok(table)
    }

    /// The version of the present snapshot.
    pub(crate) fn version(&self) -> u64 {
        self.snapshot.version()
    }

    /// The files of the present snapshot.
    pub(crate) fn files(&self) -> FileList {
        Arc::clone(&self.files)
    }

    /// The highest version `app_id` has committed with, if any. The commit that says so is durable.
    pub(crate) fn version_of(&mut self, app_id: &str) -> Result<Option<i64>, LakeError> {
        self.keep_commits()?;
        if let Some(version) = self.versions.get(app_id) {
            return Ok(Some(*version));
        }
        let found = self
            .snapshot
            .get_app_id_version(app_id, self.engine.as_ref())
            .map_err(|error| self.failed(error))?;
        if let Some(version) = found {
            self.versions.insert(app_id.to_owned(), version);
        }
        Ok(found)
    }

    /// Adds `files` in one commit that carries `version` of `app_id`. With `after`, the rows follow on that
    /// version of the application, and are only added if it is still its newest.
    pub(crate) fn append(
        &mut self,
        files: Vec<NewFile>,
        app_id: &str,
        version: i64,
        after: Option<i64>,
        now: Timestamp,
    ) -> Result<Appended, LakeError> {
        let mut uploaded = Vec::new();
        let mut waiting = Some(files);
        for _ in 0..MAX_ATTEMPTS {
            self.check_epoch()?;
            let there = self.version_of(app_id)?;
            if there.is_some_and(|there| there >= version) {
                return Ok(Appended::AlreadyThere);
            }
            if after.is_some_and(|after| there.is_some_and(|there| there > after)) {
                return Ok(Appended::Overtaken);
            }
            if let Some(files) = waiting.take() {
                uploaded = upload(&self.store, &self.schema.name, files)?;
            }
            if self.try_commit(&uploaded, app_id, version, now)? {
                return Ok(Appended::Added);
            }
            self.refresh()?;
        }
        Err(self.overtaken())
    }

    /// Makes sure that all `files` are in the store still.
    ///
    /// # Errors
    /// If one of them is not: a vacuum takes what no table has for too long.
    pub(crate) fn check_uploaded(&self, files: &Uploaded) -> Result<(), LakeError> {
        for file in &files.0 {
            if !self.store.exists_blocking(&location(&self.schema.name, &file.url)?)? {
                let problem = "some of the rows were deleted before they were committed; raise \
                    maintenance.delete_after above the longest time that a job takes";
                return Err(LakeError::table(&self.schema.name, problem));
            }
        }
        Ok(())
    }

    /// Makes sure that no newer server has committed to the table. It has the store's word besides, but two
    /// commits at one moment are told apart by Delta alone: the later one meets a conflict and comes here.
    fn check_epoch(&mut self) -> Result<(), LakeError> {
        let Some(held) = self.store.epoch() else { return Ok(()) };
        let newest = self.version_of(EPOCH_APP)?;
        if newest.is_some_and(|newest| u64::try_from(newest).is_ok_and(|newest| newest > held)) {
            self.store.check_epoch_blocking()?;
        }
        Ok(())
    }

    fn overtaken(&self) -> LakeError {
        let problem = format!(
            "{MAX_ATTEMPTS} commits in a row met another writer's; does another server share the lake?"
        );
        LakeError::table(&self.schema.name, problem)
    }

    /// One attempt; false after a conflict.
    fn try_commit(
        &mut self,
        files: &[UploadedFile],
        app_id: &str,
        version: i64,
        now: Timestamp,
    ) -> Result<bool, LakeError> {
        self.store.check_epoch_blocking()?;
        // The first commit of a server says its epoch, and those behind it need not.
        let epoch = self.store.epoch().map(|epoch| i64::try_from(epoch).unwrap_or(i64::MAX));
        let epoch = if epoch == self.version_of(EPOCH_APP)? { None } else { epoch };
        let failed = |error: delta_kernel::KernelError| LakeError::table(&self.schema.name, error);
        let engine = self.engine.as_ref();
        let mut builder = Arc::clone(&self.snapshot)
            .update_table(UpdateTableOperation::StreamingUpdate, ENGINE_INFO, true)
            .with_blind_append()
            .with_transaction_id(app_id, version);
        if let Some(epoch) = epoch {
            builder = builder.with_transaction_id(EPOCH_APP, epoch);
        }
        let mut transaction = builder.build(engine, Box::new(FileSystemCommitter::new())).map_err(failed)?;
        self.stage(&mut transaction, files, now)?;
        match transaction.commit(engine).map_err(failed)? {
            CommitResult::Conflicted(_) => Ok(false),
            CommitResult::Retryable(retry) => Err(failed(retry.error)),
            CommitResult::Committed(done) => {
                match done.post_commit_snapshot() {
                    Some(snapshot) => {
                        self.add_to_list(Arc::clone(snapshot), files)?;
                        self.versions.insert(app_id.to_owned(), version);
                        self.versions.extend(epoch.map(|epoch| (EPOCH_APP.to_owned(), epoch)));
                    }
                    None => self.refresh()?,
                }
                self.settle(&done)?;
                Ok(true)
            }
        }
    }

    /// Puts `files`, which are uploaded, into a transaction.
    fn stage(
        &self,
        transaction: &mut Transaction,
        files: &[UploadedFile],
        now: Timestamp,
    ) -> Result<(), LakeError> {
        let failed = |error: delta_kernel::KernelError| LakeError::table(&self.schema.name, error);
        let state = transaction.write_state().map_err(failed)?;
        for UploadedFile { url, size_bytes, file } in files {
            let mut context = state.write_context_builder();
            if let Some(days) = file.date {
                context =
                    context.with_partition_values(HashMap::from([(DATE.to_owned(), Scalar::Date(days))]));
            }
            let context = context.build().map_err(failed)?;
            let meta =
                FileMeta { location: url.clone(), last_modified: now.0.div_euclid(1000), size: *size_bytes };
            let data = DataFileMetadata::new(meta, delta_stats(file));
            transaction.add_files(build_add_file_metadata(data, &context).map_err(failed)?);
        }
        Ok(())
    }

    /// Makes a commit durable, and writes a checkpoint when it is time for one.
    fn settle(&mut self, done: &CommittedTransaction) -> Result<(), LakeError> {
        self.keep_commits()?;
        if done.post_commit_stats().commits_since_checkpoint >= COMMITS_PER_CHECKPOINT {
            self.checkpoint();
        }
        Ok(())
    }

    /// Takes over the state after an own commit without listing the table again.
    fn add_to_list(&mut self, snapshot: SnapshotRef, added: &[UploadedFile]) -> Result<(), LakeError> {
        let mut files = Vec::clone(&self.files);
        for UploadedFile { url, size_bytes, file } in added {
            let location = location(&self.schema.name, url)?;
            files.push(Arc::new(DataFile {
                location,
                size_bytes: *size_bytes,
                rows: Some(file.rows),
                bounds: file.bounds.clone(),
                deleted: None,
            }));
        }
        self.files = Arc::new(files);
        self.snapshot = snapshot;
        Ok(())
    }

    /// A checkpoint only speeds up reading, so a failure is reported and the table goes on.
    pub(crate) fn checkpoint(&mut self) {
        match self.snapshot.checkpoint(self.engine.as_ref(), None) {
            Ok((_, snapshot)) => {
                self.snapshot = snapshot;
                if let Err(error) = self.make_checkpoint_durable() {
                    tracing::warn!(table = self.schema.name, %error, "a checkpoint may not outlive a power \
                        cut");
                }
            }
            Err(error) => {
                tracing::warn!(
                    table = self.schema.name,
                    %error,
                    "no checkpoint could be written; reading the table gets slower"
                );
            }
        }
    }

    /// Catches up with other writers if there are commits to catch up with, which is cheaper to ask than to
    /// renew the file list.
    pub(crate) fn catch_up(&mut self) -> Result<(), LakeError> {
        let next = commit_location(&self.schema.name, &self.store, self.snapshot.version() + 1)?;
        if self.store.exists_blocking(&next)? { self.refresh() } else { Ok(()) }
    }

    /// Catches up with other writers.
    pub(crate) fn refresh(&mut self) -> Result<(), LakeError> {
        let renewed = Snapshot::builder_from(Arc::clone(&self.snapshot)).build(self.engine.as_ref());
        let renewed = renewed.map_err(|error| self.failed(error))?;
        // All or nothing: a snapshot that is ahead of the list would say of rows that they are there, and
        // they would not be shown.
        self.files = self.list(&renewed)?;
        self.snapshot = renewed;
        self.versions.clear();
        self.keep_commits()
    }

    fn failed(&self, error: delta_kernel::KernelError) -> LakeError {
        LakeError::table(&self.schema.name, error)
    }
}

#[cfg(test)]
mod tests;
