//! A table as a polars frame: the files that may matter, and the tail.

use std::sync::Arc;

use forewarn_types::SeriesId;
use polars::prelude as pl;
use polars::prelude::{IntoLazy as _, IntoSeries as _};
use polars_plan::dsl::{DslPlan, ExtraColumnsPolicy, MissingColumnsPolicy};

use super::Bounds;
use super::prune::Limit;
use crate::lake::Lake;
use crate::schema::{ColumnType, DATE, READINGS};
use crate::store::{local_path, runtime};
use crate::table::DataFile;
use crate::tail::{self, Columns};
use crate::view::{TableView, View};
use crate::{LakeError, records};

/// A store that polars cannot map is read into memory, up to here.
const MAX_FETCH_BYTES: u64 = 2 << 30;

/// The number of a row in its file; no table has a column of this name.
const ROW: &str = "\u{0}row";

/// The frame of `table` with the columns `needed` names, and the number of files it reads. Blocks.
pub(super) fn build(
    lake: &Lake,
    view: &View,
    table: &TableView,
    bounds: &Bounds,
    needed: &dyn Fn(&str) -> bool,
) -> Result<(pl::LazyFrame, usize), LakeError> {
    let failed = |error: pl::PolarsError| LakeError::table(&table.schema.name, error);
    let files: Vec<&DataFile> = table.files.iter().map(|file| &**file).filter(|file| bounds.may_match(file)).collect();
    // A query that names no column, such as count(*), still needs one to count.
    let any = table.schema.sql_names().any(needed);
    let first = table.schema.columns.first().map(|column| column.name.clone()).unwrap_or_default();
    let wanted = |column: &str| if any { needed(column) } else { column == first };
    let mut parts = Vec::with_capacity(2);
    // Deleted rows are counted from the start of their file, so a file with such rows is a scan of its own.
    let (whole, thinned): (Vec<&DataFile>, Vec<&DataFile>) = files.iter().partition(|file| file.deleted.is_none());
    let scans = (!whole.is_empty()).then_some(whole).into_iter().chain(thinned.into_iter().map(|file| vec![file]));
    for files in scans {
        parts.push(scan(lake, table, &files, bounds, &wanted).map_err(|error| match error {
            ScanError::Polars(error) => failed(error),
            ScanError::Lake(error) => error,
        })?);
    }
    if table.committed.is_some() || parts.is_empty() {
        parts.push(tail_frame(lake, view, table, bounds, &wanted)?);
    }
    let frame = if parts.len() == 1 { parts.swap_remove(0) } else { joined(parts).map_err(failed)? };
    Ok((frame, files.len()))
}

/// Files and tail, one behind the other.
///
/// polars counts the rows of a union in 128-bit integers, which this build of it leaves out: `count(*)` would panic. A function
/// that passes everything on keeps the count from reaching the union; conditions still pass it, columns were chosen already.
fn joined(parts: Vec<pl::LazyFrame>) -> pl::PolarsResult<pl::LazyFrame> {
    let union = pl::concat(parts, pl::UnionArgs::default())?;
    let may = pl::AllowedOptimizations::PREDICATE_PUSHDOWN | pl::AllowedOptimizations::SLICE_PUSHDOWN | pl::AllowedOptimizations::STREAMING;
    Ok(union.map(Ok, may, None, Some("lake and tail")))
}

enum ScanError {
    Polars(pl::PolarsError),
    Lake(LakeError),
}

impl From<pl::PolarsError> for ScanError {
    fn from(error: pl::PolarsError) -> Self {
        Self::Polars(error)
    }
}

fn scan(
    lake: &Lake,
    table: &TableView,
    files: &[&DataFile],
    bounds: &Bounds,
    wanted: &dyn Fn(&str) -> bool,
) -> Result<pl::LazyFrame, ScanError> {
    let sources = if lake.inner.files.is_local() {
        let paths = files.iter().map(|file| pl::PlRefPath::new(local_path(&file.location).to_string_lossy()));
        pl::ScanSources::Paths(paths.collect())
    } else {
        let fetched = fetch(lake, table, files).map_err(ScanError::Lake)?;
        pl::ScanSources::Buffers(fetched.into_iter().map(|bytes| Vec::<u8>::from(bytes).into()).collect())
    };
    let args = pl::ScanArgsParquet {
        schema: Some(table.schema.to_polars_stored()),
        hive_options: pl::HiveOptions::new_disabled(),
        glob: false,
        cache: false,
        ..pl::ScanArgsParquet::default()
    };
    let mut frame = tolerant(pl::LazyFrame::scan_parquet_sources(sources, args)?);
    if let [DataFile { deleted: Some(deleted), .. }] = files {
        let deleted: Vec<pl::IdxSize> = deleted.iter().filter_map(|row| pl::IdxSize::try_from(*row).ok()).collect();
        let deleted = pl::lit(pl::IdxCa::from_vec("".into(), deleted).into_series()).implode(false);
        frame = frame.with_row_index(ROW, Some(0)).filter(pl::col(ROW).is_in(deleted, false).not());
    }
    for (name, limit) in &bounds.columns {
        if let Some(condition) = condition(name, limit) {
            frame = frame.filter(condition);
        }
    }
    Ok(frame.select(visible(table, wanted)))
}

