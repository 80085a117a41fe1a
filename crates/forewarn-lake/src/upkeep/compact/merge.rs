//! Merging sorted files of readings into few sorted ones.
//!
//! Within a file rows stand by asset, signal, time. So each series is one stretch of each file, and the merge
//! goes series by series: it takes the stretches of the series that comes next, puts their rows in order,
//! drops what is there twice, and writes. Of a series with very many rows it does so piece by piece, each up
//! to a time before which no file has more rows. Memory holds a batch of each file and one such piece.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray as _, BooleanArray, DictionaryArray, Float64Array, Int32Array, Int64Array,
    RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{Float64Type, Int32Type, Int64Type, Schema, TimestampMicrosecondType};
use bytes::Bytes;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use super::merged::{Fault, Merged, in_file};
use crate::read::form_of;
use crate::table::{FileWriter, MinMax, NewFile, TableSchema, encode, ends};
use crate::tail::QUALITIES;

/// Rows taken from a file at a time: many files are open at once.
const BATCH_ROWS: usize = 4_096;
/// Rows given to the writer at a time.
const WRITE_ROWS: usize = 65_536;
/// Rows of a series that are put in order at a time: at 34 bytes each about 70 MB. Twice what the batches of
/// all files of a group hold, so that each piece lets go of about half of it.
const PIECE_ROWS: usize = 1 << 21;

const UNSORTED: &str = "is not sorted by asset, signal and time; another program wrote it";

/// Merges `files`, each sorted, of the partition `date` into files of about `target_bytes`.
///
/// # Errors
/// A file that is not sorted or not of the expected form.
pub(super) fn merge(
    table: &TableSchema,
    files: &[Bytes],
    date: Option<i32>,
    target_bytes: usize,
) -> Result<Merged, Fault> {
    merge_by(table, files, date, target_bytes, PIECE_ROWS)
}

fn merge_by(
    table: &TableSchema,
    files: &[Bytes],
    date: Option<i32>,
    target_bytes: usize,
    piece_rows: usize,
) -> Result<Merged, Fault> {
    let mut inputs: Vec<Input> = Vec::with_capacity(files.len());
    for (place, file) in files.iter().enumerate() {
        inputs.extend(Input::open(table, file.clone(), place).map_err(in_file(place))?);
    }
    let mut output = Output::new(table, date, target_bytes);
    let mut rows = Rows::default();
    while let Some(series) =
        inputs.iter().map(Input::series).min().map(|(asset, signal)| (asset.to_owned(), signal.to_owned()))
    {
        let mut active: Vec<&mut Input> =
            inputs.iter_mut().filter(|input| input.series() == (&series.0, &series.1)).collect();
        rows.clear();
        // What is taken comes from the file that is furthest behind, so all rows before the next time of all
        // files are at hand.
        while let Some(time) = active.iter().map(|input| input.time()).min() {
            if rows.time.len() >= piece_rows {
                output.rows(&series, &mut rows, time)?;
            }
            for input in active.iter_mut().filter(|input| input.time() == time) {
                input.take(&series, &mut rows).map_err(in_file(input.place))?;
            }
            active.retain(|input| !input.ended && input.series() == (&series.0, &series.1));
        }
        output.rows(&series, &mut rows, i64::MAX)?;
        output.end_series()?;
        inputs.retain(|input| !input.ended);
    }
    Ok(output.finish()?)
}

/// Rows of one series, side by side.
#[derive(Debug, Default)]
struct Rows {
    time: Vec<i64>,
    value: Vec<f64>,
    quality: Vec<u8>,
    late: Vec<bool>,
    arrived: Vec<i64>,
    offset: Vec<i64>,
}

