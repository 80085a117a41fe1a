//! Influx line protocol: what Telegraf and every Influx client writes.
//!
//! `measurement,tag=value field=1.5,other=2i 1700000000000000000`. The scanner follows the InfluxDB v2
//! specification: `\` escapes a comma, an equals sign, a blank and itself, and stands for itself before
//! anything else. Senders repeat few series, so a series (measurement and tags, byte for byte) and each of
//! its fields is named once in a batch; after that a field costs two comparisons and a number.

mod escape;
mod series;

use forewarn_types::Quality;
use memchr::{memchr2, memchr3};

use self::escape::unescaped;
use self::series::SeriesCache;
use super::lines::Lines;
use super::{DecodeOptions, InfluxMapping, number, shorten};
use crate::{IngestError, NO_TIME, RawBatch};

/// In which unit the timestamps of a request are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Precision {
    /// Nanoseconds; digits below a microsecond are cut.
    #[default]
    Nanoseconds,
    /// Microseconds.
    Microseconds,
    /// Milliseconds.
    Milliseconds,
    /// Seconds.
    Seconds,
    /// Minutes (InfluxDB v1).
    Minutes,
    /// Hours (InfluxDB v1).
    Hours,
}

impl Precision {
    /// Reads the query parameter `precision` of InfluxDB v1 (`n`, `ns`, `u`, `us`, `ms`, `s`, `m`, `h`) or v2
    /// (`ns`, `us`, `ms`, `s`).
    ///
    /// # Errors
    /// [`IngestError::Influx`] if it is none of them.
    pub fn parse(text: &str) -> Result<Self, IngestError> {
        Ok(match text {
            "" | "n" | "ns" => Self::Nanoseconds,
            "u" | "us" | "µ" | "µs" => Self::Microseconds,
            "ms" => Self::Milliseconds,
            "s" => Self::Seconds,
            "m" => Self::Minutes,
            "h" => Self::Hours,
            _ => {
                return Err(IngestError::Influx(format!(
                    "precision {:?} is unknown; send ns, us, ms or s",
                    shorten(text)
                )));
            }
        })
    }

    /// `time` in this unit as µs; `None` if that does not fit.
    fn to_us(self, time: i64) -> Option<i64> {
        match self {
            Self::Nanoseconds => Some(time.div_euclid(1_000)),
            Self::Microseconds => Some(time),
            Self::Milliseconds => time.checked_mul(1_000),
            Self::Seconds => time.checked_mul(1_000_000),
            Self::Minutes => time.checked_mul(60_000_000),
            Self::Hours => time.checked_mul(3_600_000_000),
        }
    }
}

/// Decodes a body of line protocol. Lines and fields that cannot be used are listed in the batch; all others
/// are kept. Fields that are texts are passed over: only numbers and booleans become readings.
///
/// # Errors
/// [`IngestError::EmptyBody`] if there is nothing to decode.
pub fn decode(
    body: &[u8],
    precision: Precision,
    mapping: &InfluxMapping,
    options: &DecodeOptions,
) -> Result<RawBatch, IngestError> {
    if body.trim_ascii().is_empty() {
        return Err(IngestError::EmptyBody(
            "lines such as pump,site=plant1,unit=pump7 temperature=91.2 1767225600000000000",
        ));
    }
    // A field with its share of a line has about 32 bytes; the columns take less room than the body.
    let mut decoder = Decoder {
        batch: RawBatch::with_capacity(body.len() / 32 + 1),
        precision,
        cache: SeriesCache::new(mapping),
    };
    for (number, line) in Lines::new(body, options.max_line_bytes) {
        let first = decoder.batch.len();
        if let Err(reason) = line.and_then(|text| decoder.line(text.trim_ascii(), number)) {
            decoder.batch.truncate(first);
            decoder.batch.reject(number, reason);
        }
    }
    Ok(decoder.batch)
}

struct Decoder<'a> {
    batch: RawBatch,
    precision: Precision,
    cache: SeriesCache<'a>,
}

impl<'a> Decoder<'a> {
    /// Decodes one line; an error refuses all of it.
    fn line(&mut self, text: &'a str, number: usize) -> Result<(), String> {
        let bytes = text.as_bytes();
        if bytes.first() == Some(&b'#') {
            return Ok(());
        }
        let row_line = u32::try_from(number).unwrap_or(u32::MAX);
        let first = self.batch.len();
        let end = unescaped(bytes, 0, b' ');
        let series = self.cache.series(text.get(..end).unwrap_or(""))?;
        let mut at = blanks(bytes, end);
        if at == bytes.len() {
            return Err("the line has no field; write measurement,tag=value field=1.5 timestamp".into());
        }
        let mut place = 0;
        loop {
            let (field, value, end) = field(text, at)?;
            match value {
                // Telegraf sends such fields with every write of some plugins, and InfluxDB takes them: no
                // reason for a refusal.
                Ok(text) if text.starts_with('"') => self.batch.skipped += 1,
                value => match value.and_then(reading) {
                    Ok(value) => {
                        match self.cache.name(series, place, field, &mut self.batch) {
                            Ok(name) => self.batch.push_named(name, NO_TIME, value, Quality::Good, row_line),
                            Err(problem) => self.batch.reject(number, problem),
                        }
                        place += 1;
                    }
                    Err(problem) => {
                        self.batch.reject(number, format!("field {:?} {problem}", shorten(field)));
                    }
                },
            }
            if bytes.get(end) != Some(&b',') {
                at = blanks(bytes, end);
                break;
            }
            at = end + 1;
        }
        if at < bytes.len() {
            let time = self.timestamp(text.get(at..).unwrap_or(""))?;
            self.batch.time[first..].fill(time);
        }
        Ok(())
    }

