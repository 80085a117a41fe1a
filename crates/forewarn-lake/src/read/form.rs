//! The form in which files are read whose rows are to be written again.

use std::sync::Arc;

use arrow::array::{RecordBatch, new_null_array};
use arrow::datatypes::{Field, Schema};
use bytes::Bytes;
use parquet::arrow::arrow_reader::ArrowReaderMetadata;
use parquet::file::metadata::ParquetMetaDataReader;

use super::files::in_form_of;

/// How `file`, which must have no other columns than `schema`, is read.
pub(crate) fn form_of(schema: &Schema, file: &Bytes) -> Result<ArrowReaderMetadata, String> {
    let metadata = ParquetMetaDataReader::new().parse_and_finish(file).map_err(|error| error.to_string())?;
    let form = in_form_of(schema, Arc::new(metadata)).map_err(|error| error.to_string())?;
    if let Some(extra) =
        form.schema().fields().iter().find(|field| schema.field_with_name(field.name()).is_err())
    {
        return Err(format!("has the column {}, which another program has added", extra.name()));
    }
    Ok(form)
}

/// The rows of `batch` with the columns of `schema`.
pub(crate) fn in_form(schema: &Arc<Schema>, batch: &RecordBatch) -> Result<RecordBatch, String> {
    let column = |field: &Arc<Field>| {
        batch
            .column_by_name(field.name())
            .map_or_else(|| new_null_array(field.data_type(), batch.num_rows()), Arc::clone)
    };
    RecordBatch::try_new(Arc::clone(schema), schema.fields().iter().map(column).collect())
        .map_err(|error| error.to_string())
}
