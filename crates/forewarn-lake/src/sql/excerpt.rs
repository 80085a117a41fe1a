//! What a query needs of a file in a store that polars does not reach.

use std::ops::Range;

use parquet::arrow::async_reader::AsyncFileReader as _;
use parquet::errors::ParquetError;
use parquet::file::metadata::{FileMetaData, ParquetMetaData, ParquetMetaDataWriter, RowGroupMetaData};

use crate::error::LakeError;
use crate::lake::Lake;
use crate::read::{ObjectReader, broken, may_match};
use crate::table::{Bounds, DataFile};

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
    let mut reader = ObjectReader::new(&lake.reader.store, file);
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
