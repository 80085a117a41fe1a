//! Rows of Parquet files, a row group at a time and in it a few thousand rows at a time.

use std::fs::File;

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
    UInt64Array,
};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, TimeUnit};
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::file::metadata::ParquetMetaData;
use parquet::file::statistics::Statistics;

use crate::cell::{Cell, ColumnInfo, Step};

const ROWS_AT_ONCE: usize = 8_192;

/// Reads the rows of a Parquet file one by one.
pub(super) struct ParquetRows {
    reader: ParquetRecordBatchReader,
    columns: Vec<Column>,
    /// Rows in `columns`, and the one that is current.
    rows: usize,
    at: usize,
    /// Rows passed in the whole file, and how many it has.
    passed: u64,
    total: u64,
    bytes_total: u64,
}

/// A piece of a column, in one of the few forms that rows are read from.
pub(super) enum Column {
    Text(StringArray),
    Whole(Int64Array),
    Unsigned(UInt64Array),
    Number(Float64Array),
    Time {
        values: TimestampMicrosecondArray,
        zoned: bool,
    },
    /// Not asked for, or of a type that no reading is made of.
    Unusable,
}

impl ParquetRows {
    /// Opens a file, and tells its columns and which whole numbers those hold, where the file says so.
    pub(super) fn open(file: File, bytes_total: u64) -> Result<(Self, Vec<ColumnInfo>, Vec<Span>), String> {
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| error.to_string())?;
        let infos = builder
            .schema()
            .fields()
            .iter()
            .map(|field| ColumnInfo {
                name: field.name().clone(),
                numeric: matches!(
                    target(field.data_type()),
                    Some(DataType::Float64 | DataType::Int64 | DataType::UInt64)
                ),
                ..ColumnInfo::default()
            })
            .collect();
        let spans = spans(builder.metadata(), builder.schema().fields().len());
        let total = u64::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or(0);
        let reader = builder.with_batch_size(ROWS_AT_ONCE).build().map_err(|error| error.to_string())?;
        let rows = Self { reader, columns: Vec::new(), rows: 0, at: 0, passed: 0, total, bytes_total };
        Ok((rows, infos, spans))
    }

    /// Goes to the next row. Only the columns that `used` marks are prepared.
    pub(super) fn advance(&mut self, used: &[bool]) -> Result<Step, String> {
        self.at += 1;
        while self.at >= self.rows {
            let Some(batch) = self.reader.next() else { return Ok(Step::End) };
            let batch = batch.map_err(|error| error.to_string())?;
            self.columns = prepare(&batch, used)?;
            self.rows = batch.num_rows();
            self.at = 0;
        }
        self.passed += 1;
        Ok(Step::Row(self.passed))
    }

    /// The columns, and which of their rows is the current one.
    pub(super) fn row(&self) -> (&[Column], usize) {
        (&self.columns, self.at)
    }

    /// In proportion to the rows: the reader goes back and forth in the file.
    pub(super) fn bytes_read(&self) -> u64 {
        let share = u128::from(self.bytes_total) * u128::from(self.passed) / u128::from(self.total.max(1));
        u64::try_from(share).unwrap_or(self.bytes_total).min(self.bytes_total)
    }
}

impl Column {
    pub(super) fn cell(&self, row: usize) -> Cell<'_> {
        match self {
            Self::Text(values) if values.is_valid(row) => Cell::of_text(values.value(row)),
            Self::Whole(values) if values.is_valid(row) => Cell::Whole(values.value(row).into()),
            Self::Unsigned(values) if values.is_valid(row) => Cell::Whole(values.value(row).into()),
            Self::Number(values) if values.is_valid(row) && !values.value(row).is_nan() => {
                Cell::Number(values.value(row))
            }
            Self::Time { values, zoned } if values.is_valid(row) => {
                Cell::Time { us: values.value(row), zoned: *zoned }
            }
            Self::Unusable => Cell::Unusable,
            _ => Cell::Missing,
        }
    }
}

/// The smallest and the largest whole number of a column, where each row group says so.
pub(super) type Span = Option<(i64, i64)>;

fn spans(metadata: &ParquetMetaData, columns: usize) -> Vec<Span> {
    // Columns of columns have more leaves than names; nothing is said of them then.
    let is_flat = metadata.file_metadata().schema_descr().num_columns() == columns;
    let span = |column: usize| {
        let mut span: Span = None;
        for group in metadata.row_groups().iter().filter(|_| is_flat) {
            let (low, high) = match group.column(column).statistics()? {
                Statistics::Int64(numbers) => (*numbers.min_opt()?, *numbers.max_opt()?),
                Statistics::Int32(numbers) => ((*numbers.min_opt()?).into(), (*numbers.max_opt()?).into()),
                _ => return None,
            };
            span = Some(span.map_or((low, high), |(from, to)| (low.min(from), high.max(to))));
        }
        span
    };
    (0..columns).map(span).collect()
}

fn prepare(batch: &RecordBatch, used: &[bool]) -> Result<Vec<Column>, String> {
    batch
        .columns()
        .iter()
        .zip(used)
        .map(|(column, used)| match target(column.data_type()).filter(|_| *used) {
            Some(target) => convert(column, &target),
            None => Ok(Column::Unusable),
        })
        .collect()
}

fn convert(column: &ArrayRef, target: &DataType) -> Result<Column, String> {
    // What is no text in a column of text is an error: left to itself, the cast makes nothing of it.
    let options = CastOptions { safe: *target != DataType::Utf8, ..CastOptions::default() };
    let column = cast_with_options(column, target, &options).map_err(|error| error.to_string())?;
    Ok(match target {
        DataType::Utf8 => Column::Text(column.as_string().clone()),
        DataType::Int64 => Column::Whole(column.as_primitive().clone()),
        DataType::UInt64 => Column::Unsigned(column.as_primitive().clone()),
        DataType::Float64 => Column::Number(column.as_primitive().clone()),
        DataType::Timestamp(_, zone) => {
            Column::Time { values: column.as_primitive().clone(), zoned: zone.is_some() }
        }
        _ => Column::Unusable,
    })
}

/// The type in which a column is read; `None` if nothing can be made of it.
fn target(from: &DataType) -> Option<DataType> {
    match from {
        DataType::Utf8
        | DataType::LargeUtf8
        | DataType::Utf8View
        // Some writers do not say that what they write is text.
        | DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => Some(DataType::Utf8),
        DataType::Dictionary(_, values) => target(values),
        DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32 => Some(DataType::Int64),
        DataType::UInt64 => Some(DataType::UInt64),
        DataType::Float16
        | DataType::Float32
        | DataType::Float64
        | DataType::Boolean
        | DataType::Decimal32(..)
        | DataType::Decimal64(..)
        | DataType::Decimal128(..)
        | DataType::Decimal256(..) => Some(DataType::Float64),
        // The zone is kept: a cast that drops it would move the times.
        DataType::Timestamp(_, zone) => Some(DataType::Timestamp(TimeUnit::Microsecond, zone.clone())),
        DataType::Date32 | DataType::Date64 => Some(DataType::Timestamp(TimeUnit::Microsecond, None)),
        _ => None,
    }
}
