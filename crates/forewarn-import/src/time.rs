//! Times as files hold them: with or without a zone, as numbers, or as cycles.

use chrono::{DateTime, LocalResult, NaiveDate, NaiveDateTime, TimeZone};
use chrono_tz::Tz;
use forewarn_ingest::decode::{number, parse_time, shorten, time};

use crate::cell::Cell;
use crate::mapping::{ImportMapping, TimeUnit};
use crate::wall::{self, First, NoTime};

/// 1899-12-30, from which spreadsheets count days, µs.
const EXCEL_US: i64 = -25_569 * 86_400_000_000;

/// How the cells of the time column become times.
pub(super) struct TimeRule {
    form: Form,
    /// The zone of times that name none (`None`: UTC).
    zone: Option<Tz>,
    /// What comes first in a date such as `03/04/2026`.
    first: Option<First>,
}

enum Form {
    /// `start` + cycle × `step`, µs.
    Cycles { start: i64, step: i64 },
    /// Numbers, and texts.
    Epoch(TimeUnit),
    /// Texts.
    Text,
    /// Texts in this form alone.
    Format(String),
}

/// A time, and the later one that clocks show in the same way, where they are set back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) us: i64,
    pub(super) later: Option<i64>,
}

impl From<i64> for Moment {
    fn from(us: i64) -> Self {
        Self { us, later: None }
    }
}

impl TimeRule {
    /// `unit` and `first` are what the file shows where the mapping does not say it.
    pub(super) fn new(
        mapping: &ImportMapping,
        unit: Option<TimeUnit>,
        first: Option<First>,
    ) -> Result<Self, String> {
        let zone = match &mapping.timezone {
            None => None,
            Some(name) => Some(
                name.parse()
                    .map_err(|_| format!("timezone {name:?} is unknown; write one such as Europe/Oslo"))?,
            ),
        };
        let form = match (&mapping.time_start, &mapping.time_step, mapping.time_unit) {
            (None, None, None) => match (&mapping.time_format, unit) {
                (Some(format), _) => Form::Format(format.clone()),
                (None, Some(unit)) => Form::Epoch(unit),
                (None, None) => Form::Text,
            },
            (None, None, Some(unit)) => Form::Epoch(unit),
            (Some(start), Some(step), None) => {
                let step =
                    forewarn_types::parse_duration_us(step).map_err(|error| format!("time_step: {error}"))?;
                Form::Cycles { start: start.0, step }
            }
            (_, _, Some(_)) => {
                return Err(
                    "time_unit stands beside time_start or time_step; a column holds either times or cycles"
                        .into(),
                );
            }
            _ => {
                return Err(
                    "time_start and time_step belong together; give both where the time column counts cycles"
                        .into(),
                );
            }
        };
        if mapping.time_format.is_some() && !matches!(form, Form::Format(_)) {
            return Err("time_format stands beside another rule for times; give one of them".into());
        }
        Ok(Self { form, zone, first })
    }

    pub(super) fn step_us(&self) -> Option<i64> {
        if let Form::Cycles { step, .. } = self.form { Some(step) } else { None }
    }

    /// The time in a cell, µs UTC.
    pub(super) fn read(&self, cell: &Cell<'_>) -> Result<Moment, String> {
        match (&self.form, cell) {
            (_, Cell::Missing) => Err("is empty".into()),
            (_, Cell::Unusable) => Err("has a type that is not a time".into()),
            (Form::Cycles { start, step }, cell) => {
                let number =
                    whole_or_decimal(cell).ok_or_else(|| format!("is {}, not a cycle number", show(cell)))?;
                let offset = time::scale(number, *step);
                offset
                    .and_then(|offset| start.checked_add(offset))
                    .map(Moment::from)
                    .ok_or_else(|| format!("is cycle {}, which is out of range", show(cell)))
            }
            (_, Cell::Time { us, zoned }) => {
                if *zoned {
                    Ok((*us).into())
                } else {
                    self.local(*us)
                }
            }
            (Form::Format(format), Cell::Text(text)) => self.formatted(text, format),
            (Form::Epoch(unit), cell) => match (whole_or_decimal(cell), cell) {
                (Some(number), _) => {
                    let us = epoch(number, *unit).ok_or_else(|| {
                        format!("is {}, which is out of range; check time_unit", show(cell))
                    })?;
                    if *unit == TimeUnit::Excel { self.local(us) } else { Ok(us.into()) }
                }
                (None, Cell::Text(text)) => self.text(text),
                (None, _) => Err(format!("is {}, not a time", show(cell))),
            },
            (_, Cell::Text(text)) => self.text(text),
            (_, cell) => Err(format!(
                "is the number {}; give time_unit, or time_start and time_step for cycles",
                show(cell)
            )),
        }
    }

