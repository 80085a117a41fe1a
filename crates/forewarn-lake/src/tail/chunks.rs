//! The records that are not in the files yet, in the order of the log.
//!
//! The tail is the records themselves, shared with what else reads the log; nothing is copied until a commit
//! or a query wants columns, and names stay numbers until then.

use std::sync::Arc;

use forewarn_types::{Offset, Record};

use super::chunk::Chunk;
use super::rows::{bytes_of, rows_of};

/// A chunk is copied when it grows while a query holds it, so it is kept small.
const CHUNK_RECORDS: usize = 256;

/// The records that are not in the files of every table yet.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tail {
    pub(crate) chunks: Vec<Arc<Chunk>>,
    /// It holds every record before this offset that is not in the files.
    pub(crate) applied: Offset,
    /// How many rows it has.
    pub(crate) rows: usize,
    /// About how many bytes they take.
    pub(crate) bytes: u64,
}

impl Tail {
    /// A tail without records behind files that hold everything before `applied`.
    pub(crate) fn at(applied: Offset) -> Self {
        Self { applied, ..Self::default() }
    }

    /// Takes in records that follow `applied`. Those that have no row anywhere only move it on.
    pub(crate) fn apply(&mut self, records: Vec<(Offset, Arc<Record>)>) {
        for (offset, record) in records {
            self.applied = offset.next();
            let rows = rows_of(&record);
            if rows == 0 {
                continue;
            }
            self.rows += rows;
            self.bytes += bytes_of(&record);
            match self.chunks.last_mut() {
                Some(chunk) if chunk.len() < CHUNK_RECORDS => Arc::make_mut(chunk).push((offset, record)),
                _ => self.chunks.push(Arc::new(vec![(offset, record)])),
            }
        }
    }

    /// Drops the records before `end`, which every table has in its files by now.
    pub(crate) fn trim(&mut self, end: Offset) {
        self.chunks.retain_mut(|chunk| {
            if chunk.last().is_none_or(|(offset, _)| *offset < end) {
                return false;
            }
            if chunk.first().is_some_and(|(offset, _)| *offset < end) {
                Arc::make_mut(chunk).retain(|(offset, _)| *offset >= end);
            }
            true
        });
        let records = || self.chunks.iter().flat_map(|chunk| chunk.iter()).map(|(_, record)| record);
        self.rows = records().map(|record| rows_of(record)).sum();
        self.bytes = records().map(|record| bytes_of(record)).sum();
    }

    /// The record at a place: a chunk, and a record in it.
    pub(crate) fn record_at(&self, (chunk, record): (usize, usize)) -> Option<&(Offset, Arc<Record>)> {
        self.chunks.get(chunk)?.get(record)
    }

    /// The place behind another. No chunk is empty.
    pub(crate) fn after(&self, (chunk, record): (usize, usize)) -> (usize, usize) {
        let more = self.chunks.get(chunk).is_some_and(|chunk| record + 1 < chunk.len());
        if more { (chunk, record + 1) } else { (chunk + 1, 0) }
    }

    /// The records from `from` on.
    pub(crate) fn records_from(&self, from: Offset) -> impl Iterator<Item = (Offset, &Record)> {
        let records =
            self.chunks.iter().flat_map(|chunk| chunk.iter()).filter(move |(offset, _)| *offset >= from);
        records.map(|(offset, record)| (*offset, &**record))
    }
}
