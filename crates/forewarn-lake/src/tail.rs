//! Readings of the tail as columns: sorted and encoded for a commit, or picked for a query.
//!
//! The tail is the records themselves, shared with whoever else reads the log; nothing is copied until a
//! commit or a query wants columns, and names stay numbers until then.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, DictionaryArray, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Int32Type, Schema};
use forewarn_types::{Offset, ReadingBatch, ReadingFlags, Record, SeriesDef, SeriesId, SeriesTable};
use parking_lot::RwLock;
use polars::prelude as pl;
use polars::prelude::{IntoColumn as _, NewChunkedArray as _};

use crate::parquet::{Bounds, NewFile, encode};
use crate::records::QUALITIES;
use crate::schema::{ColumnType, TableSchema};
use crate::{ColumnData, LakeError};

const DAY_US: i64 = 86_400_000_000;
/// 0001-01-01 and 9999-12-31, in days since 1970.
const FIRST_DAY: i64 = -719_162;
const LAST_DAY: i64 = 2_932_896;

/// Records of the log with their offsets, a few hundred at most: the unit in which views share the tail.
pub(crate) type Chunk = Vec<(Offset, Arc<Record>)>;

/// Readings side by side, in the order of the log.
#[derive(Debug, Default)]
pub(crate) struct Columns {
    pub(crate) series: Vec<SeriesId>,
    pub(crate) time: Vec<i64>,
    pub(crate) value: Vec<f64>,
    pub(crate) flags: Vec<ReadingFlags>,
    pub(crate) arrived: Vec<i64>,
    pub(crate) offset: Vec<i64>,
}

impl Columns {
    /// All readings of `chunks` from `from` on.
    pub(crate) fn all(chunks: &[Arc<Chunk>], from: Offset) -> Self {
        let mut columns = Self::default();
        for (at, batch) in batches(chunks, from) {
            // Whole columns are copied at once: this path takes every row the lake ever gets.
            columns.series.extend_from_slice(&batch.series);
            columns.time.extend_from_slice(&batch.time);
            columns.value.extend_from_slice(&batch.value);
            columns.flags.extend_from_slice(&batch.flags);
            columns.arrived.resize(columns.time.len(), batch.arrived.0);
            columns.offset.resize(columns.time.len(), at);
        }
        columns
    }

    /// The readings of `chunks` from `from` on that `wanted` lets pass.
    pub(crate) fn collect(
        chunks: &[Arc<Chunk>],
        from: Offset,
        wanted: impl Fn(SeriesId, i64) -> bool,
    ) -> Self {
        let mut columns = Self::default();
        for (at, batch) in batches(chunks, from) {
            for row in 0..batch.len() {
                let (series, time) = (batch.series[row], batch.time[row]);
                if wanted(series, time) {
                    columns.series.push(series);
                    columns.time.push(time);
                    columns.value.push(batch.value[row]);
                    columns.flags.push(batch.flags[row]);
                    columns.arrived.push(batch.arrived.0);
                    columns.offset.push(at);
                }
            }
        }
        columns
    }

    pub(crate) fn len(&self) -> usize {
        self.time.len()
    }
}

fn batches(chunks: &[Arc<Chunk>], from: Offset) -> impl Iterator<Item = (i64, &ReadingBatch)> {
    let records = chunks.iter().flat_map(|chunk| chunk.iter()).filter(move |(offset, _)| *offset >= from);
    records.filter_map(|(offset, record)| match &**record {
        Record::Readings(batch) => Some((i64::try_from(offset.0).unwrap_or(i64::MAX), batch)),
        _ => None,
    })
}

/// The series that occur in `columns`, in the order of their ids. The table of series is locked only while
/// they are picked, not while rows are sorted and encoded: the intake waits for it whenever it meets a new
/// series.
pub(crate) fn series_of(columns: &Columns, table: &RwLock<SeriesTable>) -> Result<Vec<SeriesDef>, LakeError> {
    let mut present = Vec::new();
    for id in &columns.series {
        if id.index() >= present.len() {
            present.resize(id.index() + 1, false);
        }
        present[id.index()] = true;
    }
    let ids = (0..).zip(present).filter(|(_, present)| *present).map(|(id, _)| SeriesId(id));
    let table = table.read();
    ids.map(|id| table.def(id).cloned().ok_or_else(|| unknown_series(id))).collect()
}

/// Dense numbers for the distinct names of some series: `key_of_series[id]` points into `names`.
struct Names {
    names: Vec<Arc<str>>,
    key_of_series: Vec<i32>,
}

