//! The readings of a portion: batches in, one ascending series for each asset and signal out.
//!
//! Of each reading it matters that it is good or uncertain, and finite: others are left out. Late readings
//! count as all others. A reading that is there twice (same series, time, value and quality) counts once, at
//! its first offset, as after a compaction; of what is left at one time the last by offset holds.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array as _, AsArray as _, DictionaryArray, PrimitiveArray, RecordBatch, StringArray};
use arrow::datatypes::{ArrowPrimitiveType, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};
use forewarn_types::{Quality, SignalName};

/// The columns that are read.
pub(super) const COLUMNS: [&str; 6] = ["time", "asset", "signal", "value", "quality", "offset"];

/// Which readings are taken.
#[derive(Clone)]
pub(super) struct Wanted {
    /// Whether an asset is wanted.
    pub(super) is_asset: Arc<dyn Fn(&str) -> bool + Send + Sync>,
    /// The signals.
    pub(super) signals: Vec<SignalName>,
    /// From this time on, µs.
    pub(super) from: i64,
    /// Before this time, µs.
    pub(super) to: i64,
}

/// A reading that counts.
#[derive(Debug, Clone, Copy)]
struct Reading {
    time: i64,
    value: f64,
    offset: i64,
    quality: u8,
}

/// The readings of some assets. They stand in the order in which they came, and of each series it is known
/// where its readings are. All are in one piece of memory, which for a portion of usual size is so large that
/// it goes back to the system at the end instead of being kept for later by the thread that had it.
pub(super) struct Readings {
    wanted: Wanted,
    signals: HashMap<SignalName, usize>,
    /// The place of each asset met so far; none if it is not wanted.
    assets: HashMap<String, Option<usize>>,
    held: Vec<Reading>,
    /// The rows of each series, by place of the asset and then of the signal.
    rows: Vec<Vec<Range<usize>>>,
}

impl Readings {
    /// None yet, with room for `expected`.
    pub(super) fn new(wanted: Wanted, expected: usize) -> Self {
        let signals = wanted.signals.iter().enumerate().map(|(place, name)| (Arc::clone(name), place));
        Self {
            signals: signals.collect(),
            wanted,
            assets: HashMap::new(),
            held: Vec::with_capacity(expected),
            rows: Vec::new(),
        }
    }

    /// How many are held.
    pub(super) const fn count(&self) -> usize {
        self.held.len()
    }

    /// Takes the wanted ones of `batch`, which has [`COLUMNS`].
    pub(super) fn take(&mut self, batch: &RecordBatch) -> Result<(), String> {
        let columns = Columns::of(batch)?;
        let (assets, signals) = (columns.asset.keys(), columns.signal.keys());
        let mut row = 0;
        while row < batch.num_rows() {
            // Most batches are sorted by series, so names are looked up once for many rows.
            let key = (assets.value(row), signals.value(row));
            let same = |row: &usize| (assets.value(*row), signals.value(*row)) == key;
            let end = (row..batch.num_rows()).find(|row| !same(row)).unwrap_or(batch.num_rows());
            // Another program has written what is no reading.
            let is_named = columns.asset.is_valid(row) && columns.signal.is_valid(row);
            if is_named && let Some(place) = self.place(columns.asset_at(row), columns.signal_at(row)) {
                self.take_rows(&columns, row..end, place);
            }
            row = end;
        }
        Ok(())
    }

    /// The place of a series, if it is wanted.
    fn place(&mut self, asset: &str, signal: &str) -> Option<usize> {
        let width = self.wanted.signals.len();
        let signal = *self.signals.get(signal)?;
        if let Some(known) = self.assets.get(asset) {
            return known.map(|asset| asset * width + signal);
        }
        let next = self.rows.len() / width.max(1);
        let place = (self.wanted.is_asset)(asset).then_some(next);
        self.assets.insert(asset.to_owned(), place);
        place?;
        self.rows.resize_with((next + 1) * width, Vec::new);
        Some(next * width + signal)
    }

    fn take_rows(&mut self, columns: &Columns<'_>, rows: Range<usize>, place: usize) {
        let (from, to) = (self.wanted.from, self.wanted.to);
        let first = self.held.len();
        for row in rows {
            let (time, value) = (columns.time.value(row), columns.value.value(row));
            if time < from || time >= to || !value.is_finite() || columns.has_null(row) {
                continue;
            }
            let quality = columns.quality_at(row);
            if quality == Quality::Bad {
                continue;
            }
            let offset = columns.offset.value(row);
            self.held.push(Reading { time, value, offset, quality: quality as u8 });
        }
        let end = self.held.len();
        let Some(of_series) = self.rows.get_mut(place).filter(|_| end > first) else { return };
        match of_series.last_mut() {
            Some(last) if last.end == first => last.end = end,
            _ => of_series.push(first..end),
        }
    }

