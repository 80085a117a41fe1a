//! What everything that writes to the lake shares: the tables, and how a commit becomes visible.

use std::sync::{Arc, OnceLock};

use forewarn_types::{Clock, Offset, Record};
use parking_lot::{Mutex, RwLock};
use tokio::sync::{mpsc, oneshot};

use super::failures::Failures;
use super::marker::Marker;
use crate::error::LakeError;
use crate::read::Reader;
use crate::table::{Appended, DeltaTable, NewFile, Tables};

/// Where the outcome of a flush goes.
pub(super) type FlushReply = oneshot::Sender<Result<Offset, String>>;

/// The lake, as those see it that write.
pub(crate) struct Writer {
    pub(crate) reader: Arc<Reader>,
    pub(crate) tables: Tables,
    pub(crate) clock: Arc<dyn Clock>,
    flush: RwLock<Option<mpsc::Sender<FlushReply>>>,
    /// The tables whose last commit failed.
    pub(crate) failures: Failures,
    /// What the marker said when the lake was opened.
    pub(super) marker: Option<Marker>,
    /// The application id in `txn` actions of the branch, once it is known which log feeds the lake.
    pub(super) branch_app: OnceLock<String>,
}

impl Writer {
    /// A writer of `tables`, which `reader` shows; `marker` is what the store says of their log.
    pub(crate) fn new(
        reader: Arc<Reader>,
        tables: Tables,
        clock: Arc<dyn Clock>,
        marker: Option<Marker>,
    ) -> Self {
        Self {
            reader,
            tables,
            clock,
            flush: RwLock::new(None),
            failures: Failures::default(),
            marker,
            branch_app: OnceLock::new(),
        }
    }

    /// Where requests to commit the tail go: to the branch that runs, if one does.
    pub(super) fn set_flush(&self, branch: Option<mpsc::Sender<FlushReply>>) {
        *self.flush.write() = branch;
    }

    /// Commits the tail now; see [`Lake::flush`](crate::Lake::flush).
    pub(crate) async fn flush(&self) -> Result<Offset, LakeError> {
        self.reader.progress.wait_current().await?;
        let stopped = || LakeError::Stopped("the branch is not running".into());
        let branch = self.flush.read().clone().ok_or_else(stopped)?;
        let (reply, answer) = oneshot::channel();
        branch.send(reply).await.map_err(|_| stopped())?;
        answer
            .await
            .map_err(|_| stopped())?
            .map_err(|problem| LakeError::store("committing the tail", problem))
    }

    /// Takes `records`, which end before `end`, into the tail.
    pub(super) fn take_in(&self, records: Vec<(Offset, Arc<Record>)>, end: Offset) {
        self.reader.view.write().tail.apply(records);
        self.reader.progress.advance(end);
    }

    /// Appends `files` and shows them to queries in the same step. With `after`, the rows are the tail's from
    /// that offset on, and the border between files and tail moves to what the table says afterwards. Blocks.
    pub(crate) fn commit(
        &self,
        table: &Mutex<DeltaTable>,
        files: Vec<NewFile>,
        app_id: &str,
        version: i64,
        after: Option<Offset>,
    ) -> Result<Appended, LakeError> {
        let mut table = table.lock();
        let after = after.map(|offset| i64::try_from(offset.0).unwrap_or(i64::MAX));
        let appended = table.append(files, app_id, version, after, self.clock.now())?;
        let border = match after {
            Some(_) => table.version_of(app_id)?.map(|version| Offset(u64::try_from(version).unwrap_or(0))),
            None => None,
        };
        let mut view = self.reader.view.write();
        if let Some(entry) = view.tables.get_mut(&table.schema.name) {
            entry.files = table.files();
            entry.committed = border.or(entry.committed);
        }
        Ok(appended)
    }

    /// Shows queries the files that `table` has now. Among them may be rows that stand in the tail as well:
    /// those of an own commit whose answer got lost. So the border between files and tail moves along.
    pub(crate) fn show_files(&self, table: &mut DeltaTable) -> Result<(), LakeError> {
        let version = self.branch_app.get().map_or(Ok(None), |app_id| table.version_of(app_id))?;
        let border = version.map(|version| Offset(u64::try_from(version).unwrap_or(0)));
        if let Some(entry) = self.reader.view.write().tables.get_mut(&table.schema.name) {
            entry.files = table.files();
            entry.committed =
                entry.committed.map(|committed| border.map_or(committed, |border| border.max(committed)));
        }
        Ok(())
    }

    /// Whether queries see the files that `table` has.
    pub(crate) fn shows(&self, table: &DeltaTable) -> bool {
        self.reader
            .view
            .read()
            .tables
            .get(&table.schema.name)
            .is_some_and(|entry| Arc::ptr_eq(&entry.files, &table.files()))
    }
}
