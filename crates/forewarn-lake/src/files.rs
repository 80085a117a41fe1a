//! Data files read piece by piece with the Parquet reader itself, on any store: only the row groups that may
//! matter, only the columns that are wanted.

use std::ops::Range;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt as _, TryFutureExt as _};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, RowSelection};
use parquet::arrow::async_reader::{AsyncFileReader, ParquetRecordBatchStream};
use parquet::arrow::{ParquetRecordBatchStreamBuilder, ProjectionMask};
use parquet::errors::ParquetError;
use parquet::file::metadata::{
    FileMetaData, ParquetMetaData, ParquetMetaDataReader, ParquetMetaDataWriter, RowGroupMetaData,
};
use parquet::file::statistics::Statistics;

use crate::LakeError;
use crate::lake::Lake;
use crate::schema::{ColumnType, TableSchema};
use crate::sql::{Bounds, Limit};
use crate::table::{DataFile, Deleted};

/// Batches of one file.
pub(crate) type FileStream = ParquetRecordBatchStream<ObjectReader>;

/// A Parquet file in the store, read piece by piece.
pub(crate) struct ObjectReader {
    store: Arc<dyn ObjectStore>,
    location: Path,
    size_bytes: u64,
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
    lake: &Lake,
    table: &TableSchema,
    file: &DataFile,
    portion: Portion<'_>,
) -> Result<Option<FileStream>, LakeError> {
    let failed = |error: ParquetError| broken(file, &error);
    let store = Arc::clone(lake.inner.files.object_store());
    let mut reader = ObjectReader { store, location: file.location.clone(), size_bytes: file.size_bytes };
    let metadata = reader.get_metadata(None).await.map_err(failed)?;
    let arrow = in_form_of(&dictionary_schema(table), metadata).map_err(failed)?;
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

/// What a query needs of a file in a store that polars does not reach: the bytes of some columns of some row
/// groups.
pub(crate) struct Excerpt {
    reader: ObjectReader,
    ranges: Vec<Range<u64>>,
    /// The end of a Parquet file that has these row groups only.
    footer: Vec<u8>,
}

/// What a query of the columns `wanted` within `bounds` needs of `file`; `None` if that is nothing.
pub(crate) async fn excerpt(
    lake: &Lake,
    file: &DataFile,
    wanted: impl Fn(&str) -> bool,
    bounds: &Bounds,
) -> Result<Option<Excerpt>, LakeError> {
    let failed = |error: ParquetError| broken(file, &error);
    let store = Arc::clone(lake.inner.files.object_store());
    let mut reader = ObjectReader { store, location: file.location.clone(), size_bytes: file.size_bytes };
    let metadata = reader.get_metadata(None).await.map_err(failed)?;
    // Deleted rows are counted from the start of the file.
    let wanted_group = |group: &&RowGroupMetaData| file.deleted.is_some() || may_match(group, bounds);
    let groups: Vec<RowGroupMetaData> = metadata.row_groups().iter().filter(wanted_group).cloned().collect();
    if groups.is_empty() {
        return Ok(None);
    }
    let columns = groups
        .iter()
        .flat_map(RowGroupMetaData::columns)
        .filter(|column| wanted(&column.column_path().string()));
    let ranges = columns
        .map(parquet::file::metadata::ColumnChunkMetaData::byte_range)
        .map(|(start, length)| start..start + length)
        .collect();
    let whole = metadata.file_metadata();
    let about = FileMetaData::new(
        whole.version(),
        groups.iter().map(RowGroupMetaData::num_rows).sum(),
        whole.created_by().map(str::to_owned),
        whole.key_value_metadata().cloned(),
        whole.schema_descr_ptr(),
        whole.column_orders().cloned(),
    );
    let mut footer = Vec::new();
    ParquetMetaDataWriter::new(&mut footer, &ParquetMetaData::new(about, groups)).finish().map_err(failed)?;
    Ok(Some(Excerpt { reader, ranges, footer }))
}

impl Excerpt {
    /// How much has to be fetched.
    pub(crate) fn bytes(&self) -> u64 {
        self.ranges.iter().map(|range| range.end - range.start).sum()
    }

    /// The file with zeros where nothing is needed, and another end. Memory that is never touched is none.
    pub(crate) async fn fetch(mut self) -> Result<Vec<u8>, ParquetError> {
        let parts = self.reader.get_byte_ranges(self.ranges.clone()).await?;
        let place = |at: u64| usize::try_from(at).map_err(|error| ParquetError::External(Box::new(error)));
        let mut file = vec![0; place(self.reader.size_bytes)?];
        for (range, part) in self.ranges.iter().zip(parts) {
            let place = place(range.start)?..place(range.end)?;
            let target = file.get_mut(place).filter(|target| target.len() == part.len());
            target
                .ok_or_else(|| ParquetError::EOF("it is shorter than its table says".to_owned()))?
                .copy_from_slice(&part);
        }
        file.extend_from_slice(&self.footer);
        Ok(file)
    }
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
