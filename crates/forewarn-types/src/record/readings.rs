//! Readings as columns: the unit that flows through the whole system.

use serde::{Deserialize, Serialize};

use crate::body::Body;
use crate::error::TypesError;
use crate::series::SeriesId;
use crate::time::Timestamp;

/// Bytes of a row in the log: series, time, value, flags.
const ROW_BYTES: usize = 4 + 8 + 8 + 1;
/// Bytes before the columns: when they arrived, and how many rows there are.
const HEAD_BYTES: usize = 8 + 4;
/// Bytes before the body: its kind and version.
const FRONT_BYTES: usize = 2;

/// How far a reading may be trusted: the three classes of OPC UA status codes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Quality {
    /// The sensor vouches for the value.
    #[default]
    Good,
    /// The value may be off (sensor not calibrated, substituted value).
    Uncertain,
    /// The value is not usable; it is stored and judged by no rule.
    Bad,
}

impl Quality {
    /// `good`, `uncertain` or `bad`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Uncertain => "uncertain",
            Self::Bad => "bad",
        }
    }

    /// The class of that name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Good, Self::Uncertain, Self::Bad].into_iter().find(|quality| quality.as_str() == text)
    }
}

/// A reading's quality, and whether it arrived late or its time lies ahead of its arrival, in one byte
/// (bits 0–1 quality, bit 2 late, bit 3 ahead).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct ReadingFlags(u8);

impl ReadingFlags {
    const LATE: u8 = 4;
    const AHEAD: u8 = 8;

    /// Flags of a reading of `quality`; `late` if its time is not newer than its series' newest.
    #[must_use]
    pub const fn new(quality: Quality, late: bool) -> Self {
        Self(quality as u8 | if late { Self::LATE } else { 0 })
    }

    /// Flags of a reading of `quality` whose time lies so far ahead of its arrival that it is judged as if it
    /// had the time of its arrival.
    #[must_use]
    pub const fn ahead(quality: Quality) -> Self {
        Self(quality as u8 | Self::AHEAD)
    }

    /// The quality class.
    #[must_use]
    pub const fn quality(self) -> Quality {
        match self.0 & 3 {
            0 => Quality::Good,
            1 => Quality::Uncertain,
            _ => Quality::Bad,
        }
    }

    /// Whether the reading was not newer than its series' newest when it was appended.
    #[must_use]
    pub const fn is_late(self) -> bool {
        self.0 & Self::LATE != 0
    }

    /// Whether its time lay further ahead of its arrival than `limits.max_ahead`.
    #[must_use]
    pub const fn is_ahead(self) -> bool {
        self.0 & Self::AHEAD != 0
    }

    /// The byte on disk.
    #[must_use]
    pub const fn to_byte(self) -> u8 {
        self.0
    }

    /// From the byte on disk; unknown bits are dropped.
    #[must_use]
    pub const fn from_byte(byte: u8) -> Self {
        Self(byte & 15)
    }
}

/// A batch of readings: four columns of equal length, and when they arrived. Rows stand in order of arrival.
///
/// The fields are public for the hot loops that walk them side by side; [`ReadingBatch::push`] keeps them
/// equally long.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ReadingBatch {
    /// When the batch was appended to the log, µs UTC of the server's clock.
    pub arrived: Timestamp,
    /// Which series each reading belongs to.
    pub series: Vec<SeriesId>,
    /// Event time of each reading, µs UTC.
    pub time: Vec<i64>,
    /// Value of each reading, in the signal's unit; finite.
    pub value: Vec<f64>,
    /// Quality and lateness of each reading.
    pub flags: Vec<ReadingFlags>,
}

/// One row of a [`ReadingBatch`], by value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReadingRef {
    /// Which series.
    pub series: SeriesId,
    /// Event time.
    pub time: Timestamp,
    /// The value.
    pub value: f64,
    /// Quality and lateness.
    pub flags: ReadingFlags,
}

impl ReadingBatch {
    /// An empty batch with room for `rows`.
    #[must_use]
    pub fn with_capacity(arrived: Timestamp, rows: usize) -> Self {
        Self {
            arrived,
            series: Vec::with_capacity(rows),
            time: Vec::with_capacity(rows),
            value: Vec::with_capacity(rows),
            flags: Vec::with_capacity(rows),
        }
    }

