//! The data files of a table, read by DataFusion.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema};
use datafusion::catalog::Session;
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, Result, ScalarValue, Statistics};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::object_store::ObjectStoreUrl;
use datafusion::datasource::physical_plan::parquet::CachedParquetFileReaderFactory;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::physical_plan::ExecutionPlan;
use forewarn_lake::{DataFile, MinMax};
use object_store::ObjectMeta;
use parquet::arrow::arrow_reader::RowSelection;

use super::{DATE, LakeTable};

/// Where the lake's store is registered.
pub(crate) const STORE: &str = "lake://store/";

/// The rows of `files`.
pub(super) fn scan(
    table: &LakeTable,
    state: &dyn Session,
    files: &[Arc<DataFile>],
    projection: Option<&Vec<usize>>,
    limit: Option<usize>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let url = ObjectStoreUrl::parse(STORE)?;
    let store = state.runtime_env().object_store(&url)?;
    let cache = state.runtime_env().cache_manager.get_file_metadata_cache();
    let by_date = table.snapshot.schema().by_date;
    let stored: Vec<_> =
        table.schema.fields().iter().filter(|field| !by_date || field.name() != DATE).cloned().collect();
    let partition: Vec<_> =
        table.schema.fields().iter().filter(|field| by_date && field.name() == DATE).cloned().collect();
    let schema =
        TableSchema::builder(Arc::new(Schema::new(stored))).with_table_partition_cols(partition).build();
    let mut options = state.default_table_options().parquet;
    options.global = state.config_options().execution.parquet.clone();
    let source = ParquetSource::new(schema)
        .with_table_parquet_options(options)
        .with_parquet_file_reader_factory(Arc::new(CachedParquetFileReaderFactory::new(store, cache)));
    let files = files.iter().map(|file| partitioned(table, file)).collect::<Result<Vec<_>>>()?;
    let config = FileScanConfigBuilder::new(url, Arc::new(source))
        .with_file_groups(groups(files, state.config_options().execution.target_partitions))
        .with_projection_indices(projection.cloned())?
        .with_limit(limit)
        .build();
    Ok(DataSourceExec::from_data_source(config))
}

/// The files dealt out to so many partitions, the largest first, so that each has about as much to do.
fn groups(mut files: Vec<PartitionedFile>, partitions: usize) -> Vec<FileGroup> {
    files.sort_by_key(|file| std::cmp::Reverse(file.object_meta.size));
    let count = partitions.clamp(1, files.len().max(1));
    let mut groups: Vec<(u64, Vec<PartitionedFile>)> = vec![(0, Vec::new()); count];
    for file in files {
        if let Some((bytes, group)) = groups.iter_mut().min_by_key(|(bytes, _)| *bytes) {
            *bytes += file.object_meta.size;
            group.push(file);
        }
    }
    groups.into_iter().map(|(_, files)| FileGroup::new(files)).collect()
}

fn partitioned(table: &LakeTable, file: &DataFile) -> Result<PartitionedFile> {
    let meta = ObjectMeta {
        location: file.location.clone(),
        // Data files never change, so their time says nothing; the cache of footers compares it.
        last_modified: chrono::DateTime::UNIX_EPOCH,
        size: file.size_bytes,
        e_tag: None,
        version: None,
    };
    let mut part = PartitionedFile::new_from_meta(meta);
    if table.snapshot.schema().by_date {
        part = part.with_partition_values(vec![ScalarValue::Date32(file.date())]);
    }
    if let Some(deleted) = &file.deleted {
        let selection = all_but(deleted, file)?;
        part = part.with_extension(datafusion::datasource::physical_plan::parquet::ParquetRowSelection::new(
            selection,
        ));
    }
    Ok(part.with_statistics(Arc::new(statistics(table, file))))
}

/// All rows of `file` but those that are deleted.
fn all_but(deleted: &forewarn_lake::Deleted, file: &DataFile) -> Result<RowSelection> {
    let lacking = || {
        let text = format!(
            "the table does not say how many rows its file {} has, and some are deleted",
            file.location
        );
        datafusion::common::DataFusionError::Execution(text)
    };
    let total = file.rows.ok_or_else(lacking)?.saturating_add(deleted.count());
    let place = |row: u64| usize::try_from(row).unwrap_or(usize::MAX);
    let mut kept = Vec::new();
    let mut from = 0;
    for row in deleted.within(0..total) {
        kept.push(place(from)..place(row));
        from = row + 1;
    }
    kept.push(place(from)..place(total));
    Ok(RowSelection::from_consecutive_ranges(
        kept.into_iter().filter(|range| !range.is_empty()),
        place(total),
    ))
}

/// What the table says about `file`. The ends of columns are bounds, and may lie outside of the values.
fn statistics(table: &LakeTable, file: &DataFile) -> Statistics {
    let rows = file.rows.and_then(|rows| usize::try_from(rows).ok());
    let column = |field: &Arc<Field>| {
        let bounds = file.bounds.iter().find(|(name, _)| name == field.name()).map(|(_, bounds)| bounds);
        let (low, high) = match bounds {
            Some(MinMax::Int(low, high)) => (ScalarValue::Int64(Some(*low)), ScalarValue::Int64(Some(*high))),
            Some(MinMax::Float(low, high)) => {
                (ScalarValue::Float64(Some(*low)), ScalarValue::Float64(Some(*high)))
            }
            Some(MinMax::Time(low, high)) => {
                let time = |us: i64| ScalarValue::TimestampMicrosecond(Some(us), Some("UTC".into()));
                (time(*low), time(*high))
            }
            Some(MinMax::Text(low, high)) => {
                let text = |text: &str| ScalarValue::Utf8View(Some(text.to_owned()));
                (text(low), text(high))
            }
            None => return ColumnStatistics::new_unknown(),
        };
        ColumnStatistics {
            min_value: Precision::Inexact(low),
            max_value: Precision::Inexact(high),
            ..ColumnStatistics::new_unknown()
        }
    };
    let by_date = table.snapshot.schema().by_date;
    Statistics {
        num_rows: rows.map_or(Precision::Absent, Precision::Exact),
        total_byte_size: Precision::Absent,
        column_statistics: table
            .schema
            .fields()
            .iter()
            .filter(|field| !by_date || field.name() != DATE)
            .map(column)
            .collect(),
    }
}
