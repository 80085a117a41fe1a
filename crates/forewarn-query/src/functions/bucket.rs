//! `time_bucket(width, time[, zone])`: the start of the bucket that a time lies in, by UTC or by the
//! clock of a zone; and the starts of all buckets of a stretch of time.

use std::sync::Arc;

use arrow::array::{ListBuilder, TimestampMicrosecondArray, TimestampMicrosecondBuilder};
use arrow::datatypes::{DataType, Field, IntervalMonthDayNano, TimeUnit};
use chrono::{DateTime, Datelike as _, NaiveDate};
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

use super::args::{constant_interval, constant_text, is_time, micros, time_type, times};
use super::zone::Zone;
use crate::guard::refused;

pub(super) const DAY_US: i64 = 86_400_000_000;
/// 2000-01-03, a Monday: from where buckets of a fixed width are counted, as TimescaleDB and DuckDB do.
const ORIGIN_US: i64 = 10_959 * DAY_US;
/// 2000-01: from where buckets of months are counted.
const ORIGIN_MONTH: i64 = 2_000 * 12;

/// How long a bucket is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Width {
    Micros(i64),
    Months(i64),
}

impl Width {
    fn of(interval: IntervalMonthDayNano, function: &str) -> Result<Self> {
        let micros = i64::from(interval.days)
            .checked_mul(DAY_US)
            .and_then(|days| days.checked_add(interval.nanoseconds / 1_000));
        match (interval.months, micros) {
            (months, Some(0)) if months > 0 => Ok(Self::Months(i64::from(months))),
            (0, Some(us)) if us > 0 => Ok(Self::Micros(us)),
            _ => exec_err!(
                "{function}: the width is either months or a length of days and hours, and more than 0"
            ),
        }
    }

    /// The start of the bucket that `at` lies in, by the clock that `at` is read from.
    pub(super) fn floor(self, at: i64) -> Option<i64> {
        match self {
            Self::Micros(us) => {
                let since = at.checked_sub(ORIGIN_US)?;
                at.checked_sub(since.rem_euclid(us))
            }
            Self::Months(months) => {
                let day = DateTime::from_timestamp_micros(at)?.date_naive();
                let month = i64::from(day.year()) * 12 + i64::from(day.month0());
                let start = month - (month - ORIGIN_MONTH).rem_euclid(months);
                let year = i32::try_from(start.div_euclid(12)).ok()?;
                let month = u32::try_from(start.rem_euclid(12)).ok()? + 1;
                let first = NaiveDate::from_ymd_opt(year, month, 1)?.and_hms_opt(0, 0, 0)?;
                Some(first.and_utc().timestamp_micros())
            }
        }
    }
}

/// The start of each time's bucket by the clock of `zone`.
fn floor(width: Width, zone: Zone, time: i64) -> Option<i64> {
    let offset = zone.offset(time);
    let start = width.floor(time.checked_add(offset)?)?;
    Some(zone.instant(start, Some(offset)))
}

/// `time_bucket`.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct TimeBucket(Signature);

impl TimeBucket {
    pub(super) fn new() -> Self {
        Self(Signature::user_defined(Volatility::Immutable))
    }
}

impl ScalarUDFImpl for TimeBucket {
    fn name(&self) -> &'static str {
        "time_bucket"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        match types {
            [width, time] | [width, time, _] if is_width(width) && is_time(time) => {
                let mut wanted = vec![width.clone(), time_type(time)];
                match types.get(2) {
                    Some(zone) if zone.is_string() => wanted.push(DataType::Utf8),
                    Some(_) => {
                        return plan_err!(
                            "time_bucket: the third argument is a time zone such as 'Europe/Oslo'"
                        );
                    }
                    None => {}
                }
                Ok(wanted)
            }
            _ => plan_err!(
                "time_bucket takes a width and a time, and perhaps a zone: time_bucket('15m', time, 'Europe/Oslo')"
            ),
        }
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        types.get(1).map_or_else(|| plan_err!("time_bucket needs a time"), |time| Ok(time_type(time)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let interval = constant_interval(&args.args[0], self.name())?;
        let zone = match args.args.get(2) {
            Some(zone) => constant_text(zone, self.name(), "the zone")?,
            None => Some("UTC".to_owned()),
        };
        let (Some(interval), Some(zone)) = (interval, zone) else {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_new_null(args.return_type())?));
        };
        let (width, zone) = (Width::of(interval, self.name())?, Zone::named(&zone)?);
        over_times(&args.args[1], |time| floor(width, zone, time))
    }
}

