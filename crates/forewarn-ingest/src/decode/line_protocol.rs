//! Influx line protocol: what Telegraf and every Influx client writes.
//!
//! `measurement,tag=value field=1.5,other=2i 1700000000000000000`. The scanner follows the InfluxDB v2
//! specification: `\` escapes a comma, an equals sign, a blank and itself, and stands for itself before
//! anything else. Senders repeat few series, so a series (measurement and tags, byte for byte) and each of
//! its fields is named once in a batch; after that a field costs two comparisons and a number.

mod escape;
mod series;

use std::sync::Arc;

use forewarn_types::Quality;
use memchr::{memchr, memchr2, memchr3};

use self::escape::unescaped;
use self::series::{Explicit, SeriesCache};
use super::lines::Lines;
use super::{DecodeOptions, InfluxMapping, number, shorten};
use crate::{IngestError, NO_TIME, RawBatch, TimeUnit};

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
    /// Seconds to nanoseconds, each timestamp by its size (InfluxDB v3).
    Auto,
}

impl Precision {
    /// Reads the query parameter `precision` of InfluxDB v1 (`n`, `ns`, `u`, `us`, `ms`, `s`, `m`, `h`), v2
    /// (`ns`, `us`, `ms`, `s`) or v3 (`nanosecond` to `second`, `auto`).
    ///
    /// # Errors
    /// [`IngestError::Influx`] if it is none of them.
    pub fn parse(text: &str) -> Result<Self, IngestError> {
        Ok(match text {
            "" | "n" | "ns" | "nanosecond" | "nanoseconds" => Self::Nanoseconds,
            "u" | "us" | "µ" | "µs" | "microsecond" | "microseconds" => Self::Microseconds,
            "ms" | "millisecond" | "milliseconds" => Self::Milliseconds,
            "s" | "second" | "seconds" => Self::Seconds,
            "m" => Self::Minutes,
            "h" => Self::Hours,
            "auto" => Self::Auto,
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
            // As InfluxDB 3 does: the bounds are the year 2128 in each unit.
            Self::Auto => {
                let bounds = [
                    (5_000_000_000, Self::Seconds),
                    (5_000_000_000_000, Self::Milliseconds),
                    (5_000_000_000_000_000, Self::Microseconds),
                ];
                let size = time.unsigned_abs();
                let unit = bounds.into_iter().find(|(bound, _)| size < *bound).map(|(_, unit)| unit);
                unit.unwrap_or(Self::Nanoseconds).to_us(time)
            }
        }
    }

    /// The unit, for what is said of a time that cannot be right.
    const fn unit(self) -> TimeUnit {
        match self {
            Self::Nanoseconds | Self::Auto => TimeUnit::Nanoseconds,
            Self::Microseconds => TimeUnit::Microseconds,
            Self::Milliseconds => TimeUnit::Milliseconds,
            Self::Seconds | Self::Minutes | Self::Hours => TimeUnit::Seconds,
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
        batch: RawBatch::with_naming(body.len() / 32 + 1, Arc::new(Explicit(mapping.clone()))),
        precision,
        cache: SeriesCache::new(mapping),
        doubt: Doubt::default(),
    };
    decoder.batch.unit = precision.unit();
    let mut lines = Lines::new(body, options.max_line_bytes);
    while let Some((number, line)) = lines.next() {
        let mark = decoder.batch.mark();
        if let Err(reason) = line.and_then(|text| decoder.line(text, number, &mut lines)) {
            decoder.batch.undo(mark);
            decoder.batch.reject(number, reason);
        }
    }
    Ok(decoder.batch)
}

struct Decoder<'a> {
    batch: RawBatch,
    precision: Precision,
    cache: SeriesCache<'a>,
    doubt: Doubt,
}

/// Where lines may be the rest of a text whose line was refused.
#[derive(Default)]
struct Doubt {
    /// The line in which the text begins.
    line: usize,
    /// How far it may go, as a place in the body.
    end: usize,
}

impl<'a> Decoder<'a> {
    /// Decodes one line, which may take in those after it; an error refuses all of it.
    fn line(&mut self, line: &'a str, number: usize, lines: &mut Lines<'a>) -> Result<(), String> {
        let mut text = line.trim_ascii();
        if text.starts_with('#') {
            return Ok(());
        }
        let row_line = u32::try_from(number).unwrap_or(u32::MAX);
        let first = self.batch.len();
        let end = unescaped(text.as_bytes(), 0, b' ');
        let key = text.get(..end).unwrap_or("");
        let series = self.cache.series(key)?;
        let mut at = blanks(text.as_bytes(), end);
        if at == text.len() {
            return Err("the line has no field; write measurement,tag=value field=1.5 timestamp".into());
        }
        let mut place = 0;
        loop {
            let (field, value, end) = match field(text, at) {
                Ok(found) => found,
                Err(Fault::Syntax(reason)) => return Err(reason),
                // The text may go on in the lines that follow.
                Err(Fault::Open { reason, quote }) => {
                    let lead = line.len() - line.trim_ascii_start().len();
                    text = self.join(lead + quote, number, lines).ok_or(reason)?.trim_ascii();
                    continue;
                }
            };
            // Telegraf sends texts with every write of some plugins, and InfluxDB takes them: no reason for a
            // refusal.
            if value.starts_with('"') {
                self.batch.skipped += 1;
            } else if let Some(value) = self.value(field, value, number)? {
                match self.cache.name(series, place, field, &mut self.batch) {
                    Ok(name) => self.batch.push_named(name, NO_TIME, value, Quality::Good, row_line),
                    Err(problem) => self.batch.reject(number, problem),
                }
                place += 1;
            }
            if text.as_bytes().get(end) != Some(&b',') {
                at = blanks(text.as_bytes(), end);
                break;
            }
            at = end + 1;
        }
        let untimed = at == text.len();
        if !untimed {
            let time = self.timestamp(text.get(at..).unwrap_or(""))?;
            self.batch.time[first..].fill(time);
        }
        self.doubt.settle(lines.start(), untimed && memchr(b',', key.as_bytes()).is_none())
    }

