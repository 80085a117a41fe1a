//! Readings of the tail as columns: all of them for a commit, or those that a query wants.

use std::sync::Arc;

use arrow::array::{ArrayRef, DictionaryArray, Int32Array, StringArray};
use arrow::datatypes::Int32Type;
use arrow::error::ArrowError;
use forewarn_types::{Offset, ReadingBatch, ReadingFlags, Record, SeriesDef, SeriesId, SeriesTable};
use parking_lot::RwLock;

use super::chunk::Chunk;
use crate::error::LakeError;

/// Readings side by side, in the order of the log.
#[derive(Debug, Default)]
pub(crate) struct Columns {
    pub(crate) series: Vec<SeriesId>,
    pub(crate) time: Vec<i64>,
    pub(crate) value: Vec<f64>,
    pub(crate) flags: Vec<ReadingFlags>,
    pub(crate) arrived: Vec<i64>,
    pub(crate) offset: Vec<i64>,
}

impl Columns {
    /// All readings of `chunks` from `from` on.
    pub(crate) fn all(chunks: &[Arc<Chunk>], from: Offset) -> Self {
        let mut columns = Self::default();
        for (offset, batch) in batches(chunks, from) {
            // Whole columns are copied at once: this path takes every row the lake ever gets.
            columns.series.extend_from_slice(&batch.series);
            columns.time.extend_from_slice(&batch.time);
            columns.value.extend_from_slice(&batch.value);
            columns.flags.extend_from_slice(&batch.flags);
            columns.arrived.resize(columns.time.len(), batch.arrived.0);
            columns.offset.resize(columns.time.len(), number(offset));
        }
        columns
    }

    /// The readings of `chunks` from `from` on that `wanted` lets pass.
    pub(crate) fn collect(
        chunks: &[Arc<Chunk>],
        from: Offset,
        wanted: impl Fn(SeriesId, i64) -> bool,
    ) -> Self {
        let mut columns = Self::default();
        for (offset, batch) in batches(chunks, from) {
            columns.extend(offset, batch, &wanted);
        }
        columns
    }

    /// Adds the readings of `batch`, the record at `offset`, that `wanted` lets pass.
    pub(crate) fn extend(
        &mut self,
        offset: Offset,
        batch: &ReadingBatch,
        wanted: impl Fn(SeriesId, i64) -> bool,
    ) {
        for row in 0..batch.len() {
            let (series, time) = (batch.series[row], batch.time[row]);
            if wanted(series, time) {
                self.series.push(series);
                self.time.push(time);
                self.value.push(batch.value[row]);
                self.flags.push(batch.flags[row]);
                self.arrived.push(batch.arrived.0);
                self.offset.push(number(offset));
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.time.len()
    }
}

/// An offset as the column `offset` holds it.
fn number(offset: Offset) -> i64 {
    i64::try_from(offset.0).unwrap_or(i64::MAX)
}

fn batches(chunks: &[Arc<Chunk>], from: Offset) -> impl Iterator<Item = (Offset, &ReadingBatch)> {
    let records = chunks.iter().flat_map(|chunk| chunk.iter()).filter(move |(offset, _)| *offset >= from);
    records.filter_map(|(offset, record)| match &**record {
        Record::Readings(batch) => Some((*offset, batch)),
        _ => None,
    })
}

/// The series that occur in `columns`, in the order of their ids. The table of series is locked only while
/// they are picked, not while rows are sorted and encoded: the intake waits for it whenever it meets a new
/// series.
pub(crate) fn series_of(columns: &Columns, table: &RwLock<SeriesTable>) -> Result<Vec<SeriesDef>, LakeError> {
    let mut present = Vec::new();
    for id in &columns.series {
        if id.index() >= present.len() {
            present.resize(id.index() + 1, false);
        }
        present[id.index()] = true;
    }
    let ids = (0..).zip(present).filter(|(_, present)| *present).map(|(id, _)| SeriesId(id));
    let table = table.read();
    ids.map(|id| table.def(id).cloned().ok_or_else(|| unknown_series(id))).collect()
}

/// Dense numbers for the distinct names of some series: `key_of_series[id]` points into `names`.
pub(crate) struct Names {
    pub(crate) names: Vec<Arc<str>>,
    pub(crate) key_of_series: Vec<i32>,
}

impl Names {
    /// The assets (or the signals) of `series`, numbered in the order of their names.
    pub(crate) fn collect(series: &[SeriesDef], name_of: impl Fn(&SeriesDef) -> &Arc<str>) -> Self {
        let mut names: Vec<Arc<str>> = series.iter().map(|def| Arc::clone(name_of(def))).collect();
        names.sort_unstable();
        names.dedup();
        let mut key_of_series = vec![0; series.last().map_or(0, |def| def.id.index() + 1)];
        for def in series {
            let key = names.binary_search(name_of(def)).unwrap_or(0);
            key_of_series[def.id.index()] = i32::try_from(key).unwrap_or(i32::MAX);
        }
        Self { names, key_of_series }
    }

    /// The names of the series `keys`, one a row.
    pub(crate) fn dictionary(&self, keys: impl Iterator<Item = SeriesId>) -> Result<ArrayRef, ArrowError> {
        let keys: Int32Array = keys.map(|id| Some(self.key_of_series[id.index()])).collect();
        let values = StringArray::from_iter_values(self.names.iter());
        Ok(Arc::new(DictionaryArray::<Int32Type>::try_new(keys, Arc::new(values))?))
    }
}

fn unknown_series(id: SeriesId) -> LakeError {
    LakeError::Mismatch(format!(
        "a reading is of series {}, which the table of series does not know; records are missing",
        id.0
    ))
}
