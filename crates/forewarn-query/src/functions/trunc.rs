//! `date_trunc(unit, time[, zone])`: the start of the hour, the day, the month … that a time lies in.

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef, TimeUnit};
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::args::{constant_text, is_time, time_type};
use super::bucket::{DAY_US, Width, over_times};
use super::zone::Zone;

/// How long a unit is.
fn width_of(unit: &str) -> Option<Width> {
    Some(match unit {
        "microsecond" | "microseconds" => Width::Micros(1),
        "millisecond" | "milliseconds" => Width::Micros(1_000),
        "second" | "seconds" => Width::Micros(1_000_000),
        "minute" | "minutes" => Width::Micros(60_000_000),
        "hour" | "hours" => Width::Micros(3_600_000_000),
        "day" | "days" => Width::Micros(DAY_US),
        // The origin is a Monday.
        "week" | "weeks" => Width::Micros(7 * DAY_US),
        "month" | "months" => Width::Months(1),
        "quarter" | "quarters" => Width::Months(3),
        "year" | "years" => Width::Months(12),
        "decade" | "decades" => Width::Months(120),
        _ => return None,
    })
}

/// DataFusion's `date_trunc`, behind a short way for points in time: DataFusion takes each of them apart
/// by the calendar, and looks up the zone, which is UTC, twice.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct UtcTrunc {
    inner: Arc<ScalarUDF>,
}

impl UtcTrunc {
    pub(super) const fn new(inner: Arc<ScalarUDF>) -> Self {
        Self { inner }
    }
}

impl ScalarUDFImpl for UtcTrunc {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        self.inner.return_field_from_args(args)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.inner().coerce_types(types)
    }

    fn output_ordering(&self, inputs: &[ExprProperties]) -> Result<SortProperties> {
        self.inner.output_ordering(inputs)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let in_utc = matches!(
            args.args.get(1).map(ColumnarValue::data_type),
            Some(DataType::Timestamp(TimeUnit::Microsecond, Some(zone))) if &*zone == "UTC"
        );
        if in_utc
            && let Some(ColumnarValue::Scalar(unit)) = args.args.first()
            && let Some(width) = unit.try_as_str().flatten().and_then(|unit| width_of(&unit.to_lowercase()))
        {
            return over_times(&args.args[1], |time| width.floor(time));
        }
        self.inner.invoke_with_args(args)
    }
}

/// `date_trunc` with a zone; with two arguments it is DataFusion's.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct ZonedTrunc(Signature);

impl ZonedTrunc {
    pub(super) fn new() -> Self {
        Self(Signature::user_defined(Volatility::Immutable))
    }
}

impl ScalarUDFImpl for ZonedTrunc {
    fn name(&self) -> &'static str {
        "date_trunc_in_zone"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        match types {
            [unit, time, zone] if unit.is_string() && is_time(time) && zone.is_string() => {
                Ok(vec![DataType::Utf8, time_type(time), DataType::Utf8])
            }
            _ => plan_err!(
                "date_trunc takes a unit and a time, and perhaps a zone: date_trunc('day', time, 'Europe/Oslo')"
            ),
        }
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        types.get(1).map_or_else(|| plan_err!("date_trunc needs a time"), |time| Ok(time_type(time)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let unit = constant_text(&args.args[0], "date_trunc", "the unit")?;
        let zone = constant_text(&args.args[2], "date_trunc", "the zone")?;
        let (Some(unit), Some(zone)) = (unit, zone) else {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_new_null(args.return_type())?));
        };
        let (unit, zone) = (unit.to_lowercase(), Zone::named(&zone)?);
        let Some(width) = width_of(&unit) else {
            return exec_err!(
                "date_trunc: there is no unit {unit:?}; there are second, minute, hour, day, week, month, quarter and year"
            );
        };
        over_times(&args.args[1], |time| {
            let offset = zone.offset(time);
            let start = width.floor(time.checked_add(offset)?)?;
            Some(zone.instant(start, Some(offset)))
        })
    }
}
