//! Reading which rows another program has deleted in a file.
//!
//! A deletion vector never changes, and its id says which one it is. So it is read once, however often the
//! table is listed.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array as _, AsArray as _, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type};
use delta_kernel::actions::deletion_vector::DeletionVectorDescriptor;
use delta_kernel::{Engine as _, KernelError, Snapshot};

use super::DeltaTable;
use super::listing::is_selected;
use crate::error::LakeError;
use crate::table::deleted::Deleted;
use crate::table::location::check_inside;

impl DeltaTable {
    /// What is deleted in each file of `batch`, a piece of the file list of `snapshot`. Vectors that the
    /// present files have are not read again; those of rows that are not `selected`, which are files of
    /// former times, may be gone and are not read at all.
    pub(super) fn deleted(
        &self,
        snapshot: &Snapshot,
        batch: &RecordBatch,
        selected: &[bool],
    ) -> Result<Vec<Option<Arc<Deleted>>>, LakeError> {
        let Some(vectors) =
            batch.column_by_name("deletionVector").filter(|vectors| vectors.null_count() < batch.num_rows())
        else {
            return Ok(vec![None; batch.num_rows()]);
        };
        let odd = || LakeError::table(&self.schema.name, "its file list has deletion vectors of an odd form");
        let failed = |error: KernelError| {
            let hint = format!(
                "the rows that another program has deleted cannot be told: {error}; have that program \
                 rewrite the table's files (in Spark: \
                 REORG TABLE … APPLY (PURGE))"
            );
            LakeError::table(&self.schema.name, hint)
        };
        let vectors = vectors.as_struct_opt().ok_or_else(odd)?;
        let text = |name: &str| {
            vectors.column_by_name(name).and_then(|column| column.as_string_opt::<i32>()).ok_or_else(odd)
        };
        let number = |name: &str| {
            vectors
                .column_by_name(name)
                .and_then(|column| column.as_primitive_opt::<Int32Type>())
                .ok_or_else(odd)
        };
        let (kinds, places, offsets, sizes) =
            (text("storageType")?, text("pathOrInlineDv")?, number("offset")?, number("sizeInBytes")?);
        let counts = vectors
            .column_by_name("cardinality")
            .and_then(|column| column.as_primitive_opt::<Int64Type>())
            .ok_or_else(odd)?;
        let known: HashMap<&str, &Arc<Deleted>> = self
            .files
            .iter()
            .filter_map(|file| file.deleted.as_ref())
            .map(|deleted| (deleted.id.as_str(), deleted))
            .collect();
        let root = self.store.table_url(&self.schema.name)?;
        let read = |row: usize| -> Result<Arc<Deleted>, KernelError> {
            let offset = offsets.is_valid(row).then(|| offsets.value(row));
            let kind = kinds.value(row).parse()?;
            let vector = DeletionVectorDescriptor::try_new(
                kind,
                places.value(row),
                offset,
                sizes.value(row),
                counts.value(row),
            )?;
            let id = vector.unique_id_for(snapshot)?;
            if let Some(known) = known.get(id.as_str()) {
                return Ok(Arc::clone(known));
            }
            if let Some(url) = vector.absolute_path(&root)? {
                check_inside(&self.schema.name, &root, &url).map_err(KernelError::generic)?;
            }
            let rows = vector.read(self.engine.storage_handler(), &root)?;
            Ok(Arc::new(Deleted { id, rows }))
        };
        // A file without a vector may have a struct of nulls.
        let has_vector =
            |row: usize| is_selected(selected, row) && vectors.is_valid(row) && kinds.is_valid(row);
        (0..batch.num_rows())
            .map(|row| has_vector(row).then(|| read(row)).transpose().map_err(failed))
            .collect()
    }
}
