//! History in typed columns, for models and charts: the readings of some series in a stretch of time, lake
//! and tail as one.
//!
//! Files, row groups and rows are picked by name and time with the Parquet
//! reader itself, on any store.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array as _, AsArray as _, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type, TimestampMicrosecondType};
use forewarn_types::{Offset, Quality, ReadingFlags, SeriesId, Timestamp};
use futures::{StreamExt as _, TryStreamExt as _};

use super::files::{self, Portion};
use super::reader::Reader;
use crate::error::LakeError;
use crate::store::ObjectFiles;
use crate::table::{Bounds, DataFile, TableSchema};
use crate::tail::{Columns, READINGS};

/// Files read at the same time.
const CONCURRENT_FILES: usize = 4;
/// The most rows one call returns: 24 bytes each, so below 2 GB.
const MAX_ROWS: usize = 64_000_000;

/// Which readings are wanted.
#[derive(Debug, Clone, Default)]
pub struct ReadingsQuery {
    /// Of these series.
    pub series: Vec<SeriesId>,
    /// From this time on.
    pub from: Timestamp,
    /// Before this time.
    pub to: Timestamp,
}

/// The readings of one series, ascending in time; equal times stand in the order of arrival.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesReadings {
    /// The series.
    pub id: SeriesId,
    /// Event times, µs UTC.
    pub time: Vec<i64>,
    /// Values.
    pub value: Vec<f64>,
    /// Qualities, and what came late.
    pub flags: Vec<ReadingFlags>,
    /// The offsets of the records they came in.
    pub offset: Vec<Offset>,
}

impl SeriesReadings {
    const fn new(id: SeriesId) -> Self {
        Self { id, time: Vec::new(), value: Vec::new(), flags: Vec::new(), offset: Vec::new() }
    }

    fn push(&mut self, time: i64, value: f64, flags: ReadingFlags, offset: i64) {
        self.time.push(time);
        self.value.push(value);
        self.flags.push(flags);
        self.offset.push(Offset(u64::try_from(offset).unwrap_or(0)));
    }

    /// Files of different commits may overlap in time.
    fn sort(&mut self) {
        let key = |row: usize| (self.time[row], self.offset[row]);
        if (1..self.time.len()).all(|row| key(row - 1) <= key(row)) {
            return;
        }
        let mut order: Vec<usize> = (0..self.time.len()).collect();
        order.sort_by_key(|&row| key(row));
        self.time = order.iter().map(|&row| self.time[row]).collect();
        self.value = order.iter().map(|&row| self.value[row]).collect();
        self.flags = order.iter().map(|&row| self.flags[row]).collect();
        self.offset = order.iter().map(|&row| self.offset[row]).collect();
    }
}

/// What is wanted, by name.
struct Wanted {
    /// asset → signal → place in the answer.
    places: HashMap<Arc<str>, HashMap<Arc<str>, usize>>,
    bounds: Bounds,
    from: i64,
    to: i64,
}

impl Reader {
    /// The readings that `query` asks for; see [`Lake::readings`](crate::Lake::readings).
    pub(crate) async fn readings(&self, query: ReadingsQuery) -> Result<Vec<SeriesReadings>, LakeError> {
        let limit = self.options.read_timeout;
        tokio::time::timeout(limit, self.progress.wait_current())
            .await
            .map_err(|_| LakeError::behind(limit))??;
        let view = self.view.read().clone();
        let mut found: Vec<SeriesReadings> = query.series.iter().copied().map(SeriesReadings::new).collect();
        let Some(table) = view.tables.get(READINGS) else { return Ok(found) };
        let wanted = Arc::new(self.wanted(&query)?);
        let scan = self.scan(&view, table, &wanted.bounds);
        let reads =
            scan.files.iter().cloned().map(|file| {
                read_file(self.store.clone(), Arc::clone(&table.schema), file, Arc::clone(&wanted))
            });
        let mut parts = futures::stream::iter(reads).buffered(CONCURRENT_FILES);
        let mut rows = 0;
        loop {
            let batches = match parts.try_next().await {
                Ok(Some(batches)) => batches,
                Ok(None) => break,
                Err(error) => {
                    let files =
                        table.files.iter().map(|file| &**file).filter(|file| wanted.bounds.may_match(file));
                    return Err(self.find_damage(READINGS, files).await.unwrap_or(error));
                }
            };
            for batch in &batches {
                rows += take_batch(batch, &wanted, &mut found)
                    .map_err(|problem| LakeError::table(READINGS, problem))?;
                if rows > MAX_ROWS {
                    return Err(LakeError::TooLarge(format!(
                        "there are more than {MAX_ROWS} readings; ask for a shorter time or fewer series"
                    )));
                }
            }
        }
        drop(parts);
        take_tail(&scan.tail_readings(&self.series), &query, &mut found);
        found.iter_mut().for_each(SeriesReadings::sort);
        Ok(found)
    }

