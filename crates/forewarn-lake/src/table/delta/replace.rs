//! Files of a table that give way to others: what compaction, retention and jobs that run again commit.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::AsArray as _;
use delta_kernel::committer::FileSystemCommitter;
use delta_kernel::engine::arrow_data::ArrowEngineData;
use delta_kernel::engine_data::FilteredEngineData;
use delta_kernel::transaction::{CommitResult, UpdateTableOperation};
use forewarn_types::Timestamp;
use object_store::path::Path;

use super::listing::is_selected;
use super::{Change, DeltaTable, ENGINE_INFO, MAX_ATTEMPTS};
use crate::error::LakeError;
use crate::table::file::DataFile;
use crate::table::location::inside;
use crate::table::upload::Uploaded;

impl DeltaTable {
    /// Takes the files `read` out of the table and `added` in, in one commit. If one of `read` is no longer
    /// in the table, or some of its rows have been deleted since, as another writer was faster, nothing is
    /// done and the answer is false: `added` may hold rows that are gone or stand elsewhere by now.
    pub(crate) fn replace(
        &mut self,
        read: &[Arc<DataFile>],
        added: &Uploaded,
        change: Change,
        now: Timestamp,
    ) -> Result<bool, LakeError> {
        let read: HashMap<&Path, &DataFile> = read.iter().map(|file| (&file.location, &**file)).collect();
        let gone: HashSet<&Path> = read.keys().copied().collect();
        for _ in 0..MAX_ATTEMPTS {
            let as_read = |file: &&Arc<DataFile>| {
                read.get(&file.location).is_some_and(|read| read.deleted == file.deleted)
            };
            if self.files.iter().filter(as_read).count() < read.len() {
                return Ok(false);
            }
            if self.try_replace(&gone, added, change, now)? {
                return Ok(true);
            }
            self.refresh()?;
        }
        Err(self.overtaken())
    }

    /// One attempt; false after a conflict.
    fn try_replace(
        &mut self,
        gone: &HashSet<&Path>,
        added: &Uploaded,
        change: Change,
        now: Timestamp,
    ) -> Result<bool, LakeError> {
        self.store.check_epoch_blocking()?;
        let failed = |error: delta_kernel::KernelError| LakeError::table(&self.schema.name, error);
        let engine = Arc::clone(&self.engine);
        let (operation, data_change) = match change {
            Change::Rearranged => (UpdateTableOperation::Optimize, false),
            Change::Deleted => (UpdateTableOperation::Delete, true),
            Change::Replaced => (UpdateTableOperation::Write, true),
        };
        let mut transaction = Arc::clone(&self.snapshot)
            .update_table(operation, ENGINE_INFO, data_change)
            .build(engine.as_ref(), Box::new(FileSystemCommitter::new()))
            .map_err(failed)?;
        let scan = Arc::clone(&self.snapshot).scan_builder().build().map_err(failed)?;
        for metadata in scan.scan_metadata(engine.as_ref()).map_err(failed)? {
            let (data, selected) = metadata.map_err(failed)?.scan_files.into_parts();
            let picked = self.pick(data.any_ref().downcast_ref::<ArrowEngineData>(), &selected, gone)?;
            if picked.contains(&true) {
                transaction.remove_files(FilteredEngineData::try_new(data, picked).map_err(failed)?);
            }
        }
        self.stage(&mut transaction, &added.0, now)?;
        match transaction.commit(engine.as_ref()).map_err(failed)? {
            CommitResult::Conflicted(_) => Ok(false),
            CommitResult::Retryable(retry) => Err(failed(retry.error)),
            CommitResult::Committed(done) => {
                match done.post_commit_snapshot() {
                    Some(snapshot) => {
                        let left = self
                            .files
                            .iter()
                            .filter(|file| !gone.contains(&file.location))
                            .cloned()
                            .collect();
                        self.files = Arc::new(left);
                        self.add_to_list(Arc::clone(snapshot), &added.0)?;
                    }
                    None => self.refresh()?,
                }
                self.settle(&done)?;
                Ok(true)
            }
        }
    }

    /// Which rows of a piece of the file list stand for files that go.
    fn pick(
        &self,
        data: Option<&ArrowEngineData>,
        selected: &[bool],
        gone: &HashSet<&Path>,
    ) -> Result<Vec<bool>, LakeError> {
        let odd = || LakeError::table(&self.schema.name, "its file list is not in the expected form");
        let batch = data.ok_or_else(odd)?.record_batch();
        let paths =
            batch.column_by_name("path").and_then(|column| column.as_string_opt::<i32>()).ok_or_else(odd)?;
        let root = self.store.table_url(&self.schema.name)?;
        let mut picked = vec![false; batch.num_rows()];
        for (row, picked) in picked.iter_mut().enumerate() {
            if is_selected(selected, row) {
                *picked = gone.contains(&inside(&self.schema.name, &root, paths.value(row))?);
            }
        }
        Ok(picked)
    }
}
