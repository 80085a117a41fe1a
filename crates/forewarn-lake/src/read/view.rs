//! What a query sees: for each table the files of one snapshot, which ends at an offset, and the log's tail
//! from there on.
//!
//! A view is taken under a lock and then never changes: files are immutable and the tail's chunks are shared.
//! A commit swaps a table's files and its offset in one step, so a row is always in exactly one of the two
//! places.

use std::collections::BTreeMap;
use std::sync::Arc;

use forewarn_types::Offset;

use crate::table::{FileList, TableSchema};
use crate::tail::Tail;

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
    pub(crate) tail: Tail,
}

impl View {
    /// Drops the records before `end` from the tail, as every table has them in its files by now.
    pub(crate) fn trim(&mut self, end: Offset) {
        self.tail.trim(end);
        for table in self.tables.values_mut() {
            table.committed = table.committed.map(|offset| offset.max(end));
        }
    }

    /// The names of the tables of the log's records, or of those that jobs write.
    pub(crate) fn names(&self, of_log: bool) -> Vec<String> {
        self.tables
            .iter()
            .filter(|(_, table)| table.committed.is_some() == of_log)
            .map(|(name, _)| name.clone())
            .collect()
    }
}
