//! Readings as JSON: one object, an array of objects, or one object a line (NDJSON). Which of them it is
//! shows in the body, so a wrong content type does no harm.
//!
//! The usual object (`asset`, `signal`, `time`, `value`, `quality` in any order, no escapes) is read by
//! [`scan`] in one pass and without allocation. Whatever it does not understand goes to `object`, which takes
//! all of JSON and explains itself.

mod object;

use forewarn_types::Quality;
use memchr::memchr2;
use serde_json::value::RawValue;

use super::lines::Lines;
use super::{DecodeOptions, number, parse_time, time};
use crate::{IngestError, NO_TIME, RawBatch};

const EXAMPLE: &str = "readings such as {\"asset\":\"plant1/pump7\",\"signal\":\"temperature\",\
                       \"time\":\"2026-01-31T08:30:00Z\",\"value\":91.2}, one a line or as an array";

/// Decodes the body of `POST /v1/readings`. Lines (elements of an array, where the body is one) that cannot
/// be used are listed in the batch; all others are kept.
///
/// # Errors
/// [`IngestError::EmptyBody`] if there is nothing to decode.
pub fn decode_readings(body: &[u8], options: &DecodeOptions) -> Result<RawBatch, IngestError> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let start = blanks(body, 0);
    // 64 bytes is a short line: the columns are rarely grown, and take less room than the body.
    let mut batch = RawBatch::with_capacity(body.len() / 64 + 1);
    match body.get(start) {
        None => return Err(IngestError::EmptyBody(EXAMPLE)),
        Some(b'[') => array(valid_text(body), start + 1, options.max_line_bytes, &mut batch),
        Some(b'{') if spans_lines(body, start) => {
            if let Err(reason) = object::decode(valid_text(body), 1, &mut batch) {
                batch.reject(1, reason);
            }
        }
        Some(_) => lines(body, options.max_line_bytes, &mut batch),
    }
    Ok(batch)
}

fn lines(body: &[u8], max_bytes: usize, batch: &mut RawBatch) {
    for (number, line) in Lines::new(body, max_bytes) {
        let decoded = line.and_then(|text| {
            match scan(text) {
                Some((reading, end)) if blanks(text.as_bytes(), end) == text.len() => {
                    reading.push(number, batch);
                }
                _ => object::decode(text, row_line(number), batch)?,
            }
            Ok(())
        });
        if let Err(reason) = decoded {
            batch.reject(number, reason);
        }
    }
}

fn array(text: &str, mut at: usize, max_bytes: usize, batch: &mut RawBatch) {
    let bytes = text.as_bytes();
    let mut number = 0;
    loop {
        at = blanks(bytes, at);
        if number == 0 && bytes.get(at) == Some(&b']') {
            at += 1;
            break;
        }
        number += 1;
        let end = match element(text, at, number, max_bytes, batch) {
            Ok(end) => blanks(bytes, end),
            Err(reason) => {
                return batch.reject(
                    number,
                    format!("the array breaks off here, what stands before is kept: {reason}"),
                );
            }
        };
        match bytes.get(end) {
            Some(b',') => at = end + 1,
            Some(b']') => {
                at = end + 1;
                break;
            }
            _ => {
                return batch.reject(
                    number,
                    "the array breaks off after this element, what stands before is kept: , or ] is missing",
                );
            }
        }
    }
    if blanks(bytes, at) < text.len() {
        batch.reject(
            number.max(1),
            "there is more after the end of the array; send one array, or one object a line",
        );
    }
}

/// Decodes the array's element at `at`; an error ends the array, a refused element does not. Gives where it
/// ends.
fn element(
    text: &str,
    at: usize,
    number: usize,
    max_bytes: usize,
    batch: &mut RawBatch,
) -> Result<usize, String> {
    let rest = text.get(at..).unwrap_or("");
    if let Some((reading, end)) = scan(rest)
        && end <= max_bytes
    {
        reading.push(number, batch);
        return Ok(at + end);
    }
    let mut stream = serde_json::Deserializer::from_str(rest).into_iter::<&RawValue>();
    let raw = match stream.next() {
        Some(Ok(raw)) => raw.get(),
        Some(Err(error)) => return Err(object::explain(&error, rest)),
        None => return Err("an element or ] is missing".into()),
    };
    let decoded = if raw.len() > max_bytes {
        Err(format!("the element has {} bytes, more than limits.max_line_bytes = {}", raw.len(), max_bytes))
    } else {
        object::decode(raw, row_line(number), batch)
    };
    if let Err(reason) = decoded {
        batch.reject(number, reason);
    }
    Ok(at + stream.byte_offset())
}

