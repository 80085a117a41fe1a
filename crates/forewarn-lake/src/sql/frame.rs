//! A table as a polars frame: the files that may matter, and the tail.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use polars::prelude as pl;
use polars::prelude::{IntoLazy as _, IntoSeries as _};
use polars_plan::dsl::{DslPlan, ExtraColumnsPolicy, MissingColumnsPolicy};

use super::excerpt::{self, Excerpt};
use super::polars::to_polars;
use crate::error::LakeError;
use crate::lake::Lake;
use crate::read::{Running, Scan};
use crate::store::{local_path, runtime};
use crate::table::{ColumnType, DATE, DataFile, Limit, TableSchema};
use crate::tail::{self, READINGS};

/// Files of a store that are looked into, or fetched, at the same time.
const CONCURRENT_FETCHES: usize = 8;

/// The number of a row in its file; no table has a column of this name.
const ROW: &str = "\u{0}row";

/// The frame of what `scan` reads, with the columns `needed` names. Blocks.
pub(super) fn build(
    lake: &Lake,
    scan: &Scan<'_>,
    needed: &dyn Fn(&str) -> bool,
    running: &Arc<Running>,
) -> Result<pl::LazyFrame, LakeError> {
    let table = scan.table;
    let failed = |error: pl::PolarsError| LakeError::table(&table.schema.name, error);
    // A query that names no column, such as count(*), still needs one to count.
    let any = table.schema.sql_names().any(needed);
    let first = table.schema.columns.first().map(|column| column.name.clone()).unwrap_or_default();
    let wanted = |column: &str| if any { needed(column) } else { column == first };
    let mut parts = Vec::with_capacity(2);
    for group in scan.groups() {
        parts.extend(of_files(lake, &group, &wanted, running)?);
    }
    if scan.has_tail() || parts.is_empty() {
        parts.push(of_tail(lake, scan, &wanted)?);
    }
    watched(parts, running).map_err(failed)
}

/// A table without rows.
pub(super) fn empty(table: &TableSchema) -> pl::PolarsResult<pl::LazyFrame> {
    let columns = table
        .columns
        .iter()
        .map(|column| crate::ColumnData::empty(column.ty).to_polars(&column.name))
        .collect();
    Ok(pl::DataFrame::new_infer_height(columns)?.lazy().select(visible(table, &|_| true)))
}

/// Files and tail, one behind the other, with a check of each batch of rows.
///
/// polars counts the rows of a union in 128-bit integers, which this build of it leaves out: `count(*)` would
/// panic. The check also keeps the count from reaching the union; conditions still pass it, columns were
/// chosen already.
fn watched(mut parts: Vec<pl::LazyFrame>, running: &Arc<Running>) -> pl::PolarsResult<pl::LazyFrame> {
    let rows =
        if parts.len() == 1 { parts.swap_remove(0) } else { pl::concat(parts, pl::UnionArgs::default())? };
    let may = pl::AllowedOptimizations::PREDICATE_PUSHDOWN
        | pl::AllowedOptimizations::SLICE_PUSHDOWN
        | pl::AllowedOptimizations::STREAMING;
    let running = Arc::clone(running);
    let check = move |rows: pl::DataFrame| {
        running
            .check(rows.estimated_size())
            .map_err(|ended| pl::PolarsError::ComputeError(ended.to_string().into()))?;
        Ok(rows)
    };
    Ok(rows.map(check, may, None, Some("lake and tail")))
}

/// The rows of the files that may matter; `None` if none do.
fn of_files(
    lake: &Lake,
    scan: &Scan<'_>,
    wanted: &dyn Fn(&str) -> bool,
    running: &Running,
) -> Result<Option<pl::LazyFrame>, LakeError> {
    if scan.files.is_empty() {
        return Ok(None);
    }
    let sources =
        if lake.reader.store.is_local() { Some(mapped(scan)) } else { fetched(lake, scan, wanted, running)? };
    let frame = sources.map(|sources| of_sources(sources, scan, wanted)).transpose();
    frame.map_err(|error| LakeError::table(&scan.table.schema.name, error))
}

fn of_sources(
    sources: pl::ScanSources,
    scan: &Scan<'_>,
    wanted: &dyn Fn(&str) -> bool,
) -> pl::PolarsResult<pl::LazyFrame> {
    let schema = &scan.table.schema;
    let args = pl::ScanArgsParquet {
        schema: Some(schema.to_polars_stored()),
        hive_options: pl::HiveOptions::new_disabled(),
        glob: false,
        cache: false,
        ..pl::ScanArgsParquet::default()
    };
    let mut frame = tolerant(pl::LazyFrame::scan_parquet_sources(sources, args)?);
    if let [file] = scan.files.as_slice()
        && let Some(deleted) = &file.deleted
    {
        let deleted: Vec<pl::IdxSize> = deleted
            .within(0..u64::from(pl::IdxSize::MAX))
            .filter_map(|row| pl::IdxSize::try_from(row).ok())
            .collect();
        let deleted = pl::lit(pl::IdxCa::from_vec("".into(), deleted).into_series()).implode(false);
        frame = frame.with_row_index(ROW, Some(0)).filter(pl::col(ROW).is_in(deleted, false).not());
    }
    for (name, limit) in &scan.bounds.columns {
        if let Some(condition) = condition(name, limit) {
            frame = frame.filter(condition);
        }
    }
    Ok(frame.select(visible(schema, wanted)))
}