    /// Adds one reading at the end.
    pub fn push(&mut self, series: SeriesId, time: Timestamp, value: f64, flags: ReadingFlags) {
        self.series.push(series);
        self.time.push(time.0);
        self.value.push(value);
        self.flags.push(flags);
    }

    /// Gives back the room of the columns, if they are less than half full.
    pub fn shrink(&mut self) {
        if self.len() < self.series.capacity() / 2 {
            self.series.shrink_to_fit();
            self.time.shrink_to_fit();
            self.value.shrink_to_fit();
            self.flags.shrink_to_fit();
        }
    }

    /// How many readings there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.series.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.series.is_empty()
    }

    /// Row `index`.
    ///
    /// # Panics
    /// If there is no such row.
    #[must_use]
    pub fn row(&self, index: usize) -> ReadingRef {
        ReadingRef {
            series: self.series[index],
            time: Timestamp(self.time[index]),
            value: self.value[index],
            flags: self.flags[index],
        }
    }

    /// All rows, in order of arrival.
    pub fn rows(&self) -> impl Iterator<Item = ReadingRef> + '_ {
        (0..self.len()).map(|index| self.row(index))
    }

    /// Bytes the columns take in memory.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.len() * ROW_BYTES
    }
}

/// Little endian: `arrived i64, n u32, series n×u32, time n×i64, value n×f64, flags n×u8`.
impl Body for ReadingBatch {
    const NAME: &'static str = "readings";
    const TABLE: Option<&'static str> = Some("readings");

    fn encode(&self, out: &mut Vec<u8>) -> Result<(), TypesError> {
        encode(self, out);
        Ok(())
    }

    fn decode(bytes: &[u8]) -> Result<Self, String> {
        decode(bytes).ok_or_else(|| "columns of wrong length".into())
    }
}

/// Bytes of the encoding of a record of readings.
pub const fn encoded_bytes(batch: &ReadingBatch) -> usize {
    FRONT_BYTES + HEAD_BYTES + batch.time.len() * ROW_BYTES
}

fn encode(batch: &ReadingBatch, out: &mut Vec<u8>) {
    out.reserve(HEAD_BYTES + batch.len() * ROW_BYTES);
    out.extend(batch.arrived.0.to_le_bytes());
    out.extend(u32::try_from(batch.len()).unwrap_or(u32::MAX).to_le_bytes());
    extend(out, &batch.series, |id| id.0.to_le_bytes());
    extend(out, &batch.time, i64::to_le_bytes);
    extend(out, &batch.value, f64::to_le_bytes);
    extend(out, &batch.flags, |flags| [flags.to_byte()]);
}

/// Appends the bytes of every number, in a loop that the compiler makes one copy of.
fn extend<T: Copy, const N: usize>(out: &mut Vec<u8>, column: &[T], bytes: impl Fn(T) -> [u8; N]) {
    let start = out.len();
    out.resize(start + column.len() * N, 0);
    for (place, value) in out[start..].as_chunks_mut::<N>().0.iter_mut().zip(column) {
        *place = bytes(*value);
    }
}

fn decode(body: &[u8]) -> Option<ReadingBatch> {
    let (arrived, rest) = body.split_first_chunk::<8>()?;
    let (rows, rest) = rest.split_first_chunk::<4>()?;
    let rows = u32::from_le_bytes(*rows) as usize;
    if rest.len() != rows.checked_mul(ROW_BYTES)? {
        return None;
    }
    let (series, rest) = rest.split_at(rows * 4);
    let (time, rest) = rest.split_at(rows * 8);
    let (value, flags) = rest.split_at(rows * 8);
    Some(ReadingBatch {
        arrived: Timestamp(i64::from_le_bytes(*arrived)),
        series: series.as_chunks::<4>().0.iter().map(|chunk| SeriesId(u32::from_le_bytes(*chunk))).collect(),
        time: time.as_chunks::<8>().0.iter().map(|chunk| i64::from_le_bytes(*chunk)).collect(),
        value: value.as_chunks::<8>().0.iter().map(|chunk| f64::from_le_bytes(*chunk)).collect(),
        flags: flags.iter().map(|byte| ReadingFlags::from_byte(*byte)).collect(),
    })
}