impl Rows {
    fn clear(&mut self) {
        *self = Self {
            time: cleared(std::mem::take(&mut self.time)),
            value: cleared(std::mem::take(&mut self.value)),
            quality: cleared(std::mem::take(&mut self.quality)),
            late: cleared(std::mem::take(&mut self.late)),
            arrived: cleared(std::mem::take(&mut self.arrived)),
            offset: cleared(std::mem::take(&mut self.offset)),
        };
    }

    /// Lets go of the rows before `time`.
    fn drop_before(&mut self, time: i64) {
        if time == i64::MAX {
            return self.clear();
        }
        let stays: Vec<bool> = self.time.iter().map(|at| *at >= time).collect();
        *self = Self {
            time: kept(&self.time, &stays),
            value: kept(&self.value, &stays),
            quality: kept(&self.quality, &stays),
            late: kept(&self.late, &stays),
            arrived: kept(&self.arrived, &stays),
            offset: kept(&self.offset, &stays),
        };
    }

    /// The rows before `time` in the order of time and then of arrival, those that stand there twice left
    /// out; the last time of all has no bound.
    fn in_order(&self, time: i64) -> Vec<usize> {
        let mut order: Vec<usize> =
            (0..self.time.len()).filter(|row| time == i64::MAX || self.time[*row] < time).collect();
        let key = |row: &usize| (self.time[*row], self.offset[*row]);
        if !order.is_sorted_by_key(key) {
            order.sort_by_key(key);
        }
        let mut kept: Vec<usize> = Vec::with_capacity(order.len());
        let what = |row: usize| (self.value[row].to_bits(), self.quality[row]);
        // What stands at the time of the row before, if there is more than one row of that time.
        let mut seen = HashSet::new();
        for row in order {
            match kept.last() {
                Some(&last) if self.time[last] == self.time[row] => {
                    seen.insert(what(last));
                    if seen.insert(what(row)) {
                        kept.push(row);
                    }
                }
                _ => {
                    seen.clear();
                    kept.push(row);
                }
            }
        }
        kept
    }
}

/// The values of the rows that stay.
fn kept<T: Copy>(values: &[T], stays: &[bool]) -> Vec<T> {
    values.iter().zip(stays).filter(|(_, stays)| **stays).map(|(value, _)| *value).collect()
}

fn cleared<T>(mut values: Vec<T>) -> Vec<T> {
    values.clear();
    values
}

/// A sorted file, read batch by batch.
struct Input {
    /// Its place among the files.
    place: usize,
    reader: ParquetRecordBatchReader,
    batch: Columns,
    row: usize,
    asset: String,
    signal: String,
    ended: bool,
}

/// The columns of one batch in the form the merge wants.
struct Columns {
    asset: (Int32Array, StringArray),
    signal: (Int32Array, StringArray),
    quality: (Int32Array, Vec<u8>),
    time: TimestampMicrosecondArray,
    value: Float64Array,
    late: BooleanArray,
    arrived: TimestampMicrosecondArray,
    offset: Int64Array,
}

