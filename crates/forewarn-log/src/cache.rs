//! The newest records in memory, so that readers at the log's head neither touch the disk nor decode.

use std::collections::VecDeque;
use std::sync::Arc;

use forewarn_types::{Offset, Record};

/// The newest records without holes, bounded by the bytes of their encodings.
#[derive(Debug)]
pub(crate) struct Cache {
    /// The offset of the first record held.
    first: Offset,
    records: VecDeque<(Arc<Record>, usize)>,
    bytes: usize,
    max_bytes: usize,
}

impl Cache {
    /// An empty cache; the first record pushed is that at `next`.
    pub(crate) const fn new(next: Offset, max_bytes: usize) -> Self {
        Self { first: next, records: VecDeque::new(), bytes: 0, max_bytes }
    }

    /// Adds the record behind the newest and drops the oldest ones that no longer fit.
    pub(crate) fn push(&mut self, record: Arc<Record>, bytes: usize) {
        self.bytes += bytes;
        self.records.push_back((record, bytes));
        while self.bytes > self.max_bytes {
            let Some((_, dropped)) = self.records.pop_front() else { break };
            self.bytes -= dropped;
            self.first = self.first.next();
        }
    }

    /// The records from `from` up to `end`, bounded like [`crate::Log::read`]; `None` if the first of them is not here.
    pub(crate) fn read(&self, from: Offset, end: Offset, max_records: usize, max_bytes: usize) -> Option<Vec<(Offset, Arc<Record>)>> {
        let skip = usize::try_from(from.0.checked_sub(self.first.0)?).ok()?;
        if skip >= self.records.len() {
            return None;
        }
        let mut found = Vec::new();
        let mut offset = from;
        let mut bytes = 0;
        for (record, size) in self.records.range(skip..) {
            if offset >= end || found.len() >= max_records.max(1) || bytes >= max_bytes && !found.is_empty() {
                break;
            }
            found.push((offset, Arc::clone(record)));
            bytes += size;
            offset = offset.next();
        }
        Some(found)
    }
}
