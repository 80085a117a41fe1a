//! Parameters in paths and queries, with errors as problems.

use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use forewarn_types::{AssetPath, Timestamp, check_asset};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};

use crate::problem::Problem;

/// Query parameters.
pub(crate) struct Params<T>(pub T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Query(value) = Query::try_from_uri(&parts.uri).map_err(|rejection| {
            Problem::bad_request(format!("the query is not what this route takes: {}", rejection.body_text()))
        })?;
        Ok(Self(value))
    }
}

/// Parameters in the path.
pub(crate) struct PathParam<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for PathParam<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(value) = Path::from_request_parts(parts, state)
            .await
            .map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
        Ok(Self(value))
    }
}

/// An asset in the path: its own path, percent-encoded, checked.
#[derive(Debug, Clone)]
pub(crate) struct AssetParam(pub AssetPath);

impl<'de> Deserialize<'de> for AssetParam {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let path = String::deserialize(deserializer)?;
        check_asset(&path).map_err(D::Error::custom)?;
        Ok(Self(path.into()))
    }
}

/// The last time that RFC 3339 can write.
const LATEST: Timestamp = Timestamp(253_402_300_799_999_999);

/// A time in a query or a body, of the years 1970 to 9999: RFC 3339, or milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimeInput(pub Timestamp);

impl<'de> Deserialize<'de> for TimeInput {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = TimeInput;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a time: RFC 3339 such as 2026-01-31T08:30:00Z, or milliseconds since 1970")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<TimeInput, E> {
                parse_time(text).and_then(bounded).map_err(E::custom)
            }

            fn visit_i64<E: serde::de::Error>(self, ms: i64) -> Result<TimeInput, E> {
                bounded(Timestamp::from_millis(ms)).map_err(E::custom)
            }

            fn visit_u64<E: serde::de::Error>(self, ms: u64) -> Result<TimeInput, E> {
                i64::try_from(ms)
                    .map_err(|_| E::custom("that many milliseconds are too far in the future"))
                    .and_then(|ms| self.visit_i64(ms))
            }

            fn visit_f64<E: serde::de::Error>(self, ms: f64) -> Result<TimeInput, E> {
                // The casts saturate, and fractions of a microsecond are dropped.
                #[expect(clippy::cast_possible_truncation, reason = "saturation is what is wanted")]
                let us = (ms * 1e3).round() as i64;
                if ms.is_finite() {
                    bounded(Timestamp(us)).map_err(E::custom)
                } else {
                    Err(E::custom("a time must be finite"))
                }
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// Keeps out times that no record can hold, which mostly are microseconds or nanoseconds taken for
/// milliseconds.
fn bounded(time: Timestamp) -> Result<TimeInput, String> {
    if (Timestamp(0)..=LATEST).contains(&time) {
        return Ok(TimeInput(time));
    }
    Err("the time lies outside the years 1970 to 9999; a number means milliseconds since 1970".into())
}

/// Reads RFC 3339 or milliseconds since 1970. In a query an unencoded `+` of an offset arrives as a blank; it
/// is taken as meant.
fn parse_time(text: &str) -> Result<Timestamp, String> {
    let text = text.trim();
    if let Ok(ms) = text.parse::<i64>() {
        return Ok(Timestamp::from_millis(ms));
    }
    let parsed = Timestamp::parse(text);
    match (parsed, text.rsplit_once(' ')) {
        (Ok(time), _) => Ok(time),
        (Err(_), Some((time, offset))) if offset.len() == 5 => {
            Timestamp::parse(&format!("{time}+{offset}")).map_err(|error| error.to_string())
        }
        (Err(error), _) => Err(format!("{error}, or milliseconds since 1970")),
    }
}

/// A time range of a query, checked.
///
/// # Errors
/// A [`Problem`] if it ends before it begins.
pub(crate) fn time_range(
    from: Option<TimeInput>,
    to: Option<TimeInput>,
) -> Result<(Timestamp, Timestamp), Problem> {
    let (from, to) = (from.map_or(Timestamp::MIN, |time| time.0), to.map_or(Timestamp::MAX, |time| time.0));
    if from > to {
        return Err(Problem::bad_request(format!("from ({from}) is later than to ({to})"))
            .hint("from is inclusive, to is exclusive"));
    }
    Ok((from, to))
}

/// The number of items a query asks for, checked.
///
/// # Errors
/// A [`Problem`] if it is 0 or more than `most`.
pub(crate) fn limit(asked: Option<usize>, default: usize, most: usize) -> Result<usize, Problem> {
    match asked {
        None => Ok(default),
        Some(limit) if (1..=most).contains(&limit) => Ok(limit),
        Some(limit) => Err(Problem::bad_request(format!("limit {limit} is not between 1 and {most}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_come_in_three_forms() {
        let time = Timestamp::parse("2026-01-01T00:00:00Z").unwrap();
        for text in [
            "2026-01-01T00:00:00Z",
            "1767225600000",
            "2026-01-01T02:00:00 02:00",
            "2026-01-01T02:00:00+02:00",
        ] {
            assert_eq!(parse_time(text), Ok(time), "{text}");
        }
        let json = |text: &str| serde_json::from_str::<TimeInput>(text).map(|time| time.0);
        assert_eq!(json("1767225600000").unwrap(), time);
        assert_eq!(json("1767225600000.5").unwrap(), time.plus_us(500));
        assert_eq!(json("\"2026-01-01T00:00:00Z\"").unwrap(), time);
        for bad in [
            "\"yesterday\"",
            "true",
            "[]",
            "18446744073709551615",
            "1767225600000000",
            "-1",
            "1e300",
            "\"1969-12-31T23:59:59Z\"",
        ] {
            let error = json(bad).unwrap_err().to_string();
            assert!(error.contains("time") || error.contains("milliseconds"), "{bad}: {error}");
        }
    }
}
