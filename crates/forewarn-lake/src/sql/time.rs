//! Times and intervals as SQL writes them: read into µs, written as literals polars understands.

use chrono::{NaiveDate, NaiveDateTime};
use forewarn_types::Timestamp;
use sqlparser::ast::{
    DataType, DateTimeField, Expr, Interval, TimezoneInfo, TypedString, Value, ValueWithSpan,
};

/// Reads a time with a zone (`2026-01-31T08:30:00Z`, `… +02:00`); `None` if it has none or is no time.
pub(super) fn parse_zoned(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    // RFC 3339 wants `+02:00` and seconds; people write `+02` and leave the seconds out.
    Timestamp::parse(text)
        .ok()
        .or_else(|| {
            ["%Y-%m-%d %H:%M:%S%.f%#z", "%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M%#z", "%Y-%m-%dT%H:%M%#z"]
                .iter()
                .find_map(|form| {
                    chrono::DateTime::parse_from_str(text, form)
                        .ok()
                        .map(|time| Timestamp(time.timestamp_micros()))
                })
        })
        .or_else(|| parse_naive(text.strip_suffix('Z')?).filter(|_| text.len() > 11))
}

/// Reads a time without a zone, or a date, as UTC.
pub(super) fn parse_naive(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    let forms = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M"];
    let time = forms.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
    let time = time.or_else(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0))?;
    Some(Timestamp(time.and_utc().timestamp_micros()))
}

/// Reads either form.
pub(super) fn parse_any(text: &str) -> Option<Timestamp> {
    parse_zoned(text).or_else(|| parse_naive(text))
}

/// The literal for `time`: polars knows no zone, all its times are UTC here.
pub(super) fn literal(time: Timestamp) -> Expr {
    let text = time.to_utc().format("%Y-%m-%dT%H:%M:%S%.6f").to_string();
    Expr::TypedString(TypedString {
        data_type: DataType::Timestamp(None, TimezoneInfo::None),
        value: ValueWithSpan::from(Value::SingleQuotedString(text)),
        uses_odbc_syntax: false,
    })
}

/// The time a literal made by [`literal`] stands for.
pub(super) fn literal_value(expr: &Expr) -> Option<Timestamp> {
    match expr {
        Expr::Nested(inner) => literal_value(inner),
        Expr::TypedString(TypedString { data_type: DataType::Timestamp(..), value, .. }) => {
            match &value.value {
                Value::SingleQuotedString(text) => parse_naive(text),
                _ => None,
            }
        }
        _ => None,
    }
}

/// A constant interval of fixed length, in µs: `INTERVAL '15 minutes'`, `INTERVAL 1 HOUR`, `'15m'`.
pub(super) fn interval_us(expr: &Expr) -> Option<i64> {
    match expr {
        Expr::Nested(inner) => interval_us(inner),
        Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(text), .. }) => parse_interval_us(text),
        Expr::Interval(Interval { value, leading_field: None, last_field: None, .. }) => interval_us(value),
        Expr::Interval(Interval { value, leading_field: Some(field), last_field: None, .. }) => {
            let number = match &**value {
                Expr::Value(ValueWithSpan {
                    value: Value::SingleQuotedString(text) | Value::Number(text, _),
                    ..
                }) => text.trim().parse::<i64>().ok()?,
                _ => return None,
            };
            number.checked_mul(unit_us(&field_name(field))?)
        }
        _ => None,
    }
}

fn field_name(field: &DateTimeField) -> String {
    field.to_string().to_lowercase()
}

/// `15m`, `1h30m`, `15 minutes`, `1 day 12 hours`; `None` if it is none or, like a month, has no fixed
/// length.
fn parse_interval_us(text: &str) -> Option<i64> {
    if let Ok(us) = forewarn_types::parse_duration_us(text) {
        return Some(us);
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    let (pairs, []) = words.as_chunks::<2>() else { return None };
    if pairs.is_empty() {
        return None;
    }
    pairs.iter().try_fold(0_i64, |total, [number, unit]| {
        total.checked_add(number.parse::<i64>().ok()?.checked_mul(unit_us(&unit.to_lowercase())?)?)
    })
}

/// The length of a unit of fixed length; singular, plural or short.
pub(super) fn unit_us(unit: &str) -> Option<i64> {
    Some(match unit.strip_suffix('s').filter(|short| short.len() > 2).unwrap_or(unit) {
        "microsecond" | "us" => 1,
        "millisecond" | "ms" => 1_000,
        "second" | "sec" | "s" => 1_000_000,
        "minute" | "min" | "m" => 60_000_000,
        "hour" | "h" => 3_600_000_000,
        "day" | "d" => 86_400_000_000,
        "week" | "w" => 604_800_000_000,
        _ => return None,
    })
}
