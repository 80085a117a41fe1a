//! History in typed columns, for models and charts: the readings of some series in a stretch of time, lake and tail as one.
//!
//! It goes past SQL and polars: files, row groups and rows are picked by name and time with the Parquet reader itself, on any store.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow::array::{AsArray as _, RecordBatch};
use arrow::datatypes::{DataType, Field, Int32Type, Int64Type, Schema, TimestampMicrosecondType};
use bytes::Bytes;
use forewarn_types::{Offset, Quality, ReadingFlags, SeriesId, Timestamp};
use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _, TryFutureExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, RowSelection};
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::arrow::{ParquetRecordBatchStreamBuilder, ProjectionMask};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader, RowGroupMetaData};
use parquet::file::statistics::Statistics;

use crate::LakeError;
use crate::lake::Lake;
use crate::schema::{ColumnType, READINGS, TableSchema};
use crate::sql::Bounds;
use crate::table::DataFile;
use crate::tail::Columns;
use crate::view::View;

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

impl Lake {
    /// The readings that `query` asks for, over all that the log held durably when this was called, each once. The answer has one
    /// entry for each series, in the order asked.
    ///
    /// # Errors
    /// [`LakeError::Query`] for an unknown series, [`LakeError::TooLarge`] above 64 million readings, [`LakeError::Store`] or
    /// [`LakeError::Table`] if the lake cannot be read, [`LakeError::Behind`] if it does not come up with the log in time,
    /// [`LakeError::Stopped`] if the branch has ended.
    pub async fn readings(&self, query: ReadingsQuery) -> Result<Vec<SeriesReadings>, LakeError> {
        let limit = self.inner.options.sql_timeout;
        tokio::time::timeout(limit, self.wait_current()).await.map_err(|_| LakeError::behind(limit))??;
        let view = self.inner.view.read().clone();
        let mut found: Vec<SeriesReadings> = query.series.iter().copied().map(SeriesReadings::new).collect();
        let Some(table) = view.tables.get(READINGS) else { return Ok(found) };
        let wanted = Arc::new(self.wanted(&query)?);
        let files: Vec<Arc<DataFile>> = table.files.iter().filter(|file| wanted.bounds.may_match(file)).cloned().collect();
        self.inner.files_scanned.fetch_add(files.len(), Ordering::Relaxed);
        let reads = files.into_iter().map(|file| read_file(self.clone(), Arc::clone(&table.schema), file, Arc::clone(&wanted)));
        let mut parts = futures::stream::iter(reads).buffered(CONCURRENT_FILES);
        let mut rows = 0;
        loop {
            let batches = match parts.try_next().await {
                Ok(Some(batches)) => batches,
                Ok(None) => break,
                Err(error) => {
                    let files = table.files.iter().map(|file| &**file).filter(|file| wanted.bounds.may_match(file));
                    return Err(self.find_damage(READINGS, files).await.unwrap_or(error));
                }
            };
            for batch in &batches {
                rows += take_batch(batch, &wanted, &mut found).map_err(|problem| LakeError::table(READINGS, problem))?;
                if rows > MAX_ROWS {
                    return Err(LakeError::TooLarge(format!(
                        "there are more than {MAX_ROWS} readings; ask for a shorter time or fewer series"
                    )));
                }
            }
        }
        drop(parts);
        take_tail(&view, table.committed.unwrap_or_default(), &query, &mut found);
        found.iter_mut().for_each(SeriesReadings::sort);
        Ok(found)
    }

    fn wanted(&self, query: &ReadingsQuery) -> Result<Wanted, LakeError> {
        let series = self.inner.series.read();
        let mut places: HashMap<Arc<str>, HashMap<Arc<str>, usize>> = HashMap::new();
        let (mut assets, mut signals) = (std::collections::BTreeSet::new(), std::collections::BTreeSet::new());
        for (place, id) in query.series.iter().enumerate() {
            let def = series.def(*id).ok_or_else(|| LakeError::Query(format!("there is no series {}", id.0)))?;
            if places.entry(Arc::clone(&def.asset)).or_default().insert(Arc::clone(&def.signal), place).is_some() {
                return Err(LakeError::Query(format!("series {} is asked for twice", id.0)));
            }
            assets.insert(def.asset.to_string());
            signals.insert(def.signal.to_string());
        }
        let bounds = Bounds::of_readings(assets, signals, query.from.0, query.to.0.saturating_sub(1));
        Ok(Wanted { places, bounds, from: query.from.0, to: query.to.0 })
    }
}

