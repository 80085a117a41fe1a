//! The rows of one data interval of a job: replaced as a whole when it runs again.
//!
//! Each row of a job's table is marked with the job and the interval it was written for. When the interval
//! runs again, the files that hold such rows are written anew without them, and go in the same commit in
//! which the new rows come.

use std::sync::Arc;

use arrow::array::{Array as _, AsArray as _, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use forewarn_types::Timestamp;
use parking_lot::Mutex;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::append::{check_target, in_order};
use super::writer::Writer;
use crate::error::LakeError;
use crate::read::{ResultSet, form_of, in_form};
use crate::table::{
    Bounds, Change, ColumnData, ColumnInfo, ColumnType, DataFile, DeltaTable, FileWriter, Limit, MARKS,
    MinMax, NewFile, TableSchema, Uploaded, bounds_of, file_of_columns,
};

/// So many times in a row others may rearrange the files that hold rows of the interval.
const MAX_ATTEMPTS: usize = 20;

/// One data interval of a job, `[from, to)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntervalOf {
    /// The job.
    pub job: String,
    /// Its start.
    pub from: Timestamp,
    /// Its end.
    pub to: Timestamp,
}

/// A file of which some rows go, and what is left of it; nothing if all go.
struct Rewritten {
    file: Arc<DataFile>,
    left: Option<NewFile>,
}

impl Writer {
    /// Makes `rows` those of `interval`; see [`Lake::replace_interval`](crate::Lake::replace_interval).
    pub(crate) async fn replace_interval(
        self: &Arc<Self>,
        table: &str,
        rows: &ResultSet,
        interval: IntervalOf,
        earlier: Vec<String>,
    ) -> Result<u64, LakeError> {
        check_target(&self.reader, table)?;
        if let Some(taken) = rows.schema().into_iter().find(ColumnInfo::is_hidden) {
            return Err(LakeError::Query(format!(
                "no column of table {table} may be named {}: Forewarn keeps there which run has written a \
                 row; give it another name with AS",
                taken.name
            )));
        }
        let mut columns = rows.schema();
        if !columns.is_empty() {
            columns.extend(marks());
        }
        let shared = self.find_or_create(table, columns).await?;
        let (writer, rows, count) = (Arc::clone(self), rows.clone(), rows.row_count() as u64);
        let work = move || {
            writer.mark(&shared)?;
            refuse_earlier(&mut shared.lock(), &earlier, &interval)?;
            let schema = Arc::clone(&shared.lock().schema);
            let columns = marked(&schema, in_order(&schema, &rows)?, &interval, rows.row_count());
            let new = if rows.row_count() == 0 {
                Uploaded::none()
            } else {
                let file = file_of_columns(&schema, &columns)?;
                Uploaded::new(&writer.reader.store, &schema.name, vec![file])?
            };
            writer.swap(&shared, new, &interval)
        };
        tokio::task::spawn_blocking(work).await.map_err(|error| LakeError::cut_off(&error))??;
        Ok(count)
    }

    /// Gives a table that an earlier version made the columns that say which run has written a row.
    pub(super) fn mark(&self, table: &Mutex<DeltaTable>) -> Result<(), LakeError> {
        let mut table = table.lock();
        if MARKS.iter().all(|(name, _)| table.schema.column(name).is_some()) {
            return Ok(());
        }
        table.ensure(&marks())?;
        self.show_files(&mut table)?;
        if let Some(entry) = self.reader.view.write().tables.get_mut(&table.schema.name) {
            entry.schema = Arc::clone(&table.schema);
        }
        Ok(())
    }

