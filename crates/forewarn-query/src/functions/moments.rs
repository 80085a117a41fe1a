//! `timezone(zone, time)`, which is what `time AT TIME ZONE zone` means, and `date_diff(unit, from, to)`.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array};
use arrow::datatypes::{DataType, TimeUnit};
use chrono::{DateTime, Datelike as _};
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

use super::args::{constant_text, is_time, micros, time_type};
use super::zone::Zone;

/// PostgreSQL's `timezone`: a point in time becomes what the clock of the zone shows then, and what a clock
/// shows becomes the point in time at which that of the zone shows it.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Timezone(Signature);

impl Timezone {
    pub(super) fn new() -> Self {
        Self(Signature::user_defined(Volatility::Immutable))
    }
}

impl ScalarUDFImpl for Timezone {
    fn name(&self) -> &'static str {
        "timezone"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        match types {
            [zone, time] if zone.is_string() && is_time(time) => Ok(vec![DataType::Utf8, time_type(time)]),
            _ => plan_err!("AT TIME ZONE stands between a time and a zone: time AT TIME ZONE 'Europe/Oslo'"),
        }
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(match types.get(1) {
            Some(DataType::Timestamp(_, Some(_))) => DataType::Timestamp(TimeUnit::Microsecond, None),
            _ => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some(zone) = constant_text(&args.args[0], "AT TIME ZONE", "the zone")? else {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_new_null(args.return_type())?));
        };
        let zone = Zone::named(&zone)?;
        let one = matches!(args.args[1], ColumnarValue::Scalar(_));
        let (values, zoned) = micros(&args.args[1].to_array(1)?)?;
        let array: ArrayRef = if zoned {
            Arc::new(values.unary::<_, arrow::datatypes::TimestampMicrosecondType>(|at| zone.local(at)))
        } else {
            let instants = values
                .unary::<_, arrow::datatypes::TimestampMicrosecondType>(|local| zone.instant(local, None));
            Arc::new(instants.with_timezone("UTC"))
        };
        if one {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?));
        }
        Ok(ColumnarValue::Array(array))
    }
}

/// How many borders of a unit lie between two times, as DuckDB and SQL Server count.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct DateDiff(Signature);

impl DateDiff {
    pub(super) fn new() -> Self {
        Self(Signature::user_defined(Volatility::Immutable))
    }
}

/// The number of the unit that `at` lies in.
fn place(unit: &str, at: i64) -> Option<i64> {
    const SECOND: i64 = 1_000_000;
    let months = || {
        let day = DateTime::from_timestamp_micros(at)?.date_naive();
        Some(i64::from(day.year()) * 12 + i64::from(day.month0()))
    };
    Some(match unit {
        "microsecond" | "microseconds" => at,
        "millisecond" | "milliseconds" => at.div_euclid(1_000),
        "second" | "seconds" => at.div_euclid(SECOND),
        "minute" | "minutes" => at.div_euclid(60 * SECOND),
        "hour" | "hours" => at.div_euclid(3_600 * SECOND),
        "day" | "days" => at.div_euclid(86_400 * SECOND),
        // 1970-01-05 was a Monday.
        "week" | "weeks" => (at - 4 * 86_400 * SECOND).div_euclid(7 * 86_400 * SECOND),
        "month" | "months" => months()?,
        "quarter" | "quarters" => months()?.div_euclid(3),
        "year" | "years" => months()?.div_euclid(12),
        _ => return None,
    })
}

impl ScalarUDFImpl for DateDiff {
    fn name(&self) -> &'static str {
        "date_diff"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        match types {
            [unit, from, to] if unit.is_string() && is_time(from) && is_time(to) => {
                let naive = DataType::Timestamp(TimeUnit::Microsecond, None);
                Ok(vec![DataType::Utf8, naive.clone(), naive])
            }
            _ => plan_err!("date_diff takes a unit and two times: date_diff('minute', started, ended)"),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some(unit) = constant_text(&args.args[0], "date_diff", "the unit")? else {
            return Ok(ColumnarValue::Scalar(ScalarValue::Int64(None)));
        };
        let unit = unit.to_lowercase();
        if place(&unit, 0).is_none() {
            return exec_err!(
                "date_diff: there is no unit {unit:?}; there are second, minute, hour, day, week, month, quarter and year"
            );
        }
        let arrays = ColumnarValue::values_to_arrays(&args.args[1..])?;
        let one = args.args[1..].iter().all(|value| matches!(value, ColumnarValue::Scalar(_)));
        let ((from, _), (to, _)) = (micros(&arrays[0])?, micros(&arrays[1])?);
        let between =
            |(from, to): (Option<i64>, Option<i64>)| place(&unit, to?)?.checked_sub(place(&unit, from?)?);
        let counts: Int64Array = from.iter().zip(to.iter()).map(between).collect();
        if one && counts.len() == 1 {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&counts, 0)?));
        }
        Ok(ColumnarValue::Array(Arc::new(counts)))
    }
}
