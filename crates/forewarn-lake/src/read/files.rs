//! Data files read piece by piece with the Parquet reader itself, on any store: only the row groups that may
//! matter, only the columns that are wanted.

use std::ops::Range;
use std::sync::Arc;

use arrow::datatypes::{Field, Schema};
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt as _, TryFutureExt as _};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, RowSelection};
use parquet::arrow::async_reader::{AsyncFileReader, ParquetRecordBatchStream};
use parquet::arrow::{ParquetRecordBatchStreamBuilder, ProjectionMask};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader, RowGroupMetaData};
use parquet::file::statistics::Statistics;

use crate::error::LakeError;
use crate::store::ObjectFiles;
use crate::table::{Bounds, DataFile, Deleted, Limit, TableSchema};

/// Batches of one file.
pub(crate) type FileStream = ParquetRecordBatchStream<ObjectReader>;

/// A Parquet file in the store, read piece by piece.
pub(crate) struct ObjectReader {
    store: Arc<dyn ObjectStore>,
    location: Path,
    pub(crate) size_bytes: u64,
}

impl ObjectReader {
    pub(crate) fn new(files: &ObjectFiles, file: &DataFile) -> Self {
        Self {
            store: Arc::clone(files.object_store()),
            location: file.location.clone(),
            size_bytes: file.size_bytes,
        }
    }
}

impl AsyncFileReader for ObjectReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes, ParquetError>> {
        let read = async move { self.store.get_range(&self.location, range).await };
        read.map_err(|error| ParquetError::External(Box::new(error))).boxed()
    }

    fn get_byte_ranges(
        &mut self,
        ranges: Vec<Range<u64>>,
    ) -> BoxFuture<'_, Result<Vec<Bytes>, ParquetError>> {
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

/// What to read of a file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Portion<'a> {
    pub(crate) columns: &'a [&'a str],
    pub(crate) bounds: &'a Bounds,
    /// The number of the part, and how many there are: the row groups are dealt out in order.
    pub(crate) part: (usize, usize),
    pub(crate) batch_rows: usize,
}

/// The batches of `file` that may hold rows within the bounds, with names as dictionaries; `None` if none
/// may.
pub(crate) async fn open(
    files: &ObjectFiles,
    table: &TableSchema,
    file: &DataFile,
    portion: Portion<'_>,
) -> Result<Option<FileStream>, LakeError> {
    let failed = |error: ParquetError| broken(file, &error);
    let mut reader = ObjectReader::new(files, file);
    let metadata = reader.get_metadata(None).await.map_err(failed)?;
    let arrow = in_form_of(&table.to_arrow_dictionaries(), metadata).map_err(failed)?;
    let (groups, (part, parts)) = (arrow.metadata().num_row_groups(), portion.part);
    let share = groups * part / parts..groups * (part + 1) / parts;
    let groups: Vec<usize> =
        share.filter(|&group| may_match(arrow.metadata().row_group(group), portion.bounds)).collect();
    if groups.is_empty() {
        return Ok(None);
    }
    let kept = file.deleted.as_ref().map(|deleted| all_but(deleted, arrow.metadata(), &groups));
    let mut builder =
        ParquetRecordBatchStreamBuilder::new_with_metadata(reader, arrow).with_row_groups(groups);
    if let Some(kept) = kept {
        builder = builder.with_row_selection(kept);
    }
    let mask = ProjectionMask::columns(builder.parquet_schema(), portion.columns.iter().copied());
    builder.with_projection(mask).with_batch_size(portion.batch_rows).build().map(Some).map_err(failed)
}

/// How a file is read: the columns of `ours` in their form there, and whatever else is in the file as it is.
/// Only the file itself says whether a column can be empty in it; the reader would refuse another answer.
pub(crate) fn in_form_of(
    ours: &Schema,
    metadata: Arc<ParquetMetaData>,
) -> Result<ArrowReaderMetadata, ParquetError> {
    let plain = ArrowReaderMetadata::try_new(Arc::clone(&metadata), ArrowReaderOptions::new())?;
    let field = |stored: &Arc<Field>| {
        let formed = |ours: &Field| Arc::new(ours.clone().with_nullable(stored.is_nullable()));
        ours.field_with_name(stored.name()).map_or_else(|_| Arc::clone(stored), formed)
    };
    let fields: Vec<Arc<Field>> = plain.schema().fields().iter().map(field).collect();
    ArrowReaderMetadata::try_new(
        metadata,
        ArrowReaderOptions::new().with_schema(Arc::new(Schema::new(fields))),
    )
}

/// All rows of `groups` but those that are `deleted`.
fn all_but(deleted: &Deleted, metadata: &ParquetMetaData, groups: &[usize]) -> RowSelection {
    let lengths: Vec<usize> =
        metadata.row_groups().iter().map(|group| usize::try_from(group.num_rows()).unwrap_or(0)).collect();
    let (mut kept, mut total) = (Vec::new(), 0);
    for &group in groups {
        let (first, length) = (lengths[..group].iter().sum::<usize>(), lengths[group]);
        let mut from = 0;
        for row in deleted.within(first as u64..(first + length) as u64) {
            let row = usize::try_from(row).unwrap_or(usize::MAX) - first;
            kept.push(total + from..total + row);
            from = row + 1;
        }
        kept.push(total + from..total + length);
        total += length;
    }
    RowSelection::from_consecutive_ranges(kept.into_iter().filter(|range| !range.is_empty()), total)
}

/// A file that cannot be read.
pub(crate) fn broken(file: &DataFile, problem: &ParquetError) -> LakeError {
    LakeError::store(format!("reading {}", file.location), problem)
}

/// Whether a row group may hold a wanted row, by its statistics.
pub(crate) fn may_match(group: &RowGroupMetaData, bounds: &Bounds) -> bool {
    group.columns().iter().all(|column| {
        match (column.statistics(), bounds.columns.get(&column.column_path().string())) {
            (Some(Statistics::Int64(stats)), Some(Limit::Time(low, high) | Limit::Int(low, high))) => {
                stats.min_opt().is_none_or(|first| first <= high)
                    && stats.max_opt().is_none_or(|last| last >= low)
            }
            (Some(Statistics::ByteArray(stats)), Some(Limit::Text(texts))) => {
                let (Some(first), Some(last)) = (stats.min_opt(), stats.max_opt()) else { return true };
                texts.iter().any(|text| first.data() <= text.as_bytes() && text.as_bytes() <= last.data())
            }
            _ => true,
        }
    })
}