impl Input {
    /// `None` for a file without rows.
    fn open(table: &TableSchema, file: Bytes, place: usize) -> Result<Option<Self>, String> {
        let form = form_of(&table.to_arrow_dictionaries(), &file)?;
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, form);
        let mut reader = builder.with_batch_size(BATCH_ROWS).build().map_err(|error| error.to_string())?;
        let Some(batch) = next_batch(&mut reader)? else { return Ok(None) };
        let mut input =
            Self { place, reader, batch, row: 0, asset: String::new(), signal: String::new(), ended: false };
        input.name();
        Ok(Some(input))
    }

    /// The time of the next row.
    fn time(&self) -> i64 {
        self.batch.time.value(self.row)
    }

    /// The series of the next row.
    fn series(&self) -> (&str, &str) {
        (&self.asset, &self.signal)
    }

    fn name(&mut self) {
        let name = |(keys, values): &(Int32Array, StringArray)| {
            values.value(keys.value(self.row).unsigned_abs() as usize).to_owned()
        };
        let (asset, signal) = (name(&self.batch.asset), name(&self.batch.signal));
        (self.asset, self.signal) = (asset, signal);
    }

    /// Moves rows of `series`, which is the next one, to `rows`: those that the batch has.
    fn take(&mut self, series: &(String, String), rows: &mut Rows) -> Result<(), String> {
        let end = self.batch.end_of_series(self.row);
        let times = &self.batch.time.values()[self.row..end];
        let last = times.last().copied().unwrap_or(i64::MIN);
        let sorted = times.is_sorted();
        self.batch.copy(self.row, end, rows);
        self.row = end;
        if self.row == self.batch.time.len() {
            let Some(next) = next_batch(&mut self.reader)? else {
                self.ended = true;
                return if sorted { Ok(()) } else { Err(UNSORTED.to_owned()) };
            };
            self.batch = next;
            self.row = 0;
        }
        self.name();
        let goes_on = match self.series().cmp(&(&series.0, &series.1)) {
            Ordering::Less => false,
            Ordering::Equal => self.time() >= last,
            Ordering::Greater => true,
        };
        if sorted && goes_on { Ok(()) } else { Err(UNSORTED.to_owned()) }
    }
}

impl Columns {
    fn new(batch: &RecordBatch) -> Result<Self, String> {
        let column = |name: &str| {
            let column = batch.column_by_name(name).ok_or_else(|| format!("has no column {name}"))?;
            if column.null_count() > 0 {
                return Err(format!("has no value in some rows of {name}; another program wrote it"));
            }
            Ok(column)
        };
        let odd = |name: &str| format!("has an odd column {name}");
        let names = |name: &str| {
            let array = column(name)?.as_dictionary_opt::<Int32Type>().ok_or_else(|| odd(name))?;
            let values = array.values().as_string_opt::<i32>().ok_or_else(|| odd(name))?;
            Ok::<_, String>((array.keys().clone(), values.clone()))
        };
        let time = |name: &str| {
            column(name)?.as_primitive_opt::<TimestampMicrosecondType>().cloned().ok_or_else(|| odd(name))
        };
        let (quality_keys, qualities) = names("quality")?;
        Ok(Self {
            asset: names("asset")?,
            signal: names("signal")?,
            quality: (
                quality_keys,
                qualities.iter().map(|name| quality_number(name.unwrap_or_default())).collect(),
            ),
            time: time("time")?,
            value: column("value")?.as_primitive_opt::<Float64Type>().cloned().ok_or_else(|| odd("value"))?,
            late: column("late")?.as_boolean_opt().cloned().ok_or_else(|| odd("late"))?,
            arrived: time("arrived")?,
            offset: column("offset")?
                .as_primitive_opt::<Int64Type>()
                .cloned()
                .ok_or_else(|| odd("offset"))?,
        })
    }

    /// Behind the last row from `from` on of the same series, within this batch.
    fn end_of_series(&self, from: usize) -> usize {
        let (assets, signals) = (self.asset.0.values(), self.signal.0.values());
        let key = (assets[from], signals[from]);
        (from..assets.len()).find(|&row| (assets[row], signals[row]) != key).unwrap_or(assets.len())
    }

    fn copy(&self, from: usize, to: usize, rows: &mut Rows) {
        rows.time.extend_from_slice(&self.time.values()[from..to]);
        rows.value.extend_from_slice(&self.value.values()[from..to]);
        rows.arrived.extend_from_slice(&self.arrived.values()[from..to]);
        rows.offset.extend_from_slice(&self.offset.values()[from..to]);
        rows.late.extend((from..to).map(|row| self.late.value(row)));
        rows.quality.extend(
            self.quality.0.values()[from..to].iter().map(|key| self.quality.1[key.unsigned_abs() as usize]),
        );
    }
}

