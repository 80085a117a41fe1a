//! Files of tables whose rows are few and in no order, put one behind the other.

use std::sync::Arc;

use arrow::datatypes::Schema;
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::merged::{Fault, Merged, in_file};
use crate::error::LakeError;
use crate::read::{form_of, in_form};
use crate::table::{DataFile, FileWriter, MinMax, NewFile, TableSchema};

/// One file of the rows of `files`, in the order of the files.
/// A column that came later than a file is empty in its rows.
pub(super) fn join(
    table: &TableSchema,
    bytes: &[Bytes],
    date: Option<i32>,
    files: &[Arc<DataFile>],
) -> Result<Merged, Fault> {
    let schema: Arc<Schema> = table.to_arrow();
    let failed = |error: LakeError| Fault::from(error.to_string());
    let mut writer = FileWriter::new(table, Arc::clone(&schema)).map_err(failed)?;
    for (place, file) in bytes.iter().enumerate() {
        let wrong = in_file(place);
        let form = form_of(&schema, file).map_err(&wrong)?;
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file.clone(), form).build();
        for batch in reader.map_err(|error| wrong(error.to_string()))? {
            let batch = batch
                .map_err(|error| error.to_string())
                .and_then(|batch| in_form(&schema, &batch))
                .map_err(&wrong)?;
            writer.write(&batch).map_err(failed)?;
        }
    }
    let file = NewFile::new(date, writer.finish().map_err(failed)?, common_bounds(files));
    Ok(Merged { rows: file.rows, files: vec![file], duplicates: 0 })
}

/// The bounds that hold for all files; a column that is not bounded in one of them has none.
fn common_bounds(files: &[Arc<DataFile>]) -> Vec<(String, MinMax)> {
    let Some((first, rest)) = files.split_first() else { return Vec::new() };
    let of = |file: &DataFile, name: &str| {
        file.bounds.iter().find(|(other, _)| other == name).map(|(_, bounds)| bounds.clone())
    };
    let common = |(name, bounds): &(String, MinMax)| {
        rest.iter()
            .try_fold(bounds.clone(), |all, file| all.merge(&of(file, name)?))
            .map(|bounds| (name.clone(), bounds))
    };
    // The ends of floats are those that were found while writing.
    first
        .bounds
        .iter()
        .filter(|(_, bounds)| !matches!(bounds, MinMax::Float(..)))
        .filter_map(common)
        .collect()
}
