//! Writing Parquet: encoded in memory, with the statistics that let a query skip the file.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray as _, Float64Array, Int64Array, RecordBatch, StringArray, StructArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Fields, Float64Type, Schema};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use super::column::ColumnData;
use super::min_max::MinMax;
use super::schema::{ColumnType, TableSchema};
use crate::error::LakeError;

/// Small enough that a query for one machine decodes little, large enough to compress well.
const ROW_GROUP_ROWS: usize = 131_072;
/// A file of at most so many rows is a small one.
const SMALL_ROWS: usize = 8_192;

/// A file ready to be uploaded.
#[derive(Debug)]
pub(crate) struct NewFile {
    /// The partition, days since 1970, in a table partitioned by date.
    pub(crate) date: Option<i32>,
    pub(crate) bytes: Bytes,
    pub(crate) rows: u64,
    pub(crate) bounds: Vec<(String, MinMax)>,
    /// How many rows have nothing in a column.
    pub(crate) nulls: Vec<(String, u64)>,
}

impl NewFile {
    /// A file of what has been written, with `bounds` of the columns that are not floats.
    pub(crate) fn new(date: Option<i32>, written: Written, mut bounds: Vec<(String, MinMax)>) -> Self {
        let Written { bytes, rows, floats, nulls, .. } = written;
        bounds.extend(floats);
        Self { date, bytes, rows, bounds, nulls }
    }
}

/// A Parquet file, and what has been counted while it was written.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) bytes: Bytes,
    pub(crate) rows: u64,
    floats: Vec<(String, MinMax)>,
    nulls: Vec<(String, u64)>,
    /// How many bytes each column takes.
    columns: Vec<u64>,
}

/// What is counted of a column while it is written.
#[derive(Debug, Clone)]
struct Counted {
    nulls: u64,
    /// Smallest and largest float.
    floats: Option<(f64, f64)>,
    /// A NaN or an infinity was met, which statistics cannot tell of.
    odd: bool,
}

impl Counted {
    fn take(&mut self, array: &ArrayRef) {
        self.nulls += array.null_count() as u64;
        for value in array.as_primitive_opt::<Float64Type>().into_iter().flatten().flatten() {
            self.odd |= !value.is_finite();
            self.floats =
                Some(self.floats.map_or((value, value), |(low, high)| (low.min(value), high.max(value))));
        }
    }
}

/// Encodes one batch as a Parquet file. Of a small one, what stands around the values takes as much room as
/// they do, and which encoding is the smaller cannot be told beforehand: both are tried, and each column gets
/// the one that suits it.
pub(crate) fn encode(table: &TableSchema, batch: &RecordBatch) -> Result<Written, LakeError> {
    let write = |forms: Option<&[Form]>| {
        let mut file = FileWriter::in_forms(table, batch.schema(), forms)?;
        file.write(batch)?;
        file.finish()
    };
    if batch.num_rows() > SMALL_ROWS {
        return write(None);
    }
    let count = table.columns.len();
    let tried = [write(Some(&vec![Form::Usual; count]))?, write(Some(&vec![Form::Other; count]))?];
    let [usual, other] = &tried;
    let smaller = |(usual, other): (&u64, &u64)| if other < usual { Form::Other } else { Form::Usual };
    let forms: Vec<Form> = usual.columns.iter().zip(&other.columns).map(smaller).collect();
    let [usual, other] = tried;
    match (forms.contains(&Form::Usual), forms.contains(&Form::Other)) {
        (true, true) => write(Some(&forms)),
        (false, true) => Ok(other),
        _ => Ok(usual),
    }
}

/// How a column is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// As suits long columns best: differences of times and numbers, dictionaries of names, floats as they
    /// are.
    Usual,
    /// Numbers and names as they are, and dictionaries of floats. Any reader knows these. (Splitting floats
    /// into streams of bytes would be smaller still, but Spark does not read that.)
    Other,
}

/// A Parquet file that is encoded piece by piece. No Arrow schema is embedded, so that readers see plain
/// strings where we pass dictionaries.
pub(crate) struct FileWriter {
    table: String,
    writer: ArrowWriter<Vec<u8>>,
    rows: u64,
    counted: Vec<(String, Counted)>,
}

