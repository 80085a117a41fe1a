//! One JSON object with readings, in full generality: escapes, the wide form, and an explanation for
//! everything else.

use std::borrow::Cow;
use std::fmt;

use forewarn_types::Quality;
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::decode::{number as decimal, parse_time, shorten, time};
use crate::{NO_TIME, RawBatch};

/// Decodes the object that `text` is and adds its readings.
///
/// # Errors
/// The reason why none of it can be used. A bad value among several of the wide form is noted in the batch
/// instead.
pub(super) fn decode(text: &str, line: u32, batch: &mut RawBatch) -> Result<(), String> {
    let object: Object<'_> = serde_json::from_str(text).map_err(|error| explain(&error, text))?;
    if let Some(key) = object.unknown {
        return Err(format!(
            "unknown key {:?}; the keys are asset, signal, time, value, quality, or values in place of \
             signal and value",
            shorten(&key)
        ));
    }
    let [asset, signal, when, value, quality, values] = object.known;
    let asset = name(asset, "asset")?;
    let when = moment(when)?;
    let quality = quality_of(quality)?;
    let Some(values) = values else {
        let signal = name(signal, "signal")?;
        let value = value.ok_or("value is missing; send a number or true/false")?;
        let value = number(value.get()).map_err(|problem| format!("value {problem}"))?;
        batch.push(&asset, &signal, when, value, quality, line);
        return Ok(());
    };
    if signal.is_some() || value.is_some() {
        return Err("values stands beside signal or value; send either signal and value, or values".into());
    }
    let Wide(values) = serde_json::from_str(values.get()).map_err(|_| {
        format!("values is {}; send an object such as {{\"temperature\":91.2}}", kind(values.get()))
    })?;
    if values.is_empty() {
        return Err("values is empty; send at least one signal with its value".into());
    }
    for (signal, value) in values {
        match number(value.get()) {
            Ok(value) => batch.push(&asset, &signal.0, when, value, quality, line),
            Err(problem) => {
                batch.reject(line as usize, format!("values: {:?} {problem}", shorten(&signal.0)));
            }
        }
    }
    Ok(())
}

/// What is wrong with a text that is not JSON, or not of the expected form, without serde's notion of lines.
pub(super) fn explain(error: &serde_json::Error, text: &str) -> String {
    let full = error.to_string();
    let problem = full.rsplit_once(" at line ").map_or(full.as_str(), |(problem, _)| problem);
    if error.is_data() {
        return problem.to_owned();
    }
    let column = error.column();
    if text.contains("NaN") || text.contains("Infinity") {
        return format!(
            "not JSON ({problem}, column {column}): JSON has no NaN or Infinity; leave the reading out or \
             send the last value with quality bad"
        );
    }
    format!("not JSON ({problem}, column {column}); send one object a line, or an array of objects")
}

const KEYS: [&str; 6] = ["asset", "signal", "time", "value", "quality", "values"];

/// The members of an object, as text; `unknown` is the first key that has no meaning.
struct Object<'a> {
    known: [Option<&'a RawValue>; 6],
    unknown: Option<Cow<'a, str>>,
}

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with asset, signal and value")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut object = Object { known: [None; 6], unknown: None };
                while let Some(Text(key)) = map.next_key()? {
                    if let Some(slot) = KEYS.iter().position(|known| *known == key) {
                        if object.known[slot].replace(map.next_value()?).is_some() {
                            return Err(A::Error::custom(format!("key {key:?} is given twice")));
                        }
                    } else {
                        map.next_value::<IgnoredAny>()?;
                        object.unknown.get_or_insert(key);
                    }
                }
                Ok(object)
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// The object `values` of the wide form, in the sender's order.
struct Wide<'a>(Vec<(Text<'a>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Wide<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Wide<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Wide(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// A JSON string, borrowed where it holds no escapes (serde's own `Cow` never borrows inside a map).
struct Text<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Borrow;
        impl<'de> Visitor<'de> for Borrow {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Borrow)
    }
}

fn name<'a>(raw: Option<&'a RawValue>, key: &str) -> Result<Cow<'a, str>, String> {
    let text = raw.ok_or_else(|| format!("{key} is missing"))?.get();
    let Text(name) =
        serde_json::from_str(text).map_err(|_| format!("{key} is {}; send a string", kind(text)))?;
    Ok(name)
}

fn moment(raw: Option<&RawValue>) -> Result<i64, String> {
    let Some(raw) = raw else { return Ok(NO_TIME) };
    let text = raw.get();
    match text.as_bytes().first() {
        Some(b'n') => Ok(NO_TIME),
        Some(b'"') => {
            let Text(text) = serde_json::from_str(text).map_err(|error| explain(&error, text))?;
            parse_time(&text)
        }
        Some(b'-' | b'0'..=b'9') => time::parse_epoch_ms(text),
        _ => Err(format!("time is {}; send RFC 3339 text or milliseconds since 1970", kind(text))),
    }
}

fn quality_of(raw: Option<&RawValue>) -> Result<Quality, String> {
    let Some(text) = raw.map(RawValue::get).filter(|text| *text != "null") else { return Ok(Quality::Good) };
    let name: Option<Text<'_>> = serde_json::from_str(text).ok();
    let quality = name.and_then(|Text(name)| Quality::parse(&name));
    quality.ok_or_else(|| format!("quality is {}; send good, uncertain or bad", kind(text)))
}

/// The value that a member's text stands for, or what is wrong with it (to be said after the member's name).
fn number(text: &str) -> Result<f64, String> {
    match text {
        "true" => return Ok(1.0),
        "false" => return Ok(0.0),
        _ => {}
    }
    if !matches!(text.as_bytes().first(), Some(b'-' | b'0'..=b'9')) {
        let hint = if text == "null" {
            "; leave the reading out, or send the last value with quality bad"
        } else {
            "; send a number or true/false"
        };
        return Err(format!("is {}{hint}", kind(text)));
    }
    let value: Option<f64> = text.parse().ok().filter(|value: &f64| value.is_finite());
    let value = value.ok_or_else(|| {
        format!("is {}, which is too large for a 64-bit float; check the sender", shorten(text))
    })?;
    if text.len() <= 15 {
        return Ok(value);
    }
    match decimal::scan(text) {
        Some(read) if !read.is_exact(text) => Err(format!(
            "is {}, which has more digits than a 64-bit float holds (whole numbers are exact up to 2^53); \
             send it in a larger unit",
            shorten(text)
        )),
        _ => Ok(value),
    }
}

fn kind(text: &str) -> String {
    match text.as_bytes().first() {
        Some(b'"') => format!("the text {}", shorten(text)),
        Some(b'{') => "an object".into(),
        Some(b'[') => "an array".into(),
        Some(b'n') => "null".into(),
        Some(b't' | b'f') => format!("the boolean {text}"),
        _ => format!("the number {}", shorten(text)),
    }
}
