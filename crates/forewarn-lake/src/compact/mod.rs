//! Compaction: many small files of a table become few large ones.
//!
//! The branch commits often, so that the log stays short; queries and readers want few files, sorted. A compaction reads small files of
//! one partition, writes their rows anew and swaps the files in one commit. It holds no lock while it reads and writes, and it is no
//! commit of the branch: ingestion goes on, and a query keeps the files it began with, which only a vacuum removes. If a file it has
//! read is gone by the time it commits, it commits nothing.

mod merge;
mod plan;

use std::sync::Arc;

use arrow::datatypes::Schema;
use bytes::Bytes;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};

use self::merge::Merged;
use self::plan::{Group, groups};
use crate::parquet::{Bounds, FileWriter, NewFile};
use crate::schema::{READINGS, TableSchema};
use crate::table::{Change, DataFile, Uploaded};
use crate::{Lake, LakeError};

/// What a compaction aims at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompactOptions {
    /// Files of about this many bytes are made; those of at least half of it are left alone.
    pub target_bytes: u64,
    /// So many small files must have gathered in a partition that still grows.
    pub min_files: usize,
    /// At most so many files are merged at a time.
    pub max_files: usize,
}

impl Default for CompactOptions {
    /// Files of 128 MB, of at least 8 and at most 256.
    fn default() -> Self {
        Self { target_bytes: 128 << 20, min_files: 8, max_files: 256 }
    }
}

/// What a compaction did to a table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Compacted {
    /// Files that were merged.
    pub files_before: usize,
    /// Files they became.
    pub files_after: usize,
    /// Bytes of the files that were merged.
    pub bytes_before: u64,
    /// Bytes of the files they became.
    pub bytes_after: u64,
    /// Rows in them.
    pub rows: u64,
    /// Exact repetitions of readings that were left out.
    pub duplicates: u64,
}

impl Lake {
    /// Merges small files of `table` as of the injected clock, group by group.
    ///
    /// # Errors
    /// [`LakeError::Query`] if there is no such table, [`LakeError::Store`] or [`LakeError::Table`] if reading or writing fails. What
    /// has been committed by then stays.
    pub async fn compact(&self, table: &str, options: CompactOptions) -> Result<Compacted, LakeError> {
        // Two at a time would only fight for memory, and for the same files.
        let _alone = self.inner.maintaining.lock().await;
        let view = self.inner.view.read().tables.get(table).cloned();
        let view = view.ok_or_else(|| LakeError::Query(format!("there is no table {table}")))?;
        let mut done = Compacted::default();
        for group in groups(&view.schema, &view.files, &options, self.inner.clock.now()) {
            let (lake, schema) = (self.clone(), Arc::clone(&view.schema));
            let work = move || lake.compact_group(&schema, &group, options);
            if let Some(part) = tokio::task::spawn_blocking(work).await.map_err(|error| LakeError::cut_off(&error))?? {
                done.add(part);
            }
        }
        Ok(done)
    }

    /// Merges one group; `None` if its files have changed meanwhile, or cannot be merged. Blocks.
    fn compact_group(&self, schema: &TableSchema, group: &Group, options: CompactOptions) -> Result<Option<Compacted>, LakeError> {
        let Some(writer) = self.existing_writer(&schema.name) else { return Ok(None) };
        let bytes = group.files.iter().map(|file| self.inner.files.get_blocking(&file.location)).collect::<Result<Vec<Bytes>, _>>()?;
        let target = usize::try_from(options.target_bytes).unwrap_or(usize::MAX);
        let merged = if schema.name == READINGS { merge::merge(schema, bytes, group.date, target) } else { join(schema, bytes, group) };
        let merged = match merged {
            Ok(merged) => merged,
            Err(problem) => {
                tracing::warn!(table = schema.name, date = group.date, problem, "these files are not merged: one of them");
                return Ok(None);
            }
        };
        let mut part = Compacted {
            files_before: group.files.len(),
            files_after: merged.files.len(),
            bytes_before: group.files.iter().map(|file| file.size_bytes).sum(),
            bytes_after: merged.files.iter().map(|file| file.bytes.len() as u64).sum(),
            rows: merged.rows,
            duplicates: merged.duplicates,
        };
        let gone: Vec<_> = group.files.iter().map(|file| file.location.clone()).collect();
        let added = Uploaded::new(&self.inner.files, &schema.name, merged.files)?;
        let mut table = writer.lock();
        if !table.replace(&gone, &added, Change::Rearranged, self.inner.clock.now())? {
            part = Compacted::default();
        }
        self.show_files(&table);
        Ok((part.files_before > 0).then_some(part))
    }
}

impl Compacted {
    fn add(&mut self, part: Self) {
        self.files_before += part.files_before;
        self.files_after += part.files_after;
        self.bytes_before += part.bytes_before;
        self.bytes_after += part.bytes_after;
        self.rows += part.rows;
        self.duplicates += part.duplicates;
    }
}

/// One file of the rows of `files`, in the order of the files; for tables whose rows are few and in no order.
fn join(table: &TableSchema, files: Vec<Bytes>, group: &Group) -> Result<Merged, String> {
    let schema: Arc<Schema> = table.to_arrow();
    let mut writer = FileWriter::new(table, Arc::clone(&schema)).map_err(|error| error.to_string())?;
    let mut rows = 0;
    for file in files {
        let options = ArrowReaderOptions::new().with_schema(Arc::clone(&schema));
        let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options).and_then(ParquetRecordBatchReaderBuilder::build);
        for batch in reader.map_err(|error| error.to_string())? {
            let batch = batch.map_err(|error| error.to_string())?;
            rows += batch.num_rows() as u64;
            writer.write(&batch).map_err(|error| error.to_string())?;
        }
    }
    let bytes = writer.finish().map_err(|error| error.to_string())?;
    let file = NewFile { date: group.date, bytes, rows, bounds: common_bounds(&group.files) };
    Ok(Merged { files: vec![file], rows, duplicates: 0 })
}

/// The bounds that hold for all files; a column that is not bounded in one of them has none.
fn common_bounds(files: &[Arc<DataFile>]) -> Vec<(String, Bounds)> {
    let Some((first, rest)) = files.split_first() else { return Vec::new() };
    let of = |file: &DataFile, name: &str| file.bounds.iter().find(|(other, _)| other == name).map(|(_, bounds)| bounds.clone());
    let common = |(name, bounds): &(String, Bounds)| {
        rest.iter().try_fold(bounds.clone(), |all, file| all.merge(&of(file, name)?)).map(|bounds| (name.clone(), bounds))
    };
    first.bounds.iter().filter_map(common).collect()
}

#[cfg(test)]
#[path = "../compact_tests.rs"]
mod tests;