/// Whether the body is one object over several lines: its first line alone is not complete, the whole is.
fn spans_lines(body: &[u8], start: usize) -> bool {
    let end = memchr::memchr(b'\n', &body[start..]).map_or(body.len(), |end| start + end);
    let complete = |text: &[u8]| serde_json::from_slice::<&RawValue>(text).is_ok();
    end < body.len() && !complete(&body[start..end]) && complete(body)
}

/// The text up to the first byte that is not UTF-8.
fn valid_text(body: &[u8]) -> &str {
    match std::str::from_utf8(body) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&body[..error.valid_up_to()]).unwrap_or(""),
    }
}

fn row_line(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// The usual object, borrowed from the body.
struct Reading<'a> {
    asset: &'a str,
    signal: &'a str,
    time: i64,
    value: f64,
    quality: Quality,
}

impl Reading<'_> {
    fn push(&self, number: usize, batch: &mut RawBatch) {
        batch.push(self.asset, self.signal, self.time, self.value, self.quality, row_line(number));
    }
}

/// Reads the object at the front of `text` and tells where it ends; `None` for anything but the usual form.
fn scan(text: &str) -> Option<(Reading<'_>, usize)> {
    let bytes = text.as_bytes();
    let (mut asset, mut signal, mut time, mut value, mut quality) = (None, None, None, None, None);
    let mut at = blanks(bytes, 0);
    if bytes.get(at) != Some(&b'{') {
        return None;
    }
    loop {
        let (key, end) = string(text, blanks(bytes, at + 1))?;
        at = blanks(bytes, end);
        if bytes.get(at) != Some(&b':') {
            return None;
        }
        at = blanks(bytes, at + 1);
        at = match key {
            "asset" if asset.is_none() => keep(&mut asset, string(text, at)?),
            "signal" if signal.is_none() => keep(&mut signal, string(text, at)?),
            "value" if value.is_none() => keep(&mut value, scalar(text, at)?),
            "time" if time.is_none() => keep(&mut time, moment(text, at)?),
            "quality" if quality.is_none() => {
                let (name, end) = string(text, at)?;
                quality = Some(Quality::parse(name)?);
                end
            }
            _ => return None,
        };
        at = blanks(bytes, at);
        match bytes.get(at)? {
            b',' => {}
            b'}' => break,
            _ => return None,
        }
    }
    let reading = Reading {
        asset: asset?,
        signal: signal?,
        time: time.unwrap_or(NO_TIME),
        value: value?,
        quality: quality.unwrap_or(Quality::Good),
    };
    Some((reading, at + 1))
}

fn keep<T>(slot: &mut Option<T>, (value, end): (T, usize)) -> usize {
    *slot = Some(value);
    end
}

fn string(text: &str, at: usize) -> Option<(&str, usize)> {
    let bytes = text.as_bytes();
    if bytes.get(at) != Some(&b'"') {
        return None;
    }
    let end = at + 1 + memchr2(b'"', b'\\', &bytes[at + 1..])?;
    if bytes[end] == b'\\' {
        return None;
    }
    Some((text.get(at + 1..end)?, end + 1))
}

fn scalar(text: &str, at: usize) -> Option<(f64, usize)> {
    let rest = text.get(at..)?;
    if rest.starts_with("true") {
        return Some((1.0, at + 4));
    }
    if rest.starts_with("false") {
        return Some((0.0, at + 5));
    }
    let number = json_number(rest)?;
    (number.value.is_finite() && number.is_exact(rest)).then_some((number.value, at + number.len))
}

fn moment(text: &str, at: usize) -> Option<(i64, usize)> {
    if text.as_bytes().get(at) == Some(&b'"') {
        let (text, end) = string(text, at)?;
        return Some((parse_time(text).ok()?, end));
    }
    let number = json_number(text.get(at..)?)?;
    Some((time::scale(number, 1_000)?, at + number.len))
}

/// A number of JSON's grammar, which knows no leading zeros.
fn json_number(text: &str) -> Option<number::Number> {
    let digits = text.strip_prefix('-').unwrap_or(text).as_bytes();
    if digits.first() == Some(&b'0') && digits.get(1).is_some_and(u8::is_ascii_digit) {
        return None;
    }
    number::scan(text)
}

/// The first place from `at` that is not blank in JSON's sense.
fn blanks(bytes: &[u8], mut at: usize) -> usize {
    while matches!(bytes.get(at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
        at += 1;
    }
    at
}