/// Files from before a column was added have nothing in it, and columns that another program has added are not ours to read.
fn tolerant(mut frame: pl::LazyFrame) -> pl::LazyFrame {
    if let DslPlan::Scan { unified_scan_args, .. } = &mut frame.logical_plan {
        unified_scan_args.missing_columns_policy = MissingColumnsPolicy::Insert;
        unified_scan_args.extra_columns_policy = ExtraColumnsPolicy::Ignore;
    }
    frame
}

/// The limit as a filter on a column as it is stored, where polars compares it with the statistics of row groups.
fn condition(name: &str, limit: &Limit) -> Option<pl::Expr> {
    let column = || pl::col(name);
    match limit {
        Limit::Time(low, high) => {
            let stored = ColumnType::Time.to_polars_stored();
            let time = |us: i64| pl::lit(us).cast(stored.clone());
            let low = (*low > i64::MIN).then(|| column().gt_eq(time(*low)));
            let high = (*high < i64::MAX).then(|| column().lt_eq(time(*high)));
            [low, high].into_iter().flatten().reduce(pl::Expr::and)
        }
        // No text is wanted, so no row is.
        Limit::Text(texts) if texts.is_empty() => Some(pl::lit(false)),
        Limit::Text(texts) => texts.iter().map(|text| column().eq(pl::lit(text.as_str()))).reduce(pl::Expr::or),
    }
}

/// The columns as SQL sees them: times naive, and the partition column made from the time, so that it needs no path.
fn visible(table: &TableView, wanted: &dyn Fn(&str) -> bool) -> Vec<pl::Expr> {
    let stored = table.schema.columns.iter().filter(|column| wanted(&column.name)).map(|column| match column.ty {
        ColumnType::Time => pl::col(column.name.as_str()).cast(column.ty.to_polars()),
        _ => pl::col(column.name.as_str()),
    });
    let date = (table.schema.by_date && wanted(DATE))
        .then(|| pl::col("time").cast(ColumnType::Time.to_polars()).cast(pl::DataType::Date).alias(DATE));
    stored.chain(date).collect()
}

/// Reads files of a store that polars does not reach.
fn fetch(lake: &Lake, table: &TableView, files: &[&DataFile]) -> Result<Vec<bytes::Bytes>, LakeError> {
    use futures::{StreamExt as _, TryStreamExt as _};
    use object_store::ObjectStoreExt as _;
    let total: u64 = files.iter().map(|file| file.size_bytes).sum();
    if total > MAX_FETCH_BYTES {
        return Err(LakeError::TooLarge(format!(
            "the query would fetch {} MB of table {} from the store; narrow its time range or name assets",
            total >> 20,
            table.schema.name
        )));
    }
    let store = Arc::clone(lake.inner.files.object_store());
    let fetches = files.iter().map(|file| {
        let (store, location) = (Arc::clone(&store), file.location.clone());
        async move { store.get(&location).await?.bytes().await }
    });
    let fetched = futures::stream::iter(fetches).buffered(8).try_collect::<Vec<_>>();
    runtime()?.block_on(fetched).map_err(|error| LakeError::store(format!("reading table {}", table.schema.name), error))
}

fn tail_frame(
    lake: &Lake,
    view: &View,
    table: &TableView,
    bounds: &Bounds,
    wanted: &dyn Fn(&str) -> bool,
) -> Result<pl::LazyFrame, LakeError> {
    let failed = |error: pl::PolarsError| LakeError::table(&table.schema.name, error);
    let stored = |column: &str| wanted(column) || (column == "time" && wanted(DATE));
    let columns = if table.schema.name == READINGS {
        let (low, high) = bounds.time("time").unwrap_or((i64::MIN, i64::MAX));
        let fits = |texts: Option<&std::collections::BTreeSet<String>>, name: &str| texts.is_none_or(|texts| texts.contains(name));
        let (assets, signals) = (bounds.texts("asset"), bounds.texts("signal"));
        let all = assets.is_none() && signals.is_none();
        let pass: Vec<bool> = if all {
            Vec::new()
        } else {
            let series = lake.inner.series.read();
            series.defs().iter().map(|def| fits(assets, &def.asset) && fits(signals, &def.signal)).collect()
        };
        let wanted_row = |id: SeriesId, time: i64| low <= time && time <= high && (all || pass.get(id.index()).copied().unwrap_or(true));
        let from = table.committed.unwrap_or_default();
        let everything = all && (low, high) == (i64::MIN, i64::MAX);
        let columns = if everything { Columns::all(&view.tail, from) } else { Columns::collect(&view.tail, from, wanted_row) };
        let series = tail::series_of(&columns, &lake.inner.series)?;
        tail::to_polars(&table.schema, &columns, &series, stored)?
    } else {
        let data = match table.committed {
            Some(from) => records::columns(&table.schema, view.records_from(from)),
            None => table.schema.columns.iter().map(|column| crate::ColumnData::empty(column.ty)).collect(),
        };
        let named = table.schema.columns.iter().zip(&data).filter(|(column, _)| stored(&column.name));
        named.map(|(column, data)| data.to_polars(&column.name)).collect()
    };
    let frame = pl::DataFrame::new_infer_height(columns).map_err(failed)?;
    Ok(frame.lazy().select(visible(table, wanted)))
}