fn next_batch(reader: &mut ParquetRecordBatchReader) -> Result<Option<Columns>, String> {
    loop {
        let Some(batch) = reader.next().transpose().map_err(|error| error.to_string())? else {
            return Ok(None);
        };
        if batch.num_rows() > 0 {
            return Columns::new(&batch).map(Some);
        }
    }
}

/// The place of a quality in [`QUALITIES`]; an unknown name counts as bad.
fn quality_number(name: &str) -> u8 {
    forewarn_types::Quality::parse(name).unwrap_or(forewarn_types::Quality::Bad) as u8
}

/// The files being written.
struct Output<'a> {
    table: &'a TableSchema,
    schema: Arc<Schema>,
    date: Option<i32>,
    target_bytes: usize,
    writer: Option<FileWriter>,
    pending: Pending,
    bounds: Vec<(&'static str, MinMax)>,
    merged: Merged,
}

/// Rows on their way to the writer.
#[derive(Default)]
struct Pending {
    rows: Rows,
    asset: Names,
    signal: Names,
}

/// A column of names as keys.
#[derive(Default)]
struct Names {
    keys: Vec<i32>,
    values: Vec<String>,
    known: HashMap<String, i32>,
}

impl Names {
    fn push(&mut self, name: &str, rows: usize) {
        let key = self.known.get(name).copied().unwrap_or_else(|| {
            let key = i32::try_from(self.values.len()).unwrap_or(i32::MAX);
            self.values.push(name.to_owned());
            self.known.insert(name.to_owned(), key);
            key
        });
        self.keys.resize(self.keys.len() + rows, key);
    }

    fn take(&mut self) -> Result<ArrayRef, String> {
        let Self { keys, values, .. } = std::mem::take(self);
        let array = DictionaryArray::<Int32Type>::try_new(
            Int32Array::from(keys),
            Arc::new(StringArray::from(values)),
        );
        Ok(Arc::new(array.map_err(|error| error.to_string())?))
    }
}

impl<'a> Output<'a> {
    fn new(table: &'a TableSchema, date: Option<i32>, target_bytes: usize) -> Self {
        Self {
            table,
            schema: table.to_arrow_dictionaries(),
            date,
            target_bytes,
            writer: None,
            pending: Pending::default(),
            bounds: Vec::new(),
            merged: Merged::default(),
        }
    }

    /// Takes the rows before `time` out of `rows`, which are the next of the series.
    fn rows(&mut self, series: &(String, String), rows: &mut Rows, time: i64) -> Result<(), String> {
        let before = rows.time.iter().filter(|at| time == i64::MAX || **at < time).count();
        let order = rows.in_order(time);
        if order.is_empty() {
            return Ok(());
        }
        self.merged.duplicates += (before - order.len()) as u64;
        self.merged.rows += order.len() as u64;
        self.widen(series, rows, &order);
        for part in order.chunks(WRITE_ROWS) {
            let to = &mut self.pending.rows;
            to.time.extend(part.iter().map(|row| rows.time[*row]));
            to.value.extend(part.iter().map(|row| rows.value[*row]));
            to.quality.extend(part.iter().map(|row| rows.quality[*row]));
            to.late.extend(part.iter().map(|row| rows.late[*row]));
            to.arrived.extend(part.iter().map(|row| rows.arrived[*row]));
            to.offset.extend(part.iter().map(|row| rows.offset[*row]));
            self.pending.asset.push(&series.0, part.len());
            self.pending.signal.push(&series.1, part.len());
            if self.pending.rows.time.len() >= WRITE_ROWS {
                self.write()?;
            }
        }
        rows.drop_before(time);
        Ok(())
    }

    /// Begins another file if this one is large enough. A series is never split between files.
    fn end_series(&mut self) -> Result<(), String> {
        if self.writer.as_ref().is_some_and(|writer| writer.bytes() >= self.target_bytes) {
            self.end_file()?;
        }
        Ok(())
    }

