//! From a payload to value, time and quality.

use forewarn_ingest::NO_TIME;
use forewarn_ingest::decode::{number, parse_epoch_ms, parse_time, shorten};
use forewarn_spec::{JsonPath, MqttPayload};
use forewarn_types::Quality;
use serde_json::Value;

/// What a payload says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sample {
    pub(super) value: f64,
    /// µs UTC, or [`NO_TIME`].
    pub(super) time: i64,
    pub(super) quality: Quality,
}

/// Reads a payload; the message of a failure is for the operator.
pub(super) fn decode(form: &MqttPayload, payload: &[u8]) -> Result<Sample, String> {
    match form {
        MqttPayload::Number => {
            let text = std::str::from_utf8(payload)
                .map_err(|_| "the payload is not text; a number is expected".to_owned())?;
            Ok(Sample { value: parse_number(text)?, time: NO_TIME, quality: Quality::Good })
        }
        MqttPayload::Json { value, time, quality } => {
            let document: Value = serde_json::from_slice(payload)
                .map_err(|error| format!("the payload is not JSON: {error}"))?;
            let value = value_of(find(&document, value).ok_or_else(|| missing(value))?)?;
            let time = time
                .as_ref()
                .map_or(Ok(NO_TIME), |path| timestamp(find(&document, path).ok_or_else(|| missing(path))?))?;
            // A device may leave the quality out where there is nothing to say about it.
            let quality = quality
                .as_ref()
                .and_then(|path| find(&document, path))
                .map_or(Ok(Quality::Good), quality_of)?;
            Ok(Sample { value, time, quality })
        }
    }
}

fn find<'v>(document: &'v Value, path: &JsonPath) -> Option<&'v Value> {
    let step = |value: &'v Value, key: &String| match value {
        Value::Object(fields) => fields.get(key),
        Value::Array(elements) => elements.get(key.parse::<usize>().ok()?),
        _ => None,
    };
    path.0.iter().try_fold(document, step).filter(|value| !value.is_null())
}

fn missing(path: &JsonPath) -> String {
    let path: String = path.0.iter().flat_map(|key| [".", key]).collect();
    format!("the payload has no ${path}; correct the path in the pipeline or the device's payload")
}

fn parse_number(text: &str) -> Result<f64, String> {
    let text = text.trim();
    match text {
        "t" | "T" => return Ok(1.0),
        "f" | "F" => return Ok(0.0),
        _ if text.eq_ignore_ascii_case("true") => return Ok(1.0),
        _ if text.eq_ignore_ascii_case("false") => return Ok(0.0),
        _ => {}
    }
    let value: f64 = text
        .parse()
        .ok()
        .filter(|value: &f64| value.is_finite())
        .ok_or_else(|| format!("{:?} is not a finite number, true or false", shorten(text)))?;
    match number::scan(text) {
        Some(read) if read.len == text.len() && !read.is_exact(text) => Err(format!(
            "{} has more digits than a 64-bit float holds (whole numbers are exact up to 2^53)",
            shorten(text)
        )),
        _ => Ok(value),
    }
}

fn value_of(value: &Value) -> Result<f64, String> {
    match value {
        Value::Bool(flag) => Ok(f64::from(u8::from(*flag))),
        Value::Number(number) => parse_number(&number.to_string()),
        Value::String(text) => parse_number(text),
        other => Err(format!("the value {} is not a number", shorten(&other.to_string()))),
    }
}

fn timestamp(value: &Value) -> Result<i64, String> {
    match value {
        Value::String(text) => parse_time(text),
        Value::Number(number) => parse_epoch_ms(&number.to_string()),
        other => Err(format!(
            "the time {} is neither RFC 3339 text nor milliseconds since 1970",
            shorten(&other.to_string())
        )),
    }
}

fn quality_of(value: &Value) -> Result<Quality, String> {
    value
        .as_str()
        .and_then(Quality::parse)
        .ok_or_else(|| format!("the quality {} is not good, uncertain or bad", shorten(&value.to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(keys: &[&str]) -> JsonPath {
        JsonPath(keys.iter().map(ToString::to_string).collect())
    }

    fn json() -> MqttPayload {
        MqttPayload::Json { value: path(&["a", "v"]), time: Some(path(&["t"])), quality: Some(path(&["q"])) }
    }

    #[test]
    fn json_is_read_by_paths() {
        let good = |payload: &str| decode(&json(), payload.as_bytes()).unwrap();
        let sample = Sample { value: 91.5, time: 1_000_000, quality: Quality::Good };
        assert_eq!(good(r#"{"a":{"v":91.5},"t":1000}"#), sample);
        assert_eq!(good(r#"{"a":{"v":"91.5"},"t":"1970-01-01T00:00:01Z","q":"good"}"#), sample);
        assert_eq!(
            good(r#"{"a":{"v":true},"t":1000.5,"q":"bad"}"#),
            Sample { value: 1.0, time: 1_000_500, quality: Quality::Bad }
        );
        let root = MqttPayload::Json { value: path(&[]), time: None, quality: None };
        assert_eq!(
            decode(&root, b"-3e2").unwrap(),
            Sample { value: -300.0, time: NO_TIME, quality: Quality::Good }
        );
        let element = MqttPayload::Json { value: path(&["v", "1"]), time: None, quality: None };
        assert_eq!(decode(&element, br#"{"v":[1,2]}"#).unwrap().value, 2.0);
    }

    #[test]
    fn bad_json_is_explained() {
        for (payload, expected) in [
            ("{", "not JSON"),
            ("{}", "no $.a.v"),
            (r#"{"a":{"v":null},"t":1}"#, "no $.a.v"),
            (r#"{"a":{"v":1}}"#, "no $.t"),
            (r#"{"a":{"v":[]},"t":1}"#, "not a number"),
            (r#"{"a":{"v":"NaN"},"t":1}"#, "not a finite number"),
            (r#"{"a":{"v":1},"t":"noon"}"#, "RFC 3339"),
            (r#"{"a":{"v":1},"t":[]}"#, "RFC 3339"),
            (r#"{"a":{"v":1},"t":1,"q":"fine"}"#, "not good, uncertain or bad"),
        ] {
            let error = decode(&json(), payload.as_bytes()).unwrap_err();
            assert!(error.contains(expected), "{payload}: {error}");
        }
    }

    #[test]
    fn bare_numbers_are_read() {
        let read = |payload: &[u8]| decode(&MqttPayload::Number, payload).map(|sample| sample.value);
        assert_eq!(read(b" 12.5\n"), Ok(12.5));
        assert_eq!(read(b"false"), Ok(0.0));
        for text in [&b"TRUE"[..], b"True", b"true", b"T", b"t"] {
            assert_eq!(read(text), Ok(1.0), "{text:?}");
        }
        assert_eq!(read(b"FALSE\r\n"), Ok(0.0));
        assert!(read(b"9007199254740993").unwrap_err().contains("more digits than a 64-bit float holds"));
        for bad in [&b""[..], b"inf", b"nan", b"12,5", b"\xff"] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
    }
}
