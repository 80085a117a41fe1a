//! Readings as senders wrote them: decoded, but not yet admitted. Decoders fill a [`RawBatch`]; the intake
//! judges it.
//!
//! A batch names few series and holds many readings, so names are kept once and rows refer to them by number.
//! In the common case (a sender walks over the same series again and again) a row costs no allocation and no
//! hashing: the name is first compared with the last row's, then with the one that followed it last time, and
//! only then looked up.

use std::fmt;
use std::hash::BuildHasher;
use std::io::Write as _;
use std::sync::Arc;

use forewarn_types::{Quality, Timestamp};
use hashbrown::{DefaultHashBuilder, HashTable};
use serde::Serialize;

use crate::unit::TimeUnit;

/// In [`RawBatch::time`]: the sender gave no time, the time of arrival holds.
pub const NO_TIME: i64 = i64::MIN;

/// Most reasons one batch keeps; further ones are only counted.
pub const MAX_ERRORS: usize = 100;

/// Most distinct names of one batch: a name takes many times the memory that its reading does.
pub(crate) const MAX_NAMES: usize = 1 << 18;

/// What a sender of more names is told.
pub(crate) const TOO_MANY_NAMES: &str = "the request has more than 262144 distinct names; send it in parts";

const NO_NAME: u32 = u32::MAX;

/// A line (or a reading of it) that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rejected {
    /// Line of the request body, or element of the array, from 1.
    pub line: usize,
    /// What was wrong and what to do.
    pub reason: String,
}

/// Of what the names of a series were made, as fingerprints: where they differ, the series do, even if their
/// names came out the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NameOrigin {
    /// Of what the asset's path was made.
    pub asset: u64,
    /// Of what both names were made.
    pub name: u64,
}

/// Which assets a sender may write.
#[derive(Clone)]
pub struct Writable {
    /// Whether it is one of them.
    pub admits: Arc<dyn Fn(&str) -> bool + Send + Sync>,
    /// Why others are refused.
    pub reason: Arc<str>,
}

impl fmt::Debug for Writable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Writable").field(&self.reason).finish()
    }
}

/// How a sender's own words become names that no other words become.
pub(crate) trait Naming: fmt::Debug + Send + Sync {
    /// The asset's path and the signal's name for a series and its field, as sent.
    fn explicit(&self, series: &str, field: &str) -> (String, String);
}

/// A stretch of the texts of a batch.
pub(crate) type TextRange = std::ops::Range<usize>;

/// What the sender called a name of the batch.
#[derive(Debug, Clone)]
struct Sent {
    origin: NameOrigin,
    series: TextRange,
    field: TextRange,
}

/// How much a batch held at some point.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    pub(crate) rows: usize,
    errors: usize,
    rejected: u64,
    skipped: u64,
}

/// Columns of decoded readings, in the order they were sent, and what could not be decoded.
#[derive(Debug, Clone, Default)]
pub struct RawBatch {
    /// The distinct names in the batch: asset path and signal name, as sent (not yet checked).
    pub names: Vec<(Box<str>, Box<str>)>,
    /// Per reading: which of `names`.
    pub name: Vec<u32>,
    /// Per reading: event time, µs UTC, or [`NO_TIME`].
    pub time: Vec<i64>,
    /// Per reading: the value; finite.
    pub value: Vec<f64>,
    /// Per reading: its quality.
    pub quality: Vec<Quality>,
    /// Per reading: the line it came from, from 1.
    pub line: Vec<u32>,
    /// The first [`MAX_ERRORS`] refusals, in order of line.
    pub errors: Vec<Rejected>,
    /// How many refusals there were in all.
    pub rejected: u64,
    /// How many values were passed over, since they are texts and no readings. That is no refusal.
    pub skipped: u64,
    /// Per name: the name that followed it last time, [`NO_NAME`] at first.
    next: Vec<u32>,
    last: u32,
    /// The unit of times that were sent as numbers.
    pub unit: TimeUnit,
    /// The earliest time that readings may have, where that is not what the server's settings say.
    pub min_time: Option<Timestamp>,
    /// Which assets its sender may write; none means all.
    pub writable: Option<Writable>,
    /// Whether all of the batch is refused where one line of it is.
    pub whole: bool,
    /// What each name was made of; empty where senders give the names themselves.
    sent: Vec<Sent>,
    /// The texts that `sent` refers to.
    texts: String,
    naming: Option<Arc<dyn Naming>>,
    by_name: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl RawBatch {
    /// An empty batch with room for `rows`.
    #[must_use]
    pub fn with_capacity(rows: usize) -> Self {
        Self {
            name: Vec::with_capacity(rows),
            time: Vec::with_capacity(rows),
            value: Vec::with_capacity(rows),
            quality: Vec::with_capacity(rows),
            line: Vec::with_capacity(rows),
            ..Self::default()
        }
    }

    /// How many readings there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.name.len()
    }