    /// Joins the current line with those after it, up to the end of the one in which a quote closes the text
    /// that begins at `quote`. If there is none that could close it, the line stays as it is, and of those
    /// after it is not known which are lines and which are text.
    fn join(&mut self, quote: usize, number: usize, lines: &mut Lines<'a>) -> Option<&'a str> {
        let window = lines.window();
        let close = unescaped(window, quote + 1, b'"');
        let rest = window.get(close..).unwrap_or(&[]);
        let end = close + memchr(b'\n', rest).unwrap_or(rest.len());
        let closes = close < window.len() && matches!(rest.get(1), None | Some(b',' | b' ' | b'\r' | b'\n'));
        let Some(joined) = lines.joined(end).filter(|_| closes) else {
            self.doubt = Doubt { line: number, end: lines.start() + end };
            return None;
        };
        lines.join(end);
        Some(joined)
    }

    /// The value of a field, or `None` if it is refused; an error refuses the whole line.
    #[inline]
    fn value(&mut self, field: &str, text: &str, line: usize) -> Result<Option<f64>, String> {
        match number::scan(text) {
            Some(read) if read.len == text.len() && read.value.is_finite() && read.is_exact(text) => {
                Ok(Some(read.value))
            }
            _ => self.rare_value(field, text, line),
        }
    }

    fn rare_value(&mut self, field: &str, text: &str, number: usize) -> Result<Option<f64>, String> {
        match reading(text) {
            Ok(value) => Ok(Some(value)),
            Err(Unread::Value(problem)) => {
                self.batch.reject(number, format!("field {:?} {problem}", shorten(field)));
                Ok(None)
            }
            Err(Unread::Syntax(problem)) => {
                Err(format!("field {:?} {problem}; nothing of the line is stored", shorten(field)))
            }
        }
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
        time.ok_or_else(|| {
            let hint = super::time::unit_of(text).map(|unit| format!("; it looks like {}", unit.as_str()));
            let hint = hint.unwrap_or_default();
            format!("timestamp {text} is out of range; check the parameter precision{hint}")
        })
    }
}

impl Doubt {
    /// Passes a line that begins at `start`, unless it may be part of a text and is as `bare` as one.
    ///
    /// # Errors
    /// Why it is refused.
    fn settle(&self, start: usize, bare: bool) -> Result<(), String> {
        if bare && start < self.end {
            return Err(format!(
                "the line may belong to the text that line {} begins and no quote closes; close it, or send \
                 this line with its tags or its time",
                self.line
            ));
        }
        Ok(())
    }
}

/// Why a field cannot be made out, and with it the rest of its line.
enum Fault {
    Syntax(String),
    /// The text that begins with the quote at `quote` does not end on its line.
    Open {
        reason: String,
        quote: usize,
    },
}

/// Reads the field at `at`: its key (with escapes), its value's text, and where it ends.
fn field(text: &str, at: usize) -> Result<(&str, &str, usize), Fault> {
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
        let hint = if key.bytes().all(|byte| byte.is_ascii_digit()) && !key.is_empty() {
            "; a decimal point is a point, not a comma"
        } else {
            ""
        };
        return Err(Fault::Syntax(format!(
            "field {:?} has no value; write name=value{hint}; nothing of the line is stored",
            shorten(key)
        )));
    }
    if key.is_empty() {
        return Err(Fault::Syntax("a field has no name; write name=value".into()));
    }
    let start = end + 1;
    if bytes.get(start) == Some(&b'"') {
        let close = unescaped(bytes, start + 1, b'"');
        if close == bytes.len() {
            let reason =
                format!("field {:?} is text that is not closed with a quote on its line", shorten(key));
            return Err(Fault::Open { reason, quote: start });
        }
        let end = close + 1;
        if !matches!(bytes.get(end), None | Some(b',' | b' ')) {
            return Err(Fault::Syntax(format!(
                "field {:?} has something after its closing quote; write a comma or a blank",
                shorten(key)
            )));
        }
        return Ok((key, text.get(start..end).unwrap_or(""), end));
    }
    let end = memchr2(b',', b' ', &bytes[start..]).map_or(bytes.len(), |end| start + end);
    Ok((key, text.get(start..end).unwrap_or(""), end))
}

/// What is wrong with a field's text, to be said after the field's name.
enum Unread {
    /// It is no value at all.
    Syntax(String),
    /// It is one that cannot be stored.
    Value(String),
}

/// The value that a field's text stands for if it is no usual number, or what is wrong with it.
fn reading(text: &str) -> Result<f64, Unread> {
    match text {
        "" => return Err(Unread::Syntax("has no value; write name=value".into())),
        "t" | "T" | "true" | "True" | "TRUE" => return Ok(1.0),
        "f" | "F" | "false" | "False" | "FALSE" => return Ok(0.0),
        _ => {}
    }
    let (digits, whole) = match text.as_bytes().last() {
        Some(b'i') => (&text[..text.len() - 1], true),
        Some(b'u') if !text.starts_with('-') => (&text[..text.len() - 1], true),
        _ => (text, false),
    };
    let plain = digits.strip_prefix(['-', '+']).unwrap_or(digits);
    if !plain.is_empty() && plain.bytes().all(|byte| byte.is_ascii_digit()) {
        return whole_number(text, digits, whole);
    }
    // Influx takes `1.` and `.5`, which number::scan does not.
    let number: Option<f64> = if whole || !text.ends_with(|c: char| c.is_ascii_digit() || c == '.') {
        None
    } else {
        text.parse().ok()
    };
    match number {
        Some(value) if value.is_finite() => Ok(value),
        Some(_) => Err(Unread::Value(format!("is {}, which is too large for a 64-bit float", shorten(text)))),
        None if plain
            .get(..3)
            .is_some_and(|text| text.eq_ignore_ascii_case("nan") || text.eq_ignore_ascii_case("inf")) =>
        {
            Err(Unread::Value(format!("is {}; leave it out where there is no number", shorten(text))))
        }
        None => Err(Unread::Syntax(format!(
            "is {}; write a number (1.5, 2i, 3u) or a boolean (true, false)",
            shorten(text)
        ))),
    }
}

/// The value of `digits`, a sign and digits, as they stand in `text`; `typed` if that says that it is a whole
/// number of 64 bits.
fn whole_number(text: &str, digits: &str, typed: bool) -> Result<f64, Unread> {
    let fits = if text.ends_with('u') {
        digits.parse::<u64>().is_ok()
    } else {
        !typed || digits.parse::<i64>().is_ok()
    };
    if !fits {
        return Err(Unread::Value(format!("is {}, which is no whole number of 64 bits", shorten(text))));
    }
    number::whole(digits).ok_or_else(|| {
        Unread::Value(format!(
            "is {}, which has more digits than a 64-bit float holds (whole numbers are exact up to 2^53); \
             send it in a larger unit",
            shorten(text)
        ))
    })
}

fn blanks(bytes: &[u8], mut at: usize) -> usize {
    while bytes.get(at) == Some(&b' ') {
        at += 1;
    }
    at
}
