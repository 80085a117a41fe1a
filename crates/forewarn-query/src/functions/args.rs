//! Arguments of functions: constants taken apart, and times as µs.

use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, TimestampMicrosecondArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, IntervalMonthDayNano, IntervalUnit, TimeUnit, TimestampMicrosecondType};
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::ColumnarValue;

/// Texts of one argument, which has to be the same in all rows; `None` if it is null.
pub(super) fn constant_text(value: &ColumnarValue, function: &str, what: &str) -> Result<Option<String>> {
    let Some(scalar) = constant(value) else {
        return exec_err!("{function}: {what} has to be the same in all rows; write it as a constant");
    };
    match scalar {
        ScalarValue::Utf8(text) | ScalarValue::Utf8View(text) | ScalarValue::LargeUtf8(text) => Ok(text),
        ScalarValue::Null => Ok(None),
        other => exec_err!("{function}: {what} is a text such as 'hour', and not {other}"),
    }
}

/// The one value of an argument, or nothing if it may differ from row to row.
fn constant(value: &ColumnarValue) -> Option<ScalarValue> {
    match value {
        ColumnarValue::Scalar(scalar) => Some(scalar.clone()),
        // A constant becomes a column where it is computed from columns, as in tests of one row.
        ColumnarValue::Array(array) if array.len() == 1 => ScalarValue::try_from_array(array, 0).ok(),
        ColumnarValue::Array(_) => None,
    }
}

/// A length of time that is the same in all rows, from an interval or a text such as `15m` or `1 hour`.
pub(super) fn constant_interval(
    value: &ColumnarValue,
    function: &str,
) -> Result<Option<IntervalMonthDayNano>> {
    let Some(scalar) = constant(value) else {
        return exec_err!("{function}: the width has to be the same in all rows; write it as a constant");
    };
    if scalar.is_null() {
        return Ok(None);
    }
    let scalar = match &scalar {
        ScalarValue::Utf8(Some(text))
        | ScalarValue::Utf8View(Some(text))
        | ScalarValue::LargeUtf8(Some(text)) => {
            ScalarValue::Utf8(Some(crate::statement::interval_in_words(text)))
        }
        other => other.clone(),
    };
    if let Ok(ScalarValue::IntervalMonthDayNano(interval)) =
        scalar.cast_to(&DataType::Interval(IntervalUnit::MonthDayNano))
    {
        return Ok(interval);
    }
    exec_err!(
        "{function}: {scalar} is not a length of time; write '15m', '1 hour', '1d' or INTERVAL '1 month'"
    )
}

/// A column of times as µs, and whether it is one of points in time (or of times without a zone).
pub(super) fn micros(array: &ArrayRef) -> Result<(TimestampMicrosecondArray, bool)> {
    let zoned = matches!(array.data_type(), DataType::Timestamp(_, Some(_)));
    let micros = cast(array, &DataType::Timestamp(TimeUnit::Microsecond, None))?;
    Ok((micros.as_primitive::<TimestampMicrosecondType>().clone(), zoned))
}

/// Times as they are handed back.
pub(super) fn times(values: TimestampMicrosecondArray, zoned: bool) -> ArrayRef {
    if zoned { Arc::new(values.with_timezone("UTC")) } else { Arc::new(values) }
}

/// The type of times that a function gives for an argument of type `ty`.
pub(super) fn time_type(ty: &DataType) -> DataType {
    let zone = match ty {
        DataType::Timestamp(_, Some(_)) => Some("UTC".into()),
        _ => None,
    };
    DataType::Timestamp(TimeUnit::Microsecond, zone)
}

/// Whether `ty` can stand for a time.
pub(super) const fn is_time(ty: &DataType) -> bool {
    matches!(ty, DataType::Timestamp(..) | DataType::Date32 | DataType::Date64)
}