fn is_width(ty: &DataType) -> bool {
    ty.is_string() || matches!(ty, DataType::Interval(_) | DataType::Duration(_))
}

/// Computes a time from each time; what has none becomes null.
pub(super) fn over_times(
    value: &ColumnarValue,
    compute: impl Fn(i64) -> Option<i64>,
) -> Result<ColumnarValue> {
    let one = matches!(value, ColumnarValue::Scalar(_));
    let array = value.to_array(1)?;
    let (values, zoned) = micros(&array)?;
    let computed: TimestampMicrosecondArray = values.unary_opt(&compute);
    let computed = times(computed, zoned);
    if one {
        return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&computed, 0)?));
    }
    Ok(ColumnarValue::Array(computed))
}

/// The most buckets of one list.
const MAX_BUCKETS: usize = 1_000_000;

/// `bucket_starts(width, low, high, closed[, zone])`: the starts of all buckets from that of `low` to that of
/// `high`; one that starts at `high` itself is among them only if the list is closed.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct BucketStarts(Signature);

impl BucketStarts {
    pub(super) fn new() -> Self {
        Self(Signature::user_defined(Volatility::Immutable))
    }
}

impl ScalarUDFImpl for BucketStarts {
    fn name(&self) -> &'static str {
        "bucket_starts"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let can_be_time = |ty: &DataType| is_time(ty) || ty.is_string() || ty.is_null();
        match types {
            [width, low, high, DataType::Boolean, rest @ ..]
                if is_width(width) && can_be_time(low) && can_be_time(high) && rest.len() < 2 =>
            {
                let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
                let mut wanted = vec![width.clone(), time.clone(), time, DataType::Boolean];
                wanted.extend(rest.iter().map(|_| DataType::Utf8));
                Ok(wanted)
            }
            _ => plan_err!("time_bucket_gapfill takes a width, a time of the rows, and perhaps a zone"),
        }
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        Ok(DataType::List(Arc::new(Field::new_list_field(time, true))))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        const NAME: &str = "time_bucket_gapfill";
        let [width, low, high, closed, zone @ ..] = args.args.as_slice() else {
            return exec_err!("{NAME} takes a width, two ends and whether the last one counts");
        };
        let interval = constant_interval(width, NAME)?;
        let zone = match zone.first() {
            Some(zone) => constant_text(zone, NAME, "the zone")?,
            None => Some("UTC".to_owned()),
        };
        let ColumnarValue::Scalar(ScalarValue::Boolean(Some(closed))) = closed else {
            return exec_err!("{NAME}: whether the last bucket counts is a constant");
        };
        let (Some(interval), Some(zone)) = (interval, zone) else {
            return exec_err!("{NAME}: the width and the zone cannot be null");
        };
        let (width, zone) = (Width::of(interval, NAME)?, Zone::named(&zone)?);
        let (low, _) = micros(&low.to_array(args.number_rows)?)?;
        let (high, _) = micros(&high.to_array(args.number_rows)?)?;
        let mut lists = ListBuilder::new(TimestampMicrosecondBuilder::new().with_timezone("UTC"));
        let mut room = MAX_BUCKETS;
        for (low, high) in low.iter().zip(&high) {
            if let (Some(low), Some(high)) = (low, high) {
                let last = if *closed { high } else { high.saturating_sub(1) };
                for start in starts(width, zone, low, last).take(room + 1) {
                    lists.values().append_value(start);
                    room = room.checked_sub(1).ok_or_else(|| {
                        refused(format!(
                            "{NAME} would make more than {MAX_BUCKETS} rows; choose a greater width or a shorter time"
                        ))
                    })?;
                }
            }
            lists.append(true);
        }
        Ok(ColumnarValue::Array(Arc::new(lists.finish())))
    }
}

/// The starts of the buckets from that of `low` to that of `last`.
fn starts(width: Width, zone: Zone, low: i64, last: i64) -> impl Iterator<Item = i64> {
    // No step is longer than the shortest bucket of its width, so that no bucket is left out; a step that
    // ends in the same bucket is followed by another.
    let step = match width {
        Width::Micros(us) => us.min(DAY_US),
        Width::Months(_) => DAY_US,
    };
    let first = floor(width, zone, low).filter(|start| *start <= last);
    std::iter::successors(first, move |start| {
        let mut at = *start;
        let next = loop {
            at = at.checked_add(step)?;
            let next = floor(width, zone, at)?;
            if next > *start {
                break next;
            }
        };
        (next <= last).then_some(next)
    })
}
