//! What a query sees: for each table the files of one snapshot, which ends at an offset, and the log's tail
//! from there on.
//!
//! A view is taken under a lock and then never changes: files are immutable and the tail's chunks are shared.
//! A commit swaps a table's files and its offset in one step, so a row is always in exactly one of the two
//! places.

use std::collections::BTreeMap;
use std::sync::Arc;

use forewarn_types::{Offset, Record};

use crate::records::{bytes_of, rows_of};
use crate::schema::TableSchema;
use crate::table::FileList;
use crate::tail::Chunk;

/// A chunk is copied when it grows while a query holds it, so it is kept small.
const CHUNK_RECORDS: usize = 256;

/// One table of a view.
#[derive(Debug, Clone)]
pub(crate) struct TableView {
    pub(crate) schema: Arc<TableSchema>,
    pub(crate) files: FileList,
    /// Records from here on are not in the files. Tables that jobs write have no tail.
    pub(crate) committed: Option<Offset>,
}

/// Lake and tail at one moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct View {
    pub(crate) tables: BTreeMap<String, TableView>,
    pub(crate) tail: Vec<Arc<Chunk>>,
    /// The tail holds every record before this offset that is not in the files.
    pub(crate) applied: Offset,
    /// Rows in the tail.
    pub(crate) tail_rows: usize,
    /// About how many bytes they take.
    pub(crate) tail_bytes: u64,
}

impl View {
    /// Takes in records that follow `applied`. Those that have no row anywhere only move it on.
    pub(crate) fn apply(&mut self, records: Vec<(Offset, Arc<Record>)>) {
        for (offset, record) in records {
            self.applied = offset.next();
            let rows = rows_of(&record);
            if rows == 0 {
                continue;
            }
            self.tail_rows += rows;
            self.tail_bytes += bytes_of(&record);
            match self.tail.last_mut() {
                Some(chunk) if chunk.len() < CHUNK_RECORDS => Arc::make_mut(chunk).push((offset, record)),
                _ => self.tail.push(Arc::new(vec![(offset, record)])),
            }
        }
    }

    /// Drops the records before `end`, which every table has in its files by now.
    pub(crate) fn trim(&mut self, end: Offset) {
        self.tail.retain_mut(|chunk| {
            if chunk.last().is_none_or(|(offset, _)| *offset < end) {
                return false;
            }
            if chunk.first().is_some_and(|(offset, _)| *offset < end) {
                Arc::make_mut(chunk).retain(|(offset, _)| *offset >= end);
            }
            true
        });
        let records = || self.tail.iter().flat_map(|chunk| chunk.iter()).map(|(_, record)| record);
        self.tail_rows = records().map(|record| rows_of(record)).sum();
        self.tail_bytes = records().map(|record| bytes_of(record)).sum();
        for table in self.tables.values_mut() {
            table.committed = table.committed.map(|offset| offset.max(end));
        }
    }

    /// The tail's records from `from` on.
    pub(crate) fn records_from(&self, from: Offset) -> impl Iterator<Item = (Offset, &Record)> {
        let records =
            self.tail.iter().flat_map(|chunk| chunk.iter()).filter(move |(offset, _)| *offset >= from);
        records.map(|(offset, record)| (*offset, &**record))
    }
}
