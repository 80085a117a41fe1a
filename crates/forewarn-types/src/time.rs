//! Event time: microseconds since 1970-01-01T00:00:00Z, in an `i64`.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::TypesError;

/// A point in time, µs UTC. As text it is RFC 3339 with `Z`; in JSON it is that text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Earlier than any reading.
    pub const MIN: Self = Self(i64::MIN);
    /// Later than any reading.
    pub const MAX: Self = Self(i64::MAX);

    /// From whole milliseconds since 1970; saturates.
    #[must_use]
    pub const fn from_millis(ms: i64) -> Self {
        Self(ms.saturating_mul(1_000))
    }

    /// From whole seconds since 1970; saturates.
    #[must_use]
    pub const fn from_secs(s: i64) -> Self {
        Self(s.saturating_mul(1_000_000))
    }

    /// Seconds since 1970, with the fraction.
    #[must_use]
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// This time plus `us` microseconds; saturates.
    #[must_use]
    pub const fn plus_us(self, us: i64) -> Self {
        Self(self.0.saturating_add(us))
    }

    /// Microseconds from `earlier` to this time; saturates.
    #[must_use]
    pub const fn since_us(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Reads RFC 3339 (`2026-01-31T08:30:00Z`, any offset, `T` or a blank). Fractions beyond µs are cut.
    ///
    /// # Errors
    /// [`TypesError::Time`] if the text is not such a time.
    pub fn parse(text: &str) -> Result<Self, TypesError> {
        DateTime::parse_from_rfc3339(text)
            .map(|time| Self(time.timestamp_micros()))
            .map_err(|_| TypesError::Time(text.chars().take(64).collect()))
    }

    /// The day this time falls on in UTC, as `2026-01-31`: the `date` partition of the lake.
    #[must_use]
    pub fn date(self) -> String {
        self.to_utc().format("%Y-%m-%d").to_string()
    }

    /// As chrono's type; a time chrono cannot hold becomes its nearest bound.
    #[must_use]
    pub fn to_utc(self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0).unwrap_or(if self.0 < 0 {
            DateTime::<Utc>::MIN_UTC
        } else {
            DateTime::<Utc>::MAX_UTC
        })
    }
}

impl From<DateTime<Utc>> for Timestamp {
    fn from(time: DateTime<Utc>) -> Self {
        Self(time.timestamp_micros())
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let form = if self.0 % 1_000_000 == 0 { SecondsFormat::Secs } else { SecondsFormat::Micros };
        f.write_str(&self.to_utc().to_rfc3339_opts(form, true))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_i64(self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = String::deserialize(deserializer)?;
            Self::parse(&text).map_err(de::Error::custom)
        } else {
            i64::deserialize(deserializer).map(Self)
        }
    }
}

const UNITS: [(&str, i64); 6] = [
    ("us", 1),
    ("ms", 1_000),
    ("s", 1_000_000),
    ("m", 60_000_000),
    ("h", 3_600_000_000),
    ("d", 86_400_000_000),
];

/// Reads a duration such as `30s`, `5m`, `24h`, `7d`, `250ms` or `1h30m`, in µs.
///
/// # Errors
/// [`TypesError::Duration`] if the text is not such a duration, or is too long for an `i64` of µs.
pub fn parse_duration_us(text: &str) -> Result<i64, TypesError> {
    let error = || TypesError::Duration(text.chars().take(64).collect());
    let mut rest = text.trim();
    let mut total: i64 = 0;
    if rest.is_empty() {
        return Err(error());
    }
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let letters = rest[digits..].bytes().take_while(u8::is_ascii_lowercase).count();
        let number: i64 = rest[..digits].parse().map_err(|_| error())?;
        let unit = &rest[digits..digits + letters];
        let (_, us) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(error)?;
        total = number.checked_mul(*us).and_then(|part| total.checked_add(part)).ok_or_else(error)?;
        rest = &rest[digits + letters..];
    }
    Ok(total)
}

/// Writes a duration of `us` microseconds in the largest unit that divides it: `90s`, `5m`, `24h` → `1d`.
#[must_use]
pub fn format_duration(us: i64) -> String {
    let (name, unit) =
        UNITS.iter().rev().find(|(_, unit)| us != 0 && us % unit == 0).unwrap_or(&("s", 1_000_000));
    format!("{}{name}", us / unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_round_trip() {
        for text in ["2026-01-31T08:30:00Z", "1970-01-01T00:00:00Z", "2026-01-31T08:30:00.000250Z"] {
            assert_eq!(Timestamp::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(
            Timestamp::parse("2026-01-31T08:30:00+02:00").unwrap(),
            Timestamp::parse("2026-01-31T06:30:00Z").unwrap()
        );
        assert!(Timestamp::parse("yesterday").unwrap_err().to_string().contains("RFC 3339"));
    }

    #[test]
    fn durations_round_trip() {
        for (text, us) in [
            ("30s", 30_000_000),
            ("5m", 300_000_000),
            ("24h", 86_400_000_000),
            ("250ms", 250_000),
            ("1h30m", 5_400_000_000),
        ] {
            assert_eq!(parse_duration_us(text).unwrap(), us, "{text}");
            assert_eq!(parse_duration_us(&format_duration(us)).unwrap(), us, "{text}");
        }
        for text in ["", "5", "m", "5 m", "-5m", "5y", "99999999999999d"] {
            assert!(parse_duration_us(text).is_err(), "{text:?} must be refused");
        }
    }
}