/// A Parquet file in the store, read piece by piece.
struct ObjectReader {
    store: Arc<dyn ObjectStore>,
    location: Path,
    size_bytes: u64,
}

impl AsyncFileReader for ObjectReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes, ParquetError>> {
        let read = async move { self.store.get_range(&self.location, range).await };
        read.map_err(|error| ParquetError::External(Box::new(error))).boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>, ParquetError>> {
        let read = async move { self.store.get_ranges(&self.location, &ranges).await };
        read.map_err(|error| ParquetError::External(Box::new(error))).boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>, ParquetError>> {
        let size_bytes = self.size_bytes;
        let reader = ParquetMetaDataReader::new().with_arrow_reader_options(options);
        async move { reader.load_and_finish(self, size_bytes).await.map(Arc::new) }.boxed()
    }
}

/// The batches of `file` that may hold wanted rows, with names as dictionaries.
async fn read_file(lake: Lake, table: Arc<TableSchema>, file: Arc<DataFile>, wanted: Arc<Wanted>) -> Result<Vec<RecordBatch>, LakeError> {
    let failed = |error: ParquetError| LakeError::store(format!("reading {}", file.location), error);
    let store = Arc::clone(lake.inner.files.object_store());
    let mut reader = ObjectReader { store, location: file.location.clone(), size_bytes: file.size_bytes };
    let metadata = reader.get_metadata(None).await.map_err(failed)?;
    let arrow = with_dictionaries(metadata, &table).map_err(failed)?;
    let groups: Vec<usize> =
        (0..arrow.metadata().num_row_groups()).filter(|&group| may_match(arrow.metadata().row_group(group), &wanted.bounds)).collect();
    if groups.is_empty() {
        return Ok(Vec::new());
    }
    let rows = arrow.metadata().file_metadata().num_rows();
    let mut builder = ParquetRecordBatchStreamBuilder::new_with_metadata(reader, arrow);
    builder = match &file.deleted {
        // Deleted rows are counted from the start of the file, so no row group may be left out before they are.
        Some(deleted) => builder.with_row_selection(all_but(deleted, usize::try_from(rows).unwrap_or(0))),
        None => builder.with_row_groups(groups),
    };
    let names = ["time", "asset", "signal", "value", "quality", "late", "offset"];
    let mask = ProjectionMask::columns(builder.parquet_schema(), names);
    let stream = builder.with_projection(mask).with_batch_size(16_384).build().map_err(failed)?;
    stream.try_collect().await.map_err(failed)
}

/// The schema in which a file of `table` is read: names as dictionaries, and whatever else is in the file as it is.
pub(crate) fn with_dictionaries(metadata: Arc<ParquetMetaData>, table: &TableSchema) -> Result<ArrowReaderMetadata, ParquetError> {
    let plain = ArrowReaderMetadata::try_new(Arc::clone(&metadata), ArrowReaderOptions::new())?;
    let ours = dictionary_schema(table);
    let field = |stored: &Arc<Field>| ours.field_with_name(stored.name()).map_or_else(|_| Arc::clone(stored), |ours| Arc::new(ours.clone()));
    let fields: Vec<Arc<Field>> = plain.schema().fields().iter().map(field).collect();
    ArrowReaderMetadata::try_new(metadata, ArrowReaderOptions::new().with_schema(Arc::new(Schema::new(fields))))
}

/// All of `rows` rows but those numbered in `deleted`, which ascend.
fn all_but(deleted: &[u64], rows: usize) -> RowSelection {
    let mut from = 0;
    let mut kept = Vec::with_capacity(deleted.len() + 1);
    for row in deleted.iter().filter_map(|row| usize::try_from(*row).ok()).take_while(|row| *row < rows) {
        kept.push(from..row);
        from = row + 1;
    }
    kept.push(from..rows);
    RowSelection::from_consecutive_ranges(kept.into_iter().filter(|range| !range.is_empty()), rows)
}

/// Names are read as dictionaries: one look-up for each name of a batch instead of one a row.
pub(crate) fn dictionary_schema(table: &TableSchema) -> Arc<Schema> {
    let field = |column: &crate::ColumnInfo| match column.ty {
        ColumnType::Text => Field::new_dictionary(&column.name, DataType::Int32, DataType::Utf8, true),
        ty => Field::new(&column.name, ty.to_arrow(), true),
    };
    Arc::new(Schema::new(table.columns.iter().map(field).collect::<Vec<_>>()))
}

/// Whether a row group may hold a wanted row, by its statistics.
fn may_match(group: &RowGroupMetaData, bounds: &Bounds) -> bool {
    group.columns().iter().all(|column| {
        let name = column.column_path().string();
        match (column.statistics(), bounds.time(&name), bounds.texts(&name)) {
            (Some(Statistics::Int64(stats)), Some((low, high)), _) => {
                stats.min_opt().is_none_or(|first| *first <= high) && stats.max_opt().is_none_or(|last| *last >= low)
            }
            (Some(Statistics::ByteArray(stats)), _, Some(texts)) => {
                let (Some(first), Some(last)) = (stats.min_opt(), stats.max_opt()) else { return true };
                texts.iter().any(|text| first.data() <= text.as_bytes() && text.as_bytes() <= last.data())
            }
            _ => true,
        }
    })
}

/// Sorts the wanted rows of `batch` into the answer; says how many there were.
fn take_batch(batch: &RecordBatch, wanted: &Wanted, found: &mut [SeriesReadings]) -> Result<usize, String> {
    let column = |name: &str| batch.column_by_name(name).ok_or_else(|| format!("a file has no column {name}"));
    let odd = |name: &str| format!("a file has an odd column {name}");
    let time = column("time")?.as_primitive_opt::<TimestampMicrosecondType>().ok_or_else(|| odd("time"))?;
    let value = column("value")?.as_primitive_opt::<arrow::datatypes::Float64Type>().ok_or_else(|| odd("value"))?;
    let late = column("late")?.as_boolean_opt().ok_or_else(|| odd("late"))?;
    let offset = column("offset")?.as_primitive_opt::<Int64Type>().ok_or_else(|| odd("offset"))?;
    let names = |name: &str| {
        let array = column(name)?.as_dictionary_opt::<Int32Type>().ok_or_else(|| odd(name))?;
        let values = array.values().as_string_opt::<i32>().ok_or_else(|| odd(name))?;
        Ok::<_, String>((array.keys(), values))
    };
    let ((asset_keys, assets), (signal_keys, signals), (quality_keys, qualities)) = (names("asset")?, names("signal")?, names("quality")?);
    let qualities: Vec<Quality> = qualities.iter().map(|name| name.and_then(Quality::parse).unwrap_or(Quality::Bad)).collect();
    let of_asset: Vec<Option<&HashMap<Arc<str>, usize>>> = assets.iter().map(|name| wanted.places.get(name?)).collect();
    // Rows are sorted by series, so the place of the row before is nearly always the place of this one.
    let (mut last, mut place) = ((-1, -1), None);
    let mut rows = 0;
    for row in 0..batch.num_rows() {
        let key = (asset_keys.value(row), signal_keys.value(row));
        if key != last {
            let signals_of = usize::try_from(key.0).ok().and_then(|key| of_asset.get(key).copied().flatten());
            place = signals_of.and_then(|places| places.get(signals.value(usize::try_from(key.1).ok()?)).copied());
            last = key;
        }
        let Some(series) = place.and_then(|place| found.get_mut(place)) else { continue };
        let at = time.value(row);
        if at < wanted.from || at >= wanted.to {
            continue;
        }
        let quality = usize::try_from(quality_keys.value(row)).ok().and_then(|key| qualities.get(key).copied()).unwrap_or(Quality::Bad);
        series.push(at, value.value(row), ReadingFlags::new(quality, late.value(row)), offset.value(row));
        rows += 1;
    }
    Ok(rows)
}

fn take_tail(view: &View, from: Offset, query: &ReadingsQuery, found: &mut [SeriesReadings]) {
    let places: HashMap<SeriesId, usize> = query.series.iter().enumerate().map(|(place, id)| (*id, place)).collect();
    let wanted = |id: SeriesId, time: i64| query.from.0 <= time && time < query.to.0 && places.contains_key(&id);
    let columns = Columns::collect(&view.tail, from, wanted);
    for row in 0..columns.len() {
        if let Some(series) = places.get(&columns.series[row]).and_then(|&place| found.get_mut(place)) {
            series.push(columns.time[row], columns.value[row], columns.flags[row], columns.offset[row]);
        }
    }
}