    fn timestamp(&self, text: &str) -> Result<i64, String> {
        let number = number::scan(text).filter(|number| number.len == text.len());
        let Some(time) = number.and_then(|number| number.integer) else {
            return Err(format!(
                "timestamp {:?} is not a whole number; after the fields comes one, or nothing",
                shorten(text)
            ));
        };
        let time = self.precision.to_us(time).filter(|time| *time != NO_TIME);
        time.ok_or_else(|| format!("timestamp {text} is out of range; check the parameter precision"))
    }
}

/// Reads the field at `at`: its key (with escapes), its value's text or what is wrong with it, and where it
/// ends. An error means that the rest of the line cannot be made out.
fn field(text: &str, at: usize) -> Result<(&str, Result<&str, String>, usize), String> {
    let bytes = text.as_bytes();
    let mut end = at;
    loop {
        end += memchr3(b'=', b',', b'\\', &bytes[end..]).unwrap_or(bytes.len() - end);
        if bytes.get(end) != Some(&b'\\') {
            break;
        }
        end = (end + 2).min(bytes.len());
    }
    let blank = unescaped(&bytes[..end], at, b' ');
    let key = text.get(at..blank.min(end)).unwrap_or("");
    if blank < end || bytes.get(end) != Some(&b'=') {
        let end = blank.min(end);
        return Ok((key, Err("has no value; write name=value".into()), end));
    }
    if key.is_empty() {
        return Err("a field has no name; write name=value".into());
    }
    let start = end + 1;
    if bytes.get(start) == Some(&b'"') {
        let close = unescaped(bytes, start + 1, b'"');
        if close == bytes.len() {
            return Err(format!(
                "field {:?} is text that is not closed with a quote on its line",
                shorten(key)
            ));
        }
        let end = close + 1;
        if !matches!(bytes.get(end), None | Some(b',' | b' ')) {
            return Err(format!(
                "field {:?} has something after its closing quote; write a comma or a blank",
                shorten(key)
            ));
        }
        return Ok((key, Ok(text.get(start..end).unwrap_or("")), end));
    }
    let end = memchr2(b',', b' ', &bytes[start..]).map_or(bytes.len(), |end| start + end);
    Ok((key, Ok(text.get(start..end).unwrap_or("")), end))
}

/// The value that a field's text stands for, or what is wrong with it (to be said after the field's name).
fn reading(text: &str) -> Result<f64, String> {
    if let Some(number) = number::scan(text)
        && number.len == text.len()
        && number.value.is_finite()
    {
        return Ok(number.value);
    }
    match text {
        "" => return Err("has no value; write name=value".into()),
        "t" | "T" | "true" | "True" | "TRUE" => return Ok(1.0),
        "f" | "F" | "false" | "False" | "FALSE" => return Ok(0.0),
        _ => {}
    }
    let whole = match text.as_bytes().last() {
        Some(b'i') => text[..text.len() - 1].parse::<i64>().ok().map(|value| value as f64),
        Some(b'u') => text[..text.len() - 1].parse::<u64>().ok().map(|value| value as f64),
        // Influx takes `1.` and `.5`, which number::scan does not.
        Some(b'0'..=b'9' | b'.') => text.parse().ok(),
        _ => None,
    };
    match whole {
        Some(value) if value.is_finite() => Ok(value),
        Some(_) => Err(format!("is {}, which is too large for a 64-bit float", shorten(text))),
        None if text
            .trim_start_matches(['-', '+'])
            .get(..3)
            .is_some_and(|text| text.eq_ignore_ascii_case("nan") || text.eq_ignore_ascii_case("inf")) =>
        {
            Err(format!("is {}; leave it out where there is no number", shorten(text)))
        }
        None => Err(format!("is {}; write a number (1.5, 2i, 3u) or a boolean (true, false)", shorten(text))),
    }
}

fn blanks(bytes: &[u8], mut at: usize) -> usize {
    while bytes.get(at) == Some(&b' ') {
        at += 1;
    }
    at
}