    /// Puts the rows of `new`, which are marked, in the place of those of `interval`. Blocks.
    pub(super) fn swap(
        &self,
        table: &Mutex<DeltaTable>,
        mut new: Uploaded,
        interval: &IntervalOf,
    ) -> Result<(), LakeError> {
        let bounds = interval.bounds();
        for _ in 0..MAX_ATTEMPTS {
            let (schema, files) = {
                let mut table = table.lock();
                table.catch_up()?;
                (Arc::clone(&table.schema), table.files())
            };
            let mut found = Vec::new();
            for file in files.iter().filter(|file| bounds.may_match(file)) {
                found.extend(self.rewrite(&schema, file, interval)?);
            }
            let read: Vec<Arc<DataFile>> = found.iter().map(|found| Arc::clone(&found.file)).collect();
            let left: Vec<NewFile> = found.into_iter().filter_map(|found| found.left).collect();
            if read.is_empty() && new.is_empty() {
                return Ok(());
            }
            let kept = left.len();
            let mut added = Uploaded::new(&self.reader.store, &schema.name, left)?;
            added.extend(new);
            let mut table = table.lock();
            let done = table.replace(&read, &added, Change::Replaced, self.clock.now())?;
            self.show_files(&mut table)?;
            if done {
                return Ok(());
            }
            new = added.split_off(kept);
        }
        let name = table.lock().schema.name.clone();
        Err(LakeError::table(
            &name,
            format!("its files were rearranged {MAX_ATTEMPTS} times while rows were to be replaced in them"),
        ))
    }

    /// `file` without the rows of `interval`; `None` if it has none. Blocks.
    fn rewrite(
        &self,
        schema: &TableSchema,
        file: &Arc<DataFile>,
        interval: &IntervalOf,
    ) -> Result<Option<Rewritten>, LakeError> {
        let wrong = |problem: String| LakeError::table(&schema.name, format!("{}: {problem}", file.location));
        let bytes = self.reader.store.find_blocking(&file.location, file.size_bytes)?;
        let bytes = bytes.ok_or_else(|| wrong("the file is missing in the store".into()))?;
        let arrow = schema.to_arrow();
        let form = form_of(&arrow, &bytes).map_err(wrong)?;
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(bytes, form).build();
        let (mut kept, mut row, mut gone) = (Vec::new(), 0_u64, 0_usize);
        for batch in reader.map_err(|error| wrong(error.to_string()))? {
            let batch = batch.map_err(|error| wrong(error.to_string()))?;
            let batch = in_form(&arrow, &batch).map_err(wrong)?;
            let mut own = rows_of(&batch, interval)?;
            gone += own.iter().filter(|own| **own).count();
            // What another program has deleted is not brought back.
            let here = row..row + own.len() as u64;
            for deleted in file.deleted.iter().flat_map(|deleted| deleted.within(here.clone())) {
                own[usize::try_from(deleted - row).unwrap_or(usize::MAX)] = true;
            }
            row = here.end;
            let keep: BooleanArray = own.iter().map(|own| Some(!own)).collect();
            kept.push(filter_record_batch(&batch, &keep).map_err(|error| wrong(error.to_string()))?);
        }
        if gone == 0 {
            return Ok(None);
        }
        let left = if kept.iter().all(|batch| batch.num_rows() == 0) {
            None
        } else {
            Some(file_of(schema, file.date(), &kept)?)
        };
        Ok(Some(Rewritten { file: Arc::clone(file), left }))
    }
}

impl IntervalOf {
    /// What is known of the files that may hold rows of it.
    fn bounds(&self) -> Bounds {
        let limits = [
            Limit::Text([self.job.clone()].into()),
            Limit::Time(i64::MIN, self.to.0.saturating_sub(1)),
            Limit::Time(self.from.0.saturating_add(1), i64::MAX),
        ];
        Bounds { columns: MARKS.iter().map(|(name, _)| (*name).to_owned()).zip(limits).collect() }
    }
}

pub(super) fn marks() -> Vec<ColumnInfo> {
    MARKS.iter().map(|&(name, ty)| ColumnInfo { name: name.to_owned(), ty }).collect()
}

/// `columns`, which are those of `schema`, with the marks of `interval` in each of so many rows.
pub(super) fn marked(
    schema: &TableSchema,
    mut columns: Vec<ColumnData>,
    interval: &IntervalOf,
    rows: usize,
) -> Vec<ColumnData> {
    let values = [
        ColumnData::Text(vec![Some(interval.job.clone()); rows]),
        ColumnData::Time(vec![Some(interval.from); rows]),
        ColumnData::Time(vec![Some(interval.to); rows]),
    ];
    for ((name, _), value) in MARKS.iter().zip(values) {
        if let Some(place) = schema.columns.iter().position(|column| column.name == *name) {
            columns[place] = value;
        }
    }
    columns
}

