//! Compaction: many small files of a table become few large ones.
//!
//! The branch commits often, so that the log stays short; queries and readers want few files, sorted. A
//! compaction reads small files of one partition, writes their rows anew and swaps the files in one commit.
//! It holds no lock while it reads and writes, and it is no commit of the branch: ingestion goes on, and a
//! query keeps the files it began with, which only a vacuum removes. If a file it has read is gone by the
//! time it commits, or has lost rows, it commits nothing.

mod merge;
mod plan;

use std::sync::Arc;

use arrow::array::{RecordBatch, new_null_array};
use arrow::datatypes::{Field, Schema};
use bytes::Bytes;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReaderBuilder};
use parquet::file::metadata::ParquetMetaDataReader;

use self::merge::{Fault, Merged, in_file};
use self::plan::{Group, groups};
use crate::files::in_form_of;
use crate::parquet::{Bounds, FileWriter, NewFile};
use crate::schema::{READINGS, TableSchema};
use crate::table::{Change, DataFile, Uploaded};
use crate::{Lake, LakeError};

/// After so many groups in a row for which the store failed, it is asked whether it answers at all: each of
/// them may have waited for one that is away. If it does, it is those files.
const MOST_FAILURES: usize = 3;

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
    /// [`LakeError::Query`] if there is no such table, [`LakeError::Store`] or [`LakeError::Table`] if a
    /// group could not be read or written: the first failure, and how many there were. The other groups are
    /// merged all the same, as long as the store answers.
    pub async fn compact(&self, table: &str, options: CompactOptions) -> Result<Compacted, LakeError> {
        // Two at a time would only fight for memory, and for the same files.
        let _alone = self.inner.maintaining.lock().await;
        let view = self.inner.view.read().tables.get(table).cloned();
        let view = view.ok_or_else(|| LakeError::Query(format!("there is no table {table}")))?;
        let mut done = Compacted::default();
        let groups = groups(&view.schema, &view.files, &options, self.inner.clock.now());
        let (total, mut failures, mut in_a_row) = (groups.len(), Failures::default(), 0);
        for group in groups {
            let (lake, schema) = (self.clone(), Arc::clone(&view.schema));
            let work = move || lake.compact_group(&schema, &group, options);
            match tokio::task::spawn_blocking(work)
                .await
                .unwrap_or_else(|error| Err(LakeError::cut_off(&error)))
            {
                Ok(part) => {
                    done.add(part.unwrap_or_default());
                    in_a_row = 0;
                }
                Err(error) => {
                    tracing::warn!(table, %error, "a group of files could not be merged");
                    in_a_row = if matches!(error, LakeError::Store { .. }) { in_a_row + 1 } else { 0 };
                    failures.add(error);
                    if in_a_row == MOST_FAILURES {
                        if !self.inner.files.answers(table).await {
                            break;
                        }
                        in_a_row = 0;
                    }
                }
            }
        }
        failures.told(table, total).map_or(Ok(done), Err)
    }

    /// Merges one group; `None` if its files have changed meanwhile, or cannot be merged. Blocks.
    fn compact_group(
        &self,
        schema: &TableSchema,
        group: &Group,
        options: CompactOptions,
    ) -> Result<Option<Compacted>, LakeError> {
        let Some(writer) = self.existing_writer(&schema.name) else { return Ok(None) };
        let (mut files, mut bytes) = (Vec::new(), Vec::new());
        for file in &group.files {
            match self.inner.files.find_blocking(&file.location, file.size_bytes)? {
                Some(found) => {
                    files.push(Arc::clone(file));
                    bytes.push(found);
                }
                None => leave(schema, file, "is missing in the store"),
            }
        }
        let target = usize::try_from(options.target_bytes).unwrap_or(usize::MAX);
        let merged = loop {
            if files.len() < 2 {
                return Ok(None);
            }
            let merged = if schema.name == READINGS {
                merge::merge(schema, &bytes, group.date, target)
            } else {
                join(schema, &bytes, group.date, &files)
            };
            match merged {
                Ok(merged) => break merged,
                Err(Fault { file: Some(place), problem }) => {
                    leave(schema, &files.remove(place), &problem);
                    bytes.remove(place);
                }
                Err(Fault { file: None, problem }) => return Err(LakeError::table(&schema.name, problem)),
            }
        };
        let mut part = Compacted {
            files_before: files.len(),
            files_after: merged.files.len(),
            bytes_before: files.iter().map(|file| file.size_bytes).sum(),
            bytes_after: merged.files.iter().map(|file| file.bytes.len() as u64).sum(),
            rows: merged.rows,
            duplicates: merged.duplicates,
        };
        let added = Uploaded::new(&self.inner.files, &schema.name, merged.files)?;
        let mut table = writer.lock();
        if !table.replace(&files, &added, Change::Rearranged, self.inner.clock.now())? {
            part = Compacted::default();
        }
        self.show_files(&mut table)?;
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

/// The groups that could not be merged.
#[derive(Default)]
struct Failures {
    count: usize,
    first: Option<LakeError>,
}

impl Failures {
    fn add(&mut self, error: LakeError) {
        self.count += 1;
        self.first.get_or_insert(error);
    }

    /// The first failure, and how many of the `total` groups of `table` there were.
    fn told(self, table: &str, total: usize) -> Option<LakeError> {
        match (self.count, self.first?) {
            (1, first) if total == 1 => Some(first),
            (count, first) => Some(LakeError::table(
                table,
                format!("{count} of {total} groups of files could not be merged; the first: {first}"),
            )),
        }
    }
}

/// Says that a file stays as it is, and why.
fn leave(schema: &TableSchema, file: &DataFile, problem: &str) {
    tracing::warn!(table = schema.name, file = %file.location, problem, "this file is not merged with others");
}

/// One file of the rows of `files`, in the order of the files; for tables whose rows are few and in no order.
/// A column that came later than a file is empty in its rows.
fn join(
    table: &TableSchema,
    bytes: &[Bytes],
    date: Option<i32>,
    files: &[Arc<DataFile>],
) -> Result<Merged, Fault> {
    let schema: Arc<Schema> = table.to_arrow();
    let failed = |error: LakeError| Fault::from(error.to_string());
    let mut writer = FileWriter::new(table, Arc::clone(&schema)).map_err(failed)?;
    for (place, file) in bytes.iter().enumerate() {
        let wrong = in_file(place);
        let form = form_of(&schema, file).map_err(&wrong)?;
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file.clone(), form).build();
        for batch in reader.map_err(|error| wrong(error.to_string()))? {
            let batch = batch
                .map_err(|error| error.to_string())
                .and_then(|batch| in_form(&schema, &batch))
                .map_err(&wrong)?;
            writer.write(&batch).map_err(failed)?;
        }
    }
    let file = NewFile::new(date, writer.finish().map_err(failed)?, common_bounds(files));
    Ok(Merged { rows: file.rows, files: vec![file], duplicates: 0 })
}

