//! The files of a snapshot, with what the table knows of each: its size, its rows, the ends of its columns,
//! and the rows that another program has deleted in it.

use std::sync::Arc;

use arrow::array::{Array as _, AsArray as _, RecordBatch};
use arrow::datatypes::Int64Type;
use delta_kernel::SnapshotRef;
use delta_kernel::engine::arrow_data::ArrowEngineData;
use forewarn_types::Timestamp;

use super::DeltaTable;
use crate::error::LakeError;
use crate::table::deleted::Deleted;
use crate::table::file::{DataFile, FileList};
use crate::table::location::inside;
use crate::table::min_max::MinMax;
use crate::table::schema::ColumnType;

impl DeltaTable {
    /// The files of `snapshot`.
    pub(super) fn list(&self, snapshot: &SnapshotRef) -> Result<FileList, LakeError> {
        let failed = |error: delta_kernel::KernelError| LakeError::table(&self.schema.name, error);
        let scan = Arc::clone(snapshot).scan_builder().build().map_err(failed)?;
        let mut files = Vec::new();
        for metadata in scan.scan_metadata(self.engine.as_ref()).map_err(failed)? {
            let metadata = metadata.map_err(failed)?;
            let selected = metadata.scan_files.selection_vector().to_vec();
            let data = metadata.scan_files.data().any_ref().downcast_ref::<ArrowEngineData>();
            let batch = data
                .ok_or_else(|| LakeError::table(&self.schema.name, "its file list is not in Arrow form"))?
                .record_batch();
            let deleted = self.deleted(snapshot, batch, &selected)?;
            self.read_batch(batch, &selected, &deleted, &mut files)?;
        }
        Ok(Arc::new(files))
    }

    fn read_batch(
        &self,
        batch: &RecordBatch,
        selected: &[bool],
        deleted: &[Option<Arc<Deleted>>],
        files: &mut Vec<Arc<DataFile>>,
    ) -> Result<(), LakeError> {
        let odd = |what: &str| LakeError::table(&self.schema.name, format!("its file list has no {what}"));
        let column = |name: &str| batch.column_by_name(name).ok_or_else(|| odd(name));
        let (paths, sizes, stats) = (column("path")?, column("size")?, column("stats")?);
        let paths = paths.as_string_opt::<i32>().ok_or_else(|| odd("path"))?;
        let sizes = sizes.as_primitive_opt::<Int64Type>().ok_or_else(|| odd("size"))?;
        let stats = stats.as_string_opt::<i32>().ok_or_else(|| odd("stats"))?;
        let root = self.store.table_url(&self.schema.name)?;
        for row in 0..batch.num_rows() {
            if !is_selected(selected, row) {
                continue;
            }
            let location = inside(&self.schema.name, &root, paths.value(row))?;
            let (rows, bounds) =
                if stats.is_valid(row) { self.read_stats(stats.value(row)) } else { (None, Vec::new()) };
            let size_bytes = u64::try_from(sizes.value(row)).unwrap_or(0);
            let deleted = deleted[row].clone();
            let gone = deleted.as_ref().map_or(0, |deleted| deleted.count());
            let rows = rows.map(|rows| rows.saturating_sub(gone));
            files.push(Arc::new(DataFile { location, size_bytes, rows, bounds, deleted }));
        }
        Ok(())
    }

    /// The count of rows and bounds from the JSON statistics. What cannot be read says nothing, so the file
    /// is read.
    fn read_stats(&self, json: &str) -> (Option<u64>, Vec<(String, MinMax)>) {
        let Ok(stats) = serde_json::from_str::<serde_json::Value>(json) else { return (None, Vec::new()) };
        let bound = |name: &str, ty: ColumnType| {
            let (low, high) = (stats.get("minValues")?.get(name)?, stats.get("maxValues")?.get(name)?);
            match ty {
                ColumnType::Int => Some(MinMax::Int(low.as_i64()?, high.as_i64()?)),
                ColumnType::Text => Some(MinMax::Text(low.as_str()?.into(), high.as_str()?.into())),
                ColumnType::Time => {
                    let time = |value: &serde_json::Value| Timestamp::parse(value.as_str()?).ok();
                    // Other writers cut the upper end to milliseconds.
                    Some(MinMax::Time(time(low)?.0, time(high)?.0.saturating_add(999)))
                }
                ColumnType::Float => Some(MinMax::Float(low.as_f64()?, high.as_f64()?)),
                ColumnType::Bool => None,
            }
        };
        let bounds = self
            .schema
            .columns
            .iter()
            .filter_map(|column| Some((column.name.clone(), bound(&column.name, column.ty)?)))
            .collect();
        (stats["numRecords"].as_u64(), bounds)
    }
}

/// Whether a row of a piece of the file list is a file of the table. The kernel leaves a tail of trues out.
pub(super) fn is_selected(selected: &[bool], row: usize) -> bool {
    selected.get(row).copied().unwrap_or(true)
}