/// Files on this machine.
fn mapped(scan: &Scan<'_>) -> pl::ScanSources {
    let paths =
        scan.files.iter().map(|file| pl::PlRefPath::new(local_path(&file.location).to_string_lossy()));
    pl::ScanSources::Paths(paths.collect())
}

/// Files of a store that polars does not reach: what the query needs of them, in memory. `None` if it needs
/// nothing.
fn fetched(
    lake: &Lake,
    scan: &Scan<'_>,
    wanted: &dyn Fn(&str) -> bool,
    running: &Running,
) -> Result<Option<pl::ScanSources>, LakeError> {
    let table = &scan.table.schema;
    let read = |column: &str| {
        wanted(column) || scan.bounds.columns.contains_key(column) || (column == "time" && wanted(DATE))
    };
    let names: BTreeSet<&str> =
        table.columns.iter().map(|column| column.name.as_str()).filter(|name| read(name)).collect();
    let look = |file: &Arc<DataFile>| {
        let (file, names) = (Arc::clone(file), &names);
        async move { excerpt::excerpt(lake, &file, |name| names.contains(name), scan.bounds).await }
    };
    let fetch = async {
        let looked =
            stream::iter(scan.files.iter().map(look).collect::<Vec<_>>()).buffered(CONCURRENT_FETCHES);
        let excerpts: Vec<Excerpt> = looked.try_filter_map(async |excerpt| Ok(excerpt)).try_collect().await?;
        running.fetch(&table.name, excerpts.iter().map(Excerpt::bytes).sum())?;
        let fetch = async |excerpt: Excerpt| {
            let bytes = usize::try_from(excerpt.bytes()).unwrap_or(usize::MAX);
            let file = excerpt
                .fetch()
                .await
                .map_err(|error| LakeError::store(format!("reading table {}", table.name), error))?;
            running.check(bytes)?;
            Ok::<_, LakeError>(file)
        };
        stream::iter(excerpts.into_iter().map(fetch))
            .buffered(CONCURRENT_FETCHES)
            .try_collect::<Vec<_>>()
            .await
    };
    let fetched = runtime()?.block_on(running.unless_ended(fetch))?;
    Ok((!fetched.is_empty()).then(|| pl::ScanSources::Buffers(fetched.into_iter().map(Into::into).collect())))
}

/// Files from before a column was added have nothing in it, columns that another program has added are not
/// ours to read, and times may be written in other units: Spark's are nanoseconds in 96 bits, unless it is
/// told otherwise.
fn tolerant(mut frame: pl::LazyFrame) -> pl::LazyFrame {
    if let DslPlan::Scan { unified_scan_args, .. } = &mut frame.logical_plan {
        unified_scan_args.missing_columns_policy = MissingColumnsPolicy::Insert;
        unified_scan_args.extra_columns_policy = ExtraColumnsPolicy::Ignore;
        unified_scan_args.cast_columns_policy.datetime_nanoseconds_downcast = true;
        unified_scan_args.cast_columns_policy.datetime_milliseconds_upcast = true;
    }
    frame
}

/// The limit as a filter on a column as it is stored, where polars compares it with the statistics of row
/// groups.
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
        Limit::Int(low, high) => {
            let low = (*low > i64::MIN).then(|| column().gt_eq(pl::lit(*low)));
            let high = (*high < i64::MAX).then(|| column().lt_eq(pl::lit(*high)));
            [low, high].into_iter().flatten().reduce(pl::Expr::and)
        }
        // No text is wanted, so no row is.
        Limit::Text(texts) if texts.is_empty() => Some(pl::lit(false)),
        Limit::Text(texts) => {
            texts.iter().map(|text| column().eq(pl::lit(text.as_str()))).reduce(pl::Expr::or)
        }
    }
}

/// The columns as SQL sees them: times naive, and the partition column made from the time, so that it needs
/// no path.
fn visible(table: &TableSchema, wanted: &dyn Fn(&str) -> bool) -> Vec<pl::Expr> {
    let stored = table.columns.iter().filter(|column| wanted(&column.name)).map(|column| match column.ty {
        ColumnType::Time => pl::col(column.name.as_str()).cast(column.ty.to_polars()),
        _ => pl::col(column.name.as_str()),
    });
    let date = (table.by_date && wanted(DATE))
        .then(|| pl::col("time").cast(ColumnType::Time.to_polars()).cast(pl::DataType::Date).alias(DATE));
    stored.chain(date).collect()
}

fn of_tail(lake: &Lake, scan: &Scan<'_>, wanted: &dyn Fn(&str) -> bool) -> Result<pl::LazyFrame, LakeError> {
    let schema = &scan.table.schema;
    let failed = |error: pl::PolarsError| LakeError::table(&schema.name, error);
    let stored = |column: &str| wanted(column) || (column == "time" && wanted(DATE));
    let columns = if schema.name == READINGS {
        let columns = scan.tail_readings(&lake.reader.series);
        let series = tail::series_of(&columns, &lake.reader.series)?;
        to_polars(schema, &columns, &series, stored)?
    } else {
        let data = tail::columns(schema, scan.tail_records());
        let named = schema.columns.iter().zip(&data).filter(|(column, _)| stored(&column.name));
        named.map(|(column, data)| data.to_polars(&column.name)).collect()
    };
    let frame = pl::DataFrame::new_infer_height(columns).map_err(failed)?;
    Ok(frame.lazy().select(visible(schema, wanted)))
}

#[cfg(test)]
#[path = "frame_tests.rs"]
mod tests;
