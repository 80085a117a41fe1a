//! Rows of an answer in the lake's own types: what jobs write, and what the server itself asks for.
//!
//! A table of the lake holds booleans, integers, floats, texts and times. Other types become the nearest of
//! these: dates and nested values texts, decimals floats, intervals and durations seconds.

use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, Float64Array};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Float64Type, Int64Type, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit, Schema,
    TimeUnit, TimestampMicrosecondType,
};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use forewarn_lake::{ColumnData, ColumnType, ResultSet};
use forewarn_types::Timestamp;

use crate::error::QueryError;

const DAY_S: f64 = 86_400.0;

/// Rows that are collected.
pub(crate) struct Rows {
    columns: Vec<(String, ColumnData)>,
}

/// The type of the lake that a column of `data_type` becomes.
fn type_of(data_type: &DataType) -> ColumnType {
    match data_type {
        DataType::Boolean => ColumnType::Bool,
        ty if ty.is_integer() => ColumnType::Int,
        ty if ty.is_floating() || is_decimal(ty) => ColumnType::Float,
        DataType::Duration(_) | DataType::Interval(IntervalUnit::DayTime | IntervalUnit::MonthDayNano) => {
            ColumnType::Float
        }
        DataType::Timestamp(..) => ColumnType::Time,
        DataType::Dictionary(_, values) => type_of(values),
        _ => ColumnType::Text,
    }
}

pub(crate) const fn is_decimal(ty: &DataType) -> bool {
    matches!(
        ty,
        DataType::Decimal32(..)
            | DataType::Decimal64(..)
            | DataType::Decimal128(..)
            | DataType::Decimal256(..)
    )
}

impl Rows {
    pub(crate) fn new(schema: &Schema) -> Self {
        let column = |field: &Arc<arrow::datatypes::Field>| {
            (field.name().clone(), ColumnData::empty(type_of(field.data_type())))
        };
        Self { columns: schema.fields().iter().map(column).collect() }
    }

    pub(crate) fn push(&mut self, batch: &RecordBatch) -> Result<(), QueryError> {
        for ((name, data), array) in self.columns.iter_mut().zip(batch.columns()) {
            append(data, array).map_err(|error| {
                QueryError::Query(format!("column {name} has values that a table cannot hold: {error}"))
            })?;
        }
        Ok(())
    }

    pub(crate) fn finish(self, truncated: bool) -> Result<ResultSet, QueryError> {
        Ok(ResultSet::of_query(self.columns, truncated)?)
    }
}

fn append(data: &mut ColumnData, array: &ArrayRef) -> Result<(), ArrowError> {
    match data {
        ColumnData::Bool(values) => {
            let array = cast(array, &DataType::Boolean)?;
            values.extend(array.as_boolean());
        }
        ColumnData::Int(values) => {
            let array = cast(array, &DataType::Int64)?;
            values.extend(array.as_primitive::<Int64Type>());
        }
        ColumnData::Float(values) => {
            let array = match array.data_type() {
                DataType::Duration(_) | DataType::Interval(_) => seconds(array)?,
                _ => cast(array, &DataType::Float64)?,
            };
            values.extend(array.as_primitive::<Float64Type>());
        }
        ColumnData::Time(values) => {
            let array = cast(array, &DataType::Timestamp(TimeUnit::Microsecond, None))?;
            let times = array.as_primitive::<TimestampMicrosecondType>();
            values.extend(times.iter().map(|time| time.map(Timestamp)));
        }
        ColumnData::Text(values) if *array.data_type() == DataType::Null => {
            values.extend(std::iter::repeat_n(None, array.len()));
        }
        ColumnData::Text(values) => {
            let options = FormatOptions::new().with_null("");
            let printed = ArrayFormatter::try_new(array, &options)?;
            values.extend(
                (0..array.len()).map(|row| array.is_valid(row).then(|| printed.value(row).to_string())),
            );
        }
    }
    Ok(())
}

/// Intervals and durations in seconds. A month has no length in seconds, so it is refused.
pub(crate) fn seconds(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let intervals = cast(array, &DataType::Interval(IntervalUnit::MonthDayNano))?;
    let intervals = intervals.as_primitive::<IntervalMonthDayNanoType>();
    let one = |interval: IntervalMonthDayNano| {
        if interval.months == 0 {
            return Ok(f64::from(interval.days) * DAY_S + interval.nanoseconds as f64 / 1e9);
        }
        Err(ArrowError::ComputeError("an interval of months has no length in seconds".to_owned()))
    };
    let seconds = intervals.iter().map(|interval| interval.map(one).transpose());
    Ok(Arc::new(seconds.collect::<Result<Float64Array, _>>()?))
}