    fn wanted(&self, query: &ReadingsQuery) -> Result<Wanted, LakeError> {
        let series = self.series.read();
        let mut places: HashMap<Arc<str>, HashMap<Arc<str>, usize>> = HashMap::new();
        let (mut assets, mut signals) =
            (std::collections::BTreeSet::new(), std::collections::BTreeSet::new());
        for (place, id) in query.series.iter().enumerate() {
            let def =
                series.def(*id).ok_or_else(|| LakeError::Query(format!("there is no series {}", id.0)))?;
            if places
                .entry(Arc::clone(&def.asset))
                .or_default()
                .insert(Arc::clone(&def.signal), place)
                .is_some()
            {
                return Err(LakeError::Query(format!("series {} is asked for twice", id.0)));
            }
            assets.insert(def.asset.to_string());
            signals.insert(def.signal.to_string());
        }
        let bounds = Bounds::of_readings(assets, signals, query.from.0, query.to.0.saturating_sub(1));
        Ok(Wanted { places, bounds, from: query.from.0, to: query.to.0 })
    }
}

/// The batches of `file` that may hold wanted rows.
async fn read_file(
    store: ObjectFiles,
    table: Arc<TableSchema>,
    file: Arc<DataFile>,
    wanted: Arc<Wanted>,
) -> Result<Vec<RecordBatch>, LakeError> {
    let columns = ["time", "asset", "signal", "value", "quality", "late", "offset"];
    let portion = Portion { columns: &columns, bounds: &wanted.bounds, part: (0, 1), batch_rows: 16_384 };
    match files::open(&store, &table, &file, portion).await? {
        Some(stream) => stream.try_collect().await.map_err(|error| files::broken(&file, &error)),
        None => Ok(Vec::new()),
    }
}

/// Sorts the wanted rows of `batch` into the answer; says how many there were.
fn take_batch(batch: &RecordBatch, wanted: &Wanted, found: &mut [SeriesReadings]) -> Result<usize, String> {
    let column =
        |name: &str| batch.column_by_name(name).ok_or_else(|| format!("a file has no column {name}"));
    let odd = |name: &str| format!("a file has an odd column {name}");
    let time = column("time")?.as_primitive_opt::<TimestampMicrosecondType>().ok_or_else(|| odd("time"))?;
    let value =
        column("value")?.as_primitive_opt::<arrow::datatypes::Float64Type>().ok_or_else(|| odd("value"))?;
    let late = column("late")?.as_boolean_opt().ok_or_else(|| odd("late"))?;
    let offset = column("offset")?.as_primitive_opt::<Int64Type>().ok_or_else(|| odd("offset"))?;
    let names = |name: &str| {
        let array = column(name)?.as_dictionary_opt::<Int32Type>().ok_or_else(|| odd(name))?;
        let values = array.values().as_string_opt::<i32>().ok_or_else(|| odd(name))?;
        Ok::<_, String>((array.keys(), values))
    };
    let ((asset_keys, assets), (signal_keys, signals), (quality_keys, qualities)) =
        (names("asset")?, names("signal")?, names("quality")?);
    let qualities: Vec<Quality> =
        qualities.iter().map(|name| name.and_then(Quality::parse).unwrap_or(Quality::Bad)).collect();
    let of_asset: Vec<Option<&HashMap<Arc<str>, usize>>> =
        assets.iter().map(|name| wanted.places.get(name?)).collect();
    // Rows are sorted by series, so the place of the row before is nearly always the place of this one.
    let (mut last, mut place) = ((-1, -1), None);
    let mut rows = 0;
    let lacks = |row: usize| {
        time.is_null(row) || value.is_null(row) || asset_keys.is_null(row) || signal_keys.is_null(row)
    };
    for row in 0..batch.num_rows() {
        // Another program has written what is no reading.
        if lacks(row) {
            continue;
        }
        let key = (asset_keys.value(row), signal_keys.value(row));
        if key != last {
            let signals_of = usize::try_from(key.0).ok().and_then(|key| of_asset.get(key).copied().flatten());
            place = signals_of
                .and_then(|places| places.get(signals.value(usize::try_from(key.1).ok()?)).copied());
            last = key;
        }
        let Some(series) = place.and_then(|place| found.get_mut(place)) else { continue };
        let at = time.value(row);
        if at < wanted.from || at >= wanted.to {
            continue;
        }
        let quality = usize::try_from(quality_keys.value(row))
            .ok()
            .and_then(|key| qualities.get(key).copied())
            .unwrap_or(Quality::Bad);
        series.push(at, value.value(row), ReadingFlags::new(quality, late.value(row)), offset.value(row));
        rows += 1;
    }
    Ok(rows)
}

/// Bounds hold for every asset with every signal, so some series among the readings of the tail may not be
/// wanted.
fn take_tail(readings: &Columns, query: &ReadingsQuery, found: &mut [SeriesReadings]) {
    let places: HashMap<SeriesId, usize> =
        query.series.iter().enumerate().map(|(place, id)| (*id, place)).collect();
    for row in 0..readings.len() {
        if let Some(series) = places.get(&readings.series[row]).and_then(|&place| found.get_mut(place)) {
            series.push(readings.time[row], readings.value[row], readings.flags[row], readings.offset[row]);
        }
    }
}