    /// Whether there is no reading.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.name.is_empty()
    }

    /// The number of a name, which is added if the batch does not hold it yet; `None` if that would be one
    /// name too many.
    pub fn intern(&mut self, asset: &str, signal: &str) -> Option<u32> {
        let last = self.last as usize;
        let guess = match self.next.get(last) {
            Some(_) if self.is_name(self.last, asset, signal) => return Some(self.last),
            Some(&next) if next != NO_NAME && self.is_name(next, asset, signal) => next,
            _ => self.look_up(asset, signal)?,
        };
        if let Some(next) = self.next.get_mut(last) {
            *next = guess;
        }
        self.last = guess;
        Some(guess)
    }

    /// An empty batch with room for `rows`, of a form in which senders do not give the names themselves.
    pub(crate) fn with_naming(rows: usize, naming: Arc<dyn Naming>) -> Self {
        Self { naming: Some(naming), ..Self::with_capacity(rows) }
    }

    /// Keeps a text that names are made of.
    pub(crate) fn keep_text(&mut self, text: &str) -> TextRange {
        let start = self.texts.len();
        self.texts.push_str(text);
        start..self.texts.len()
    }

    /// The number of a name that was made of `origin`, the texts of its series and its field; it is added if
    /// the batch does not hold it yet. `None` if that would be one name too many.
    pub(crate) fn intern_made(
        &mut self,
        (asset, signal): (&str, &str),
        origin: NameOrigin,
        series: TextRange,
        field: &str,
    ) -> Option<u32> {
        let hash = origin.name;
        let Self { by_name, sent, .. } = self;
        if let Some(&name) = by_name.find(hash, |&name| sent[name as usize].origin == origin) {
            return Some(name);
        }
        if self.names.len() >= MAX_NAMES {
            return None;
        }
        let name = u32::try_from(self.names.len()).ok()?;
        by_name.insert_unique(hash, name, |&name| sent[name as usize].origin.name);
        self.names.push((asset.into(), signal.into()));
        let field = self.keep_text(field);
        self.sent.push(Sent { origin, series, field });
        Some(name)
    }

    /// What name `name` was made of, where the sender did not give it himself.
    pub(crate) fn origin_of(&self, name: usize) -> Option<NameOrigin> {
        self.sent.get(name).map(|sent| sent.origin)
    }

    /// The asset's path and the signal's name that nothing else becomes than what name `name` was made of.
    pub(crate) fn explicit(&self, name: usize) -> Option<(String, String)> {
        let Sent { series, field, .. } = self.sent.get(name)?;
        let text = |range: &TextRange| self.texts.get(range.clone());
        Some(self.naming.as_ref()?.explicit(text(series)?, text(field)?))
    }

    /// Adds one reading, or notes its refusal if its name is one too many. `time` is µs UTC or [`NO_TIME`];
    /// `line` counts from 1.
    pub fn push(&mut self, asset: &str, signal: &str, time: i64, value: f64, quality: Quality, line: u32) {
        match self.intern(asset, signal) {
            Some(name) => self.push_named(name, time, value, quality, line),
            None => self.reject(line as usize, TOO_MANY_NAMES),
        }
    }

    /// Adds one reading of a name that [`RawBatch::intern`] gave the number of.
    pub fn push_named(&mut self, name: u32, time: i64, value: f64, quality: Quality, line: u32) {
        self.name.push(name);
        self.time.push(time);
        self.value.push(value);
        self.quality.push(quality);
        self.line.push(line);
    }

    /// What the batch holds now, for [`RawBatch::undo`].
    pub(crate) const fn mark(&self) -> Mark {
        Mark {
            rows: self.name.len(),
            errors: self.errors.len(),
            rejected: self.rejected,
            skipped: self.skipped,
        }
    }

    /// Takes back all readings and refusals since `mark`; names stay.
    pub(crate) fn undo(&mut self, mark: Mark) {
        self.name.truncate(mark.rows);
        self.time.truncate(mark.rows);
        self.value.truncate(mark.rows);
        self.quality.truncate(mark.rows);
        self.line.truncate(mark.rows);
        self.errors.truncate(mark.errors);
        self.rejected = mark.rejected;
        self.skipped = mark.skipped;
    }

    /// Notes that something on `line` was refused; beyond [`MAX_ERRORS`] it is only counted.
    pub fn reject(&mut self, line: usize, reason: impl Into<String>) {
        self.rejected += 1;
        if self.errors.len() < MAX_ERRORS {
            self.errors.push(Rejected { line, reason: reason.into() });
        }
    }

    /// Asset path and signal name of reading `row`; empty texts if there is no such reading.
    #[must_use]
    pub fn name_of(&self, row: usize) -> (&str, &str) {
        let name = self.name.get(row).and_then(|&name| self.names.get(name as usize));
        name.map_or(("", ""), |(asset, signal)| (asset, signal))
    }

    /// Appends the readings to `out` in the form that `POST /v1/readings` takes: one JSON object a line.
    pub fn write_ndjson(&self, out: &mut Vec<u8>) {
        let prefixes: Vec<String> = self
            .names
            .iter()
            .map(|(asset, signal)| {
                format!("{{\"asset\":{},\"signal\":{}", json_text(asset), json_text(signal))
            })
            .collect();
        for row in 0..self.len() {
            let Some(prefix) = prefixes.get(self.name[row] as usize) else { continue };
            out.extend_from_slice(prefix.as_bytes());
            if self.time[row] != NO_TIME {
                // Writing to a vector cannot fail; there is nothing to report.
                let _ = write!(out, ",\"time\":\"{}\"", Timestamp(self.time[row]));
            }
            let _ = write!(
                out,
                ",\"value\":{}",
                serde_json::Number::from_f64(self.value[row]).unwrap_or_else(|| 0.into())
            );
            if self.quality[row] != Quality::Good {
                let _ = write!(out, ",\"quality\":\"{}\"", self.quality[row].as_str());
            }
            out.extend_from_slice(b"}\n");
        }
    }

    fn is_name(&self, name: u32, asset: &str, signal: &str) -> bool {
        // Signals differ more often than assets between neighbours, so they are compared first.
        self.names.get(name as usize).is_some_and(|(a, s)| **s == *signal && **a == *asset)
    }

    fn look_up(&mut self, asset: &str, signal: &str) -> Option<u32> {
        let hash = self.hasher.hash_one((asset, signal));
        if let Some(&name) = self.by_name.find(hash, |&name| self.is_name(name, asset, signal)) {
            return Some(name);
        }
        if self.names.len() >= MAX_NAMES {
            return None;
        }
        let name = u32::try_from(self.names.len()).ok()?;
        self.names.push((asset.into(), signal.into()));
        self.next.push(NO_NAME);
        let Self { names, by_name, hasher, .. } = self;
        by_name.insert_unique(hash, name, |&name| {
            let (asset, signal) = &names[name as usize];
            hasher.hash_one((&**asset, &**signal))
        });
        Some(name)
    }
}