    fn text(&self, text: &str) -> Result<Moment, String> {
        for separator in [b' ', b'T'] {
            if let Some((us, used)) = time::civil(text.as_bytes(), separator)
                && used == text.len()
            {
                return self.local(us);
            }
        }
        if let Ok(us) = parse_time(text) {
            return Ok(us.into());
        }
        let is_number = number::scan(text).is_some_and(|number| number.len == text.len());
        match wall::read(text, self.first) {
            Ok(shown) if !is_number => match shown.ahead_us {
                Some(ahead_us) => Ok((shown.us - ahead_us).into()),
                None => self.local(shown.us),
            },
            Err(NoTime::Ambiguous) => Err(format!(
                "is {:?}, of which the first number may be the day or the month; give time_format, such as \
                 %d/%m/%Y %H:%M or %m/%d/%Y %H:%M",
                shorten(text)
            )),
            _ if is_number => Err(format!(
                "is the number {}; give time_unit, or time_start and time_step for cycles",
                shorten(text)
            )),
            _ => Err(format!(
                "is {:?}, not a time; known are RFC 3339, YYYY-MM-DD HH:MM:SS, and numbers with time_unit",
                shorten(text)
            )),
        }
    }

    fn formatted(&self, text: &str, format: &str) -> Result<Moment, String> {
        if let Ok(time) = DateTime::parse_from_str(text, format) {
            return Ok(time.timestamp_micros().into());
        }
        let day = || NaiveDate::parse_from_str(text, format).ok()?.and_hms_opt(0, 0, 0);
        match NaiveDateTime::parse_from_str(text, format).ok().or_else(day) {
            Some(time) => self.local(time.and_utc().timestamp_micros()),
            None => Err(format!("is {:?}, not a time in the form {format:?}", shorten(text))),
        }
    }

    /// The moment at which clocks in the zone show `us` (as if it were UTC), or both where they are set back.
    fn local(&self, us: i64) -> Result<Moment, String> {
        let Some(zone) = self.zone else { return Ok(us.into()) };
        let shown = forewarn_types::Timestamp(us).to_utc().naive_utc();
        match zone.from_local_datetime(&shown) {
            LocalResult::Single(time) => Ok(time.timestamp_micros().into()),
            LocalResult::Ambiguous(early, late) => {
                Ok(Moment { us: early.timestamp_micros(), later: Some(late.timestamp_micros()) })
            }
            LocalResult::None => {
                Err(format!("is {shown}, which no clock in {zone} ever showed (clocks were set forward)"))
            }
        }
    }
}

fn epoch(number: number::Number, unit: TimeUnit) -> Option<i64> {
    match (unit, number.integer) {
        (TimeUnit::S, _) => time::scale(number, 1_000_000),
        (TimeUnit::Ms, _) => time::scale(number, 1_000),
        (TimeUnit::Us, _) => time::scale(number, 1),
        (TimeUnit::Ns, Some(ns)) => Some(ns.div_euclid(1_000)),
        // Seconds are what spreadsheets show; what is below is rounding.
        (TimeUnit::Excel, _) => EXCEL_US.checked_add(time::scale(
            number::Number { value: (number.value * 86_400_000.0).round(), integer: None, ..number },
            1_000,
        )?),
        (TimeUnit::Ns, None) => time::scale(number::Number { value: number.value / 1e3, ..number }, 1),
    }
}

fn whole_or_decimal(cell: &Cell<'_>) -> Option<number::Number> {
    match cell {
        Cell::Text(text) => number::scan(text).filter(|number| number.len == text.len()),
        Cell::Whole(whole) => Some(number::Number {
            value: *whole as f64,
            len: 0,
            integer: Some(i64::try_from(*whole).ok()?),
            many_digits: false,
        }),
        Cell::Number(value) => {
            Some(number::Number { value: *value, len: 0, integer: None, many_digits: false })
        }
        Cell::Missing | Cell::Time { .. } | Cell::Unusable => None,
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