/// Refuses an interval of which an earlier version has written rows: it did not mark them.
fn refuse_earlier(
    table: &mut DeltaTable,
    earlier: &[String],
    interval: &IntervalOf,
) -> Result<(), LakeError> {
    for writer in earlier {
        if table.version_of(writer)?.is_some() {
            return Err(LakeError::Query(format!(
                "table {} has rows of job {} between {} and {} that an earlier version of Forewarn has \
                 written, which did not note the interval of a row; they stay as they are: to compute them \
                 again, write to another table",
                table.schema.name, interval.job, interval.from, interval.to
            )));
        }
    }
    Ok(())
}

/// Which rows of `batch` stand for `interval`, or for a part of it.
fn rows_of(batch: &RecordBatch, interval: &IntervalOf) -> Result<Vec<bool>, LakeError> {
    let column = |place: usize| batch.column_by_name(MARKS[place].0);
    let (Some(jobs), Some(from), Some(to)) = (
        column(0).and_then(|jobs| jobs.as_string_opt::<i32>()),
        column(1).and_then(|from| from.as_primitive_opt::<TimestampMicrosecondType>()),
        column(2).and_then(|to| to.as_primitive_opt::<TimestampMicrosecondType>()),
    ) else {
        return Ok(vec![false; batch.num_rows()]);
    };
    let mut own = Vec::with_capacity(batch.num_rows());
    for row in 0..batch.num_rows() {
        if jobs.is_null(row) || jobs.value(row) != interval.job {
            own.push(false);
            continue;
        }
        let (from, to) = (Timestamp(from.value(row)), Timestamp(to.value(row)));
        let within = from >= interval.from && to <= interval.to;
        if !within && from < interval.to && to > interval.from {
            return Err(LakeError::Query(format!(
                "the table has rows of job {} for the interval from {from} to {to}, of an earlier schedule; \
                 the interval from {} to {} is only a part of it or reaches over its end, and no row may \
                 count twice",
                interval.job, interval.from, interval.to
            )));
        }
        own.push(within);
    }
    Ok(own)
}

/// One file of `batches`, with the bounds of what is in it.
fn file_of(schema: &TableSchema, date: Option<i32>, batches: &[RecordBatch]) -> Result<NewFile, LakeError> {
    let mut writer = FileWriter::new(schema, schema.to_arrow())?;
    let mut bounds: Vec<(String, Option<MinMax>)> = Vec::new();
    for batch in batches.iter().filter(|batch| batch.num_rows() > 0) {
        writer.write(batch)?;
        for (place, column) in schema.columns.iter().enumerate() {
            // A piece without a value says nothing, neither of the bounds nor against them.
            if batch.column(place).null_count() == batch.num_rows() {
                continue;
            }
            let found = bounds_in(batch, place, column.ty);
            match bounds.iter_mut().find(|(name, _)| *name == column.name) {
                Some((_, known)) => {
                    *known = known.take().zip(found).and_then(|(known, found)| known.merge(&found));
                }
                None => bounds.push((column.name.clone(), found)),
            }
        }
    }
    let bounds = bounds.into_iter().filter_map(|(name, bounds)| Some((name, bounds?))).collect();
    Ok(NewFile::new(date, writer.finish()?, bounds))
}

/// The bounds of a column in `batch`, which has values, if there are any.
fn bounds_in(batch: &RecordBatch, place: usize, ty: ColumnType) -> Option<MinMax> {
    let array = batch.column(place);
    let data = match ty {
        ColumnType::Int => ColumnData::Int(array.as_primitive_opt::<Int64Type>()?.iter().collect()),
        ColumnType::Time => ColumnData::Time(
            array
                .as_primitive_opt::<TimestampMicrosecondType>()?
                .iter()
                .map(|time| time.map(Timestamp))
                .collect(),
        ),
        ColumnType::Text => {
            let texts = array.as_string_opt::<i32>()?;
            ColumnData::Text(texts.iter().map(|text| text.map(str::to_owned)).collect())
        }
        ColumnType::Bool | ColumnType::Float => return None,
    };
    bounds_of(&data)
}