fn json_text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kept_once_in_whatever_order_they_come() {
        let mut batch = RawBatch::with_capacity(8);
        let sent = [
            ("a", "x"),
            ("a", "y"),
            ("b", "x"),
            ("a", "x"),
            ("a", "y"),
            ("b", "x"),
            ("b", "x"),
            ("a", "y"),
            ("ay", ""),
        ];
        for (line, (asset, signal)) in (1..).zip(sent) {
            batch.push(asset, signal, 7, 1.0, Quality::Good, line);
        }
        assert_eq!(batch.names.len(), 4);
        assert_eq!(batch.name, [0, 1, 2, 0, 1, 2, 2, 1, 3]);
        for (row, name) in sent.into_iter().enumerate() {
            assert_eq!(batch.name_of(row), name);
        }
    }

    #[test]
    fn names_are_bounded_and_the_known_ones_go_on() {
        let mut batch = RawBatch::default();
        for number in 0..MAX_NAMES + 3 {
            batch.push("a", &number.to_string(), 7, 1.0, Quality::Good, 1);
        }
        batch.push("a", "17", 8, 1.0, Quality::Good, 2);
        assert_eq!((batch.names.len(), batch.len(), batch.rejected), (MAX_NAMES, MAX_NAMES + 1, 3));
        assert_eq!(batch.name.last(), Some(&17));
        assert!(TOO_MANY_NAMES.contains(&MAX_NAMES.to_string()) && batch.errors[0].reason == TOO_MANY_NAMES);
    }

    #[test]
    fn refusals_are_counted_beyond_the_kept_list() {
        let mut batch = RawBatch::default();
        for line in 1..=MAX_ERRORS + 5 {
            batch.reject(line, "bad");
        }
        assert_eq!((batch.errors.len(), batch.rejected), (MAX_ERRORS, MAX_ERRORS as u64 + 5));
        assert_eq!(batch.errors[99], Rejected { line: 100, reason: "bad".into() });
    }

    #[test]
    fn ndjson_is_what_the_interface_takes() {
        let mut batch = RawBatch::default();
        batch.push("p/\"1\"", "t", NO_TIME, 0.1, Quality::Good, 1);
        batch.push("p", "t", 1_500_000, -2.0, Quality::Uncertain, 2);
        let mut out = Vec::new();
        batch.write_ndjson(&mut out);
        let expected = "{\"asset\":\"p/\\\"1\\\"\",\"signal\":\"t\",\"value\":0.1}\n\
                        {\"asset\":\"p\",\"signal\":\"t\",\"time\":\"1970-01-01T00:00:01.500000Z\",\
                        \"value\":-2.0,\"quality\":\"uncertain\"}\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