/// How `file`, which must have no other columns than `schema`, is read.
fn form_of(schema: &Schema, file: &Bytes) -> Result<ArrowReaderMetadata, String> {
    let metadata = ParquetMetaDataReader::new().parse_and_finish(file).map_err(|error| error.to_string())?;
    let form = in_form_of(schema, Arc::new(metadata)).map_err(|error| error.to_string())?;
    if let Some(extra) =
        form.schema().fields().iter().find(|field| schema.field_with_name(field.name()).is_err())
    {
        return Err(format!("has the column {}, which another program has added", extra.name()));
    }
    Ok(form)
}

/// The rows of `batch` with the columns of `schema`.
fn in_form(schema: &Arc<Schema>, batch: &RecordBatch) -> Result<RecordBatch, String> {
    let column = |field: &Arc<Field>| {
        batch
            .column_by_name(field.name())
            .map_or_else(|| new_null_array(field.data_type(), batch.num_rows()), Arc::clone)
    };
    RecordBatch::try_new(Arc::clone(schema), schema.fields().iter().map(column).collect())
        .map_err(|error| error.to_string())
}

/// The bounds that hold for all files; a column that is not bounded in one of them has none.
fn common_bounds(files: &[Arc<DataFile>]) -> Vec<(String, Bounds)> {
    let Some((first, rest)) = files.split_first() else { return Vec::new() };
    let of = |file: &DataFile, name: &str| {
        file.bounds.iter().find(|(other, _)| other == name).map(|(_, bounds)| bounds.clone())
    };
    let common = |(name, bounds): &(String, Bounds)| {
        rest.iter()
            .try_fold(bounds.clone(), |all, file| all.merge(&of(file, name)?))
            .map(|bounds| (name.clone(), bounds))
    };
    // The ends of floats are those that were found while writing.
    first
        .bounds
        .iter()
        .filter(|(_, bounds)| !matches!(bounds, Bounds::Float(..)))
        .filter_map(common)
        .collect()
}

#[cfg(test)]
#[path = "../compact_tests.rs"]
mod tests;