    /// Takes note of the smallest and largest values of the file.
    fn widen(&mut self, series: &(String, String), rows: &Rows, order: &[usize]) {
        let ends = |values: &[i64]| ends(order.iter().map(|row| values[*row]));
        let (time, arrived, offset) = (ends(&rows.time), ends(&rows.arrived), ends(&rows.offset));
        let name = |name: &str| MinMax::Text(name.into(), name.into());
        let new = [
            ("time", MinMax::Time(time.0, time.1)),
            ("asset", name(&series.0)),
            ("signal", name(&series.1)),
            ("arrived", MinMax::Time(arrived.0, arrived.1)),
            ("offset", MinMax::Int(offset.0, offset.1)),
        ];
        if self.bounds.is_empty() {
            self.bounds = new.into();
            return;
        }
        for ((_, bounds), (_, new)) in self.bounds.iter_mut().zip(new) {
            if let Some(merged) = bounds.merge(&new) {
                *bounds = merged;
            }
        }
    }

    /// Gives the pending rows to the writer.
    fn write(&mut self) -> Result<(), String> {
        let Some(batch) = self.pending()? else { return Ok(()) };
        let writer = match &mut self.writer {
            Some(writer) => writer,
            none => none.insert(
                FileWriter::new(self.table, Arc::clone(&self.schema)).map_err(|error| error.to_string())?,
            ),
        };
        writer.write(&batch).map_err(|error| error.to_string())
    }

    /// Takes the pending rows, if there are any.
    fn pending(&mut self) -> Result<Option<RecordBatch>, String> {
        let rows = std::mem::take(&mut self.pending.rows);
        if rows.time.is_empty() {
            return Ok(None);
        }
        let utc = |values: Vec<i64>| -> ArrayRef {
            Arc::new(TimestampMicrosecondArray::from(values).with_timezone("UTC"))
        };
        let quality_names = StringArray::from_iter_values(QUALITIES.iter().map(|quality| quality.as_str()));
        let quality_keys: Int32Array = rows.quality.iter().map(|quality| Some(i32::from(*quality))).collect();
        let quality = DictionaryArray::<Int32Type>::try_new(quality_keys, Arc::new(quality_names))
            .map_err(|error| error.to_string())?;
        let mut arrays: HashMap<&str, ArrayRef> = HashMap::from([
            ("time", utc(rows.time)),
            ("asset", self.pending.asset.take()?),
            ("signal", self.pending.signal.take()?),
            ("value", Arc::new(Float64Array::from(rows.value)) as ArrayRef),
            ("quality", Arc::new(quality) as ArrayRef),
            ("late", Arc::new(BooleanArray::from(rows.late)) as ArrayRef),
            ("arrived", utc(rows.arrived)),
            ("offset", Arc::new(Int64Array::from(rows.offset)) as ArrayRef),
        ]);
        let columns: Option<Vec<ArrayRef>> =
            self.table.columns.iter().map(|column| arrays.remove(column.name.as_str())).collect();
        let columns = columns.ok_or("has other columns than this program knows")?;
        RecordBatch::try_new(Arc::clone(&self.schema), columns).map(Some).map_err(|error| error.to_string())
    }

    fn end_file(&mut self) -> Result<(), String> {
        let written = if self.writer.is_some() {
            self.write()?;
            self.writer.take().map(FileWriter::finish)
        } else {
            self.pending()?.map(|batch| encode(self.table, &batch))
        };
        let Some(written) = written.transpose().map_err(|error| error.to_string())? else { return Ok(()) };
        let bounds = std::mem::take(&mut self.bounds)
            .into_iter()
            .map(|(name, bounds)| (name.to_owned(), bounds))
            .collect();
        self.merged.files.push(NewFile::new(self.date, written, bounds));
        Ok(())
    }

    fn finish(mut self) -> Result<Merged, String> {
        self.end_file()?;
        Ok(self.merged)
    }
}

#[cfg(test)]
mod tests;