impl FileWriter {
    /// Batches will have the columns of `table` in the form of `schema`.
    pub(crate) fn new(table: &TableSchema, schema: Arc<Schema>) -> Result<Self, LakeError> {
        Self::in_forms(table, schema, None)
    }

    /// With the form of each column of a file so small that it has no statistics: it is one row group, of
    /// which the Delta log says all that they would.
    fn in_forms(table: &TableSchema, schema: Arc<Schema>, forms: Option<&[Form]>) -> Result<Self, LakeError> {
        let failed = |error: parquet::errors::ParquetError| LakeError::table(&table.name, error);
        let level = ZstdLevel::try_new(3).map_err(failed)?;
        let mut properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(level))
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            // One page for each column: zstd finds what signals of one asset have in common only within a
            // page.
            .set_data_page_row_count_limit(ROW_GROUP_ROWS)
            .set_data_page_size_limit(2 * size_of::<i64>() * ROW_GROUP_ROWS)
            // An index of the only page would say again what the row group says.
            .set_statistics_enabled(if forms.is_some() {
                EnabledStatistics::None
            } else {
                EnabledStatistics::Chunk
            })
            .set_offset_index_disabled(true)
            .set_created_by("forewarn".to_owned());
        for (place, column) in table.columns.iter().enumerate() {
            let path = ColumnPath::from(column.name.as_str());
            let other = forms.is_some_and(|forms| forms.get(place) == Some(&Form::Other));
            properties = match column.ty {
                ColumnType::Int | ColumnType::Time if other => {
                    properties.set_column_dictionary_enabled(path, false)
                }
                // Times, and offsets, ascend within a series: their differences are small and mostly the
                // same.
                ColumnType::Int | ColumnType::Time => properties
                    .set_column_dictionary_enabled(path.clone(), false)
                    .set_column_encoding(path, Encoding::DELTA_BINARY_PACKED),
                ColumnType::Float => properties.set_column_dictionary_enabled(path, other),
                ColumnType::Text => properties.set_column_dictionary_enabled(path, !other),
                ColumnType::Bool => properties,
            };
        }
        let options =
            ArrowWriterOptions::new().with_properties(properties.build()).with_skip_arrow_metadata(true);
        let none = Counted { nulls: 0, floats: None, odd: false };
        let counted = schema.fields().iter().map(|field| (field.name().clone(), none.clone())).collect();
        let writer = ArrowWriter::try_new_with_options(Vec::new(), schema, options).map_err(failed)?;
        Ok(Self { table: table.name.clone(), writer, rows: 0, counted })
    }

    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<(), LakeError> {
        self.rows += batch.num_rows() as u64;
        for ((_, counted), array) in self.counted.iter_mut().zip(batch.columns()) {
            counted.take(array);
        }
        self.writer.write(batch).map_err(|error| LakeError::table(&self.table, error))
    }

    /// About how many bytes the file would have if it ended here.
    pub(crate) fn bytes(&self) -> usize {
        self.writer.bytes_written() + self.writer.in_progress_size()
    }

    pub(crate) fn finish(mut self) -> Result<Written, LakeError> {
        let metadata = self.writer.finish().map_err(|error| LakeError::table(&self.table, error))?;
        let bytes = Bytes::from(std::mem::take(self.writer.inner_mut()));
        let mut columns = vec![0; self.counted.len()];
        for group in metadata.row_groups() {
            for (total, column) in columns.iter_mut().zip(group.columns()) {
                *total += u64::try_from(column.compressed_size()).unwrap_or(0);
            }
        }
        let nulls = self.counted.iter().map(|(name, counted)| (name.clone(), counted.nulls)).collect();
        let ends = |(name, counted): (String, Counted)| {
            let (low, high) = counted.floats.filter(|_| !counted.odd)?;
            Some((name, MinMax::Float(low, high)))
        };
        Ok(Written {
            bytes,
            rows: self.rows,
            floats: self.counted.into_iter().filter_map(ends).collect(),
            nulls,
            columns,
        })
    }
}