impl Names {
    /// The assets (or the signals) of `series`, numbered in the order of their names.
    fn collect(series: &[SeriesDef], name_of: impl Fn(&SeriesDef) -> &Arc<str>) -> Self {
        let mut names: Vec<Arc<str>> = series.iter().map(|def| Arc::clone(name_of(def))).collect();
        names.sort_unstable();
        names.dedup();
        let mut key_of_series = vec![0; series.last().map_or(0, |def| def.id.index() + 1)];
        for def in series {
            let key = names.binary_search(name_of(def)).unwrap_or(0);
            key_of_series[def.id.index()] = i32::try_from(key).unwrap_or(i32::MAX);
        }
        Self { names, key_of_series }
    }

    fn dictionary(&self, keys: impl Iterator<Item = SeriesId>) -> Result<ArrayRef, arrow::error::ArrowError> {
        let keys: Int32Array = keys.map(|id| Some(self.key_of_series[id.index()])).collect();
        let values = StringArray::from_iter_values(self.names.iter());
        Ok(Arc::new(DictionaryArray::<Int32Type>::try_new(keys, Arc::new(values))?))
    }

    fn to_polars(&self, name: &str, columns: &Columns) -> pl::PolarsResult<pl::Column> {
        let names = pl::StringChunked::from_iter_values(name.into(), self.names.iter().map(|name| &**name));
        let keys: Vec<pl::IdxSize> =
            columns.series.iter().map(|id| self.key_of_series[id.index()].unsigned_abs()).collect();
        take(names, keys)
    }
}

fn take(names: pl::StringChunked, keys: Vec<pl::IdxSize>) -> pl::PolarsResult<pl::Column> {
    use pl::IntoSeries as _;
    Ok(names.into_series().take(&pl::IdxCa::from_vec("".into(), keys))?.into_column())
}

fn unknown_series(id: SeriesId) -> LakeError {
    LakeError::Mismatch(format!(
        "a reading is of series {}, which the table of series does not know; records are missing",
        id.0
    ))
}

/// One file a day, or several where one would have more than about `file_bytes`: rows sorted by asset,
/// signal, time and then as they came. `series` are those of [`series_of`].
pub(crate) fn files_by_day(
    table: &TableSchema,
    columns: &Columns,
    series: &[SeriesDef],
    file_bytes: u64,
) -> Result<Vec<NewFile>, LakeError> {
    let assets = Names::collect(series, |def| &def.asset);
    let signals = Names::collect(series, |def| &def.signal);
    let rank: Vec<u64> = (0..assets.key_of_series.len())
        .map(|i| {
            u64::from(assets.key_of_series[i].unsigned_abs()) << 32
                | u64::from(signals.key_of_series[i].unsigned_abs())
        })
        .collect();
    let mut order: Vec<u32> = (0..u32::try_from(columns.len()).unwrap_or(u32::MAX)).collect();
    let key = |row: &u32| {
        let row = *row as usize;
        (columns.time[row].div_euclid(DAY_US), rank[columns.series[row].index()], columns.time[row])
    };
    order.sort_by_cached_key(key);
    let days = order.chunk_by(|a, b| key(a).0 == key(b).0);
    let mut files = Vec::new();
    for rows in days {
        let whole = file(table, columns, rows, &assets, &signals)?;
        // How small rows become is known only once they are written.
        let parts = usize::try_from((whole.bytes.len() as u64).div_ceil(file_bytes.max(1)))
            .unwrap_or(1)
            .clamp(1, rows.len().max(1));
        if parts == 1 {
            files.push(whole);
            continue;
        }
        for rows in rows.chunks(rows.len().div_ceil(parts)) {
            files.push(file(table, columns, rows, &assets, &signals)?);
        }
    }
    Ok(files)
}

