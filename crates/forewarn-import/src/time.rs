//! Times as files hold them: with or without a zone, as numbers, or as cycles.

use chrono::{LocalResult, NaiveDate, NaiveDateTime, TimeZone};
use chrono_tz::Tz;
use forewarn_ingest::decode::{number, parse_time, shorten, time};

use crate::cell::Cell;
use crate::mapping::{ImportMapping, TimeUnit};

/// How the cells of the time column become times.
pub(super) enum TimeRule {
    /// `start` + cycle × `step`, µs.
    Cycles { start: i64, step: i64 },
    /// Numbers since 1970, and texts with a zone.
    Epoch(TimeUnit, Option<Tz>),
    /// Texts, in the given zone where they name none (`None`: UTC).
    Text(Option<Tz>),
}

impl TimeRule {
    pub(super) fn new(mapping: &ImportMapping) -> Result<Self, String> {
        let zone = match &mapping.timezone {
            None => None,
            Some(name) => Some(
                name.parse()
                    .map_err(|_| format!("timezone {name:?} is unknown; write one such as Europe/Oslo"))?,
            ),
        };
        match (&mapping.time_start, &mapping.time_step, mapping.time_unit) {
            (None, None, None) => Ok(Self::Text(zone)),
            (None, None, Some(unit)) => Ok(Self::Epoch(unit, zone)),
            (Some(start), Some(step), None) => {
                let step =
                    forewarn_types::parse_duration_us(step).map_err(|error| format!("time_step: {error}"))?;
                Ok(Self::Cycles { start: start.0, step })
            }
            (_, _, Some(_)) => {
                Err("time_unit stands beside time_start or time_step; a column holds either times or cycles"
                    .into())
            }
            _ => {
                Err("time_start and time_step belong together; give both where the time column counts cycles"
                    .into())
            }
        }
    }

    pub(super) fn step_us(&self) -> Option<i64> {
        if let Self::Cycles { step, .. } = self { Some(*step) } else { None }
    }

    /// The time in a cell, µs UTC.
    pub(super) fn read(&self, cell: &Cell<'_>) -> Result<i64, String> {
        match (self, cell) {
            (_, Cell::Missing) => Err("is empty".into()),
            (_, Cell::Unusable) => Err("has a type that is not a time".into()),
            (Self::Cycles { start, step }, cell) => {
                let number =
                    whole_or_decimal(cell).ok_or_else(|| format!("is {}, not a cycle number", show(cell)))?;
                let offset = time::scale(number, *step);
                offset
                    .and_then(|offset| start.checked_add(offset))
                    .ok_or_else(|| format!("is cycle {}, which is out of range", show(cell)))
            }
            (Self::Epoch(_, zone) | Self::Text(zone), Cell::Time { us, zoned }) => {
                if *zoned {
                    Ok(*us)
                } else {
                    local(*us, *zone)
                }
            }
            (Self::Epoch(unit, zone), cell) => match (whole_or_decimal(cell), cell) {
                (Some(number), _) => epoch(number, *unit)
                    .ok_or_else(|| format!("is {}, which is out of range; check time_unit", show(cell))),
                (None, Cell::Text(text)) => from_text(text, *zone),
                (None, _) => Err(format!("is {}, not a time", show(cell))),
            },
            (Self::Text(zone), Cell::Text(text)) => from_text(text, *zone),
            (Self::Text(_), cell) => Err(format!(
                "is the number {}; give time_unit, or time_start and time_step for cycles",
                show(cell)
            )),
        }
    }
}

fn epoch(number: number::Number, unit: TimeUnit) -> Option<i64> {
    match (unit, number.integer) {
        (TimeUnit::S, _) => time::scale(number, 1_000_000),
        (TimeUnit::Ms, _) => time::scale(number, 1_000),
        (TimeUnit::Us, _) => time::scale(number, 1),
        (TimeUnit::Ns, Some(ns)) => Some(ns.div_euclid(1_000)),
        (TimeUnit::Ns, None) => time::scale(number::Number { value: number.value / 1e3, ..number }, 1),
    }
}

fn whole_or_decimal(cell: &Cell<'_>) -> Option<number::Number> {
    match cell {
        Cell::Text(text) => number::scan(text).filter(|number| number.len == text.len()),
        Cell::Whole(whole) => Some(number::Number { value: *whole as f64, len: 0, integer: Some(*whole) }),
        Cell::Number(value) => Some(number::Number { value: *value, len: 0, integer: None }),
        Cell::Missing | Cell::Time { .. } | Cell::Unusable => None,
    }
}

fn from_text(text: &str, zone: Option<Tz>) -> Result<i64, String> {
    for separator in [b' ', b'T'] {
        if let Some((us, used)) = time::civil(text.as_bytes(), separator)
            && used == text.len()
        {
            return local(us, zone);
        }
    }
    if let Ok(us) = parse_time(text) {
        return Ok(us);
    }
    let rare = ["%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M"]
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
    let day = || NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().and_then(|day| day.and_hms_opt(0, 0, 0));
    match rare.or_else(day) {
        Some(time) => local(time.and_utc().timestamp_micros(), zone),
        None if number::scan(text).is_some_and(|number| number.len == text.len()) => Err(format!(
            "is the number {}; give time_unit, or time_start and time_step for cycles",
            shorten(text)
        )),
        None => Err(format!(
            "is {:?}, not a time; known are RFC 3339, YYYY-MM-DD HH:MM:SS, and numbers with time_unit",
            shorten(text)
        )),
    }
}

/// The moment at which clocks in `zone` show `us` (as if it were UTC); the first of two where they are set
/// back.
fn local(us: i64, zone: Option<Tz>) -> Result<i64, String> {
    let Some(zone) = zone else { return Ok(us) };
    let shown = forewarn_types::Timestamp(us).to_utc().naive_utc();
    match zone.from_local_datetime(&shown) {
        LocalResult::Single(time) | LocalResult::Ambiguous(time, _) => Ok(time.timestamp_micros()),
        LocalResult::None => {
            Err(format!("is {shown}, which no clock in {zone} ever showed (clocks were set forward)"))
        }
    }
}

fn show(cell: &Cell<'_>) -> String {
    match cell {
        Cell::Text(text) => format!("{:?}", shorten(text)),
        Cell::Whole(whole) => whole.to_string(),
        Cell::Number(value) => value.to_string(),
        Cell::Time { us, .. } => forewarn_types::Timestamp(*us).to_string(),
        Cell::Missing | Cell::Unusable => "nothing".into(),
    }
}