/// A file of the columns of `table`, in its order.
pub(crate) fn file_of_columns(table: &TableSchema, columns: &[ColumnData]) -> Result<NewFile, LakeError> {
    let arrays: Vec<ArrayRef> = columns.iter().map(ColumnData::to_arrow).collect();
    let batch = RecordBatch::try_new(table.to_arrow(), arrays)
        .map_err(|error| LakeError::table(&table.name, error))?;
    let bounds = table
        .columns
        .iter()
        .zip(columns)
        .filter_map(|(column, data)| Some((column.name.clone(), bounds_of(data)?)))
        .collect();
    Ok(NewFile::new(None, encode(table, &batch)?, bounds))
}

/// The smallest and largest value of a column, where a file's statistics tell of them.
pub(crate) fn bounds_of(data: &ColumnData) -> Option<MinMax> {
    fn ends<T: Copy + Ord>(values: impl Iterator<Item = T>) -> Option<(T, T)> {
        values
            .fold(None, |ends, x| Some(ends.map_or((x, x), |(low, high): (T, T)| (low.min(x), high.max(x)))))
    }
    match data {
        ColumnData::Int(v) => ends(v.iter().flatten().copied()).map(|(low, high)| MinMax::Int(low, high)),
        ColumnData::Time(v) => {
            ends(v.iter().flatten().map(|time| time.0)).map(|(low, high)| MinMax::Time(low, high))
        }
        ColumnData::Text(v) => ends(v.iter().flatten().map(String::as_str))
            .filter(|(low, high)| low.len() + high.len() < 600)
            .map(|(low, high)| MinMax::Text(low.into(), high.into())),
        ColumnData::Bool(_) | ColumnData::Float(_) => None,
    }
}

/// The `stats` of a Delta `add` action: one row of `{numRecords, minValues, maxValues, nullCount}`.
pub(crate) fn delta_stats(file: &NewFile) -> StructArray {
    let NewFile { rows, bounds, nulls, .. } = file;
    // Times outside the years 1 to 9999 have no form in the log's JSON.
    let writable = |bounds: &MinMax| match bounds {
        MinMax::Time(low, high) => *low >= -62_135_596_800_000_000 && *high < 253_402_300_799_000_000,
        MinMax::Int(..) | MinMax::Text(..) | MinMax::Float(..) => true,
    };
    let side = |high: bool| -> StructArray {
        let columns: Vec<(Arc<Field>, ArrayRef)> = bounds
            .iter()
            .filter(|(_, bounds)| writable(bounds))
            .map(|(name, bounds)| {
                let array: ArrayRef = match bounds {
                    MinMax::Int(a, b) => Arc::new(Int64Array::from(vec![if high { *b } else { *a }])),
                    MinMax::Float(a, b) => Arc::new(Float64Array::from(vec![if high { *b } else { *a }])),
                    MinMax::Text(a, b) => Arc::new(StringArray::from(vec![if high { &**b } else { &**a }])),
                    // Delta writes times of statistics in whole milliseconds, so the upper end is rounded up.
                    MinMax::Time(a, b) => {
                        let us = if high {
                            b.saturating_add(999).div_euclid(1000).saturating_mul(1000)
                        } else {
                            *a
                        };
                        Arc::new(TimestampMicrosecondArray::from(vec![us]).with_timezone("UTC"))
                    }
                };
                (Arc::new(Field::new(name, array.data_type().clone(), true)), array)
            })
            .collect();
        if columns.is_empty() { StructArray::new_empty_fields(1, None) } else { StructArray::from(columns) }
    };
    let number = |count: u64| -> ArrayRef {
        Arc::new(Int64Array::from(vec![i64::try_from(count).unwrap_or(i64::MAX)]))
    };
    let nulls: Vec<(Arc<Field>, ArrayRef)> = nulls
        .iter()
        .map(|(name, count)| (Arc::new(Field::new(name, DataType::Int64, true)), number(*count)))
        .collect();
    let nulls =
        if nulls.is_empty() { StructArray::new_empty_fields(1, None) } else { StructArray::from(nulls) };
    let (low, high) = (side(false), side(true));
    let fields = Fields::from(vec![
        Field::new("numRecords", DataType::Int64, true),
        Field::new("minValues", low.data_type().clone(), true),
        Field::new("maxValues", high.data_type().clone(), true),
        Field::new("nullCount", nulls.data_type().clone(), true),
    ]);
    StructArray::new(fields, vec![number(*rows), Arc::new(low), Arc::new(high), Arc::new(nulls)], None)
}

#[cfg(test)]
mod tests;