fn file(
    table: &TableSchema,
    columns: &Columns,
    rows: &[u32],
    assets: &Names,
    signals: &Names,
) -> Result<NewFile, LakeError> {
    let failed = |error: arrow::error::ArrowError| LakeError::table(&table.name, error);
    let at = || rows.iter().map(|&row| row as usize);
    let utc = |values: TimestampMicrosecondArray| -> ArrayRef { Arc::new(values.with_timezone("UTC")) };
    let qualities: Int32Array = at().map(|row| Some(columns.flags[row].quality() as i32)).collect();
    let quality_names = StringArray::from_iter_values(QUALITIES.iter().map(|quality| quality.as_str()));
    let arrays: Vec<ArrayRef> = vec![
        utc(TimestampMicrosecondArray::from_iter_values(at().map(|row| columns.time[row]))),
        assets.dictionary(at().map(|row| columns.series[row])).map_err(failed)?,
        signals.dictionary(at().map(|row| columns.series[row])).map_err(failed)?,
        Arc::new(Float64Array::from_iter_values(at().map(|row| columns.value[row]))),
        Arc::new(DictionaryArray::<Int32Type>::try_new(qualities, Arc::new(quality_names)).map_err(failed)?),
        Arc::new(at().map(|row| Some(columns.flags[row].is_late())).collect::<BooleanArray>()),
        utc(TimestampMicrosecondArray::from_iter_values(at().map(|row| columns.arrived[row]))),
        Arc::new(Int64Array::from_iter_values(at().map(|row| columns.offset[row]))),
    ];
    let fields: Vec<Field> = table
        .columns
        .iter()
        .map(|column| match column.ty {
            ColumnType::Text => Field::new_dictionary(&column.name, DataType::Int32, DataType::Utf8, true),
            ty => Field::new(&column.name, ty.to_arrow(), true),
        })
        .collect();
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(failed)?;
    let ends = |values: &[i64]| {
        at().map(|row| values[row]).fold((i64::MAX, i64::MIN), |(low, high), x| (low.min(x), high.max(x)))
    };
    let name_ends = |names: &Names| {
        let keys = || at().map(|row| names.key_of_series[columns.series[row].index()]);
        let name = |key: Option<i32>| {
            key.map_or_else(|| Arc::from(""), |key| Arc::clone(&names.names[key.unsigned_abs() as usize]))
        };
        Bounds::Text(name(keys().min()), name(keys().max()))
    };
    let (times, offsets, arrived) = (ends(&columns.time), ends(&columns.offset), ends(&columns.arrived));
    let bounds = vec![
        ("time".to_owned(), Bounds::Time(times.0, times.1)),
        ("asset".to_owned(), name_ends(assets)),
        ("signal".to_owned(), name_ends(signals)),
        ("arrived".to_owned(), Bounds::Time(arrived.0, arrived.1)),
        ("offset".to_owned(), Bounds::Int(offsets.0, offsets.1)),
    ];
    // A clock gone wild must not stop the branch: days that Delta cannot write go to the nearest partition it
    // can.
    let date = i32::try_from(times.0.div_euclid(DAY_US).clamp(FIRST_DAY, LAST_DAY)).unwrap_or(0);
    Ok(NewFile::new(Some(date), encode(table, &batch)?, bounds))
}

/// The columns of `table` that `needed` names, as polars columns with naive UTC times. `series` are those of
/// [`series_of`].
pub(crate) fn to_polars(
    table: &TableSchema,
    columns: &Columns,
    series: &[SeriesDef],
    needed: impl Fn(&str) -> bool,
) -> Result<Vec<pl::Column>, LakeError> {
    let failed = |error: pl::PolarsError| LakeError::table(&table.name, error);
    let time = |name: &str, values: &[i64]| {
        pl::Int64Chunked::from_slice(name.into(), values)
            .into_datetime(pl::TimeUnit::Microseconds, None)
            .into_column()
    };
    let mut made = Vec::new();
    for column in table.columns.iter().filter(|column| needed(&column.name)) {
        let name = column.name.as_str();
        made.push(match name {
            "time" => time(name, &columns.time),
            "arrived" => time(name, &columns.arrived),
            "asset" => Names::collect(series, |def| &def.asset).to_polars(name, columns).map_err(failed)?,
            "signal" => Names::collect(series, |def| &def.signal).to_polars(name, columns).map_err(failed)?,
            "value" => pl::Float64Chunked::from_slice(name.into(), &columns.value).into_column(),
            "late" => pl::BooleanChunked::from_iter_values(
                name.into(),
                columns.flags.iter().map(|flags| flags.is_late()),
            )
            .into_column(),
            "offset" => pl::Int64Chunked::from_slice(name.into(), &columns.offset).into_column(),
            "quality" => {
                let names = pl::StringChunked::from_iter_values(
                    name.into(),
                    QUALITIES.iter().map(|quality| quality.as_str()),
                );
                take(
                    names,
                    columns.flags.iter().map(|flags| pl::IdxSize::from(flags.quality() as u8)).collect(),
                )
                .map_err(failed)?
            }
            _ => ColumnData::empty(column.ty).to_polars(name),
        });
    }
    Ok(made)
}