    /// The assets met, by name, each with its place.
    pub(super) fn assets(&self) -> Vec<(String, usize)> {
        let places = self.assets.iter().filter_map(|(asset, place)| Some((asset.clone(), (*place)?)));
        let mut assets: Vec<(String, usize)> = places.collect();
        assets.sort_unstable();
        assets
    }

    /// How many there are of a signal, by the number of the signal.
    pub(super) fn count_of(&self, signal: usize) -> usize {
        let of_signal = self.rows.iter().skip(signal).step_by(self.wanted.signals.len().max(1));
        of_signal.flatten().map(Range::len).sum()
    }

    /// Gives the readings of one series: one value for each time, ascending.
    pub(super) fn each(&self, asset: usize, signal: usize, mut give: impl FnMut(i64, f64)) {
        let Some(of_series) = self.rows.get(asset * self.wanted.signals.len() + signal) else { return };
        let readings = || of_series.iter().filter_map(|rows| self.held.get(rows.clone())).flatten();
        if readings().is_sorted_by(|a, b| a.time < b.time) {
            readings().for_each(|reading| give(reading.time, reading.value));
            return;
        }
        let mut order: Vec<&Reading> = readings().collect();
        order.sort_by_key(|reading| (reading.time, reading.offset));
        let mut seen = HashSet::new();
        for same_time in order.chunk_by(|a, b| a.time == b.time) {
            // Most times are there once.
            if let [only] = same_time {
                give(only.time, only.value);
                continue;
            }
            seen.clear();
            let mut holds = None;
            for reading in same_time {
                if seen.insert((reading.value.to_bits(), reading.quality)) {
                    holds = Some(reading);
                }
            }
            if let Some(reading) = holds {
                give(reading.time, reading.value);
            }
        }
    }
}

/// The columns of a batch in their types.
struct Columns<'a> {
    time: &'a PrimitiveArray<TimestampMicrosecondType>,
    asset: &'a DictionaryArray<Int32Type>,
    signal: &'a DictionaryArray<Int32Type>,
    asset_names: &'a StringArray,
    signal_names: &'a StringArray,
    value: &'a PrimitiveArray<Float64Type>,
    quality: &'a DictionaryArray<Int32Type>,
    qualities: Vec<Quality>,
    offset: &'a PrimitiveArray<Int64Type>,
    has_nulls: bool,
}

impl<'a> Columns<'a> {
    fn of(batch: &'a RecordBatch) -> Result<Self, String> {
        let (asset, asset_names) = names(batch, "asset")?;
        let (signal, signal_names) = names(batch, "signal")?;
        let (quality, qualities) = names(batch, "quality")?;
        // An unknown quality counts as bad.
        let known = |name: Option<&str>| name.and_then(Quality::parse).unwrap_or(Quality::Bad);
        let columns = Self {
            time: numbers(batch, "time")?,
            asset,
            signal,
            asset_names,
            signal_names,
            value: numbers(batch, "value")?,
            quality,
            qualities: qualities.iter().map(known).collect(),
            offset: numbers(batch, "offset")?,
            has_nulls: false,
        };
        let nulls = [columns.time.null_count(), columns.value.null_count(), columns.offset.null_count()];
        Ok(Self { has_nulls: nulls.iter().any(|nulls| *nulls > 0), ..columns })
    }

    fn asset_at(&self, row: usize) -> &'a str {
        text(self.asset, self.asset_names, row)
    }

    fn signal_at(&self, row: usize) -> &'a str {
        text(self.signal, self.signal_names, row)
    }

    fn quality_at(&self, row: usize) -> Quality {
        let key = if self.quality.is_valid(row) { self.quality.keys().value(row) } else { -1 };
        usize::try_from(key).ok().and_then(|key| self.qualities.get(key).copied()).unwrap_or(Quality::Bad)
    }

    /// Whether something is missing that a reading has.
    fn has_null(&self, row: usize) -> bool {
        self.has_nulls && (self.time.is_null(row) || self.value.is_null(row) || self.offset.is_null(row))
    }
}

/// The text in `row`, which has one.
fn text<'a>(keys: &DictionaryArray<Int32Type>, names: &'a StringArray, row: usize) -> &'a str {
    usize::try_from(keys.keys().value(row)).map_or("", |key| names.value(key))
}

fn numbers<'a, T: ArrowPrimitiveType>(
    batch: &'a RecordBatch,
    name: &str,
) -> Result<&'a PrimitiveArray<T>, String> {
    let column = batch.column_by_name(name).and_then(|column| column.as_primitive_opt::<T>());
    column.ok_or_else(|| format!("the readings have an odd column {name}"))
}

fn names<'a>(
    batch: &'a RecordBatch,
    name: &str,
) -> Result<(&'a DictionaryArray<Int32Type>, &'a StringArray), String> {
    let keys = batch.column_by_name(name).and_then(|column| column.as_dictionary_opt::<Int32Type>());
    let texts = keys.and_then(|keys| keys.values().as_string_opt::<i32>());
    keys.zip(texts).ok_or_else(|| format!("the readings have an odd column {name}"))
}
