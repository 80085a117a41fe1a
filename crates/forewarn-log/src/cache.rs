//! The newest records in memory, so that readers at the log's head neither touch the disk nor decode.

use std::collections::VecDeque;
use std::sync::Arc;

use forewarn_types::{Offset, Record};

/// What a record takes in memory beside its columns: the vectors' heads, reference counts, the allocator's
/// share.
const RECORD_BYTES: usize = 512;

/// The newest records without holes, bounded by the memory they take.
#[derive(Debug)]
pub(crate) struct Cache {
    /// The offset of the first record held.
    first: Offset,
    /// With the bytes of their encodings.
    records: VecDeque<(Arc<Record>, usize)>,
    /// About what the records take in memory.
    bytes: usize,
    max_bytes: usize,
}

impl Cache {
    /// An empty cache; the first record pushed is that at `next`.
    pub(crate) const fn new(next: Offset, max_bytes: usize) -> Self {
        Self { first: next, records: VecDeque::new(), bytes: 0, max_bytes }
    }

    /// Adds the record behind the newest, of `bytes` when encoded. The oldest ones, which no longer fit, go
    /// to `dropped`: to free them takes time that nobody should have to wait for.
    pub(crate) fn push(&mut self, record: Arc<Record>, bytes: usize, dropped: &mut Vec<Arc<Record>>) {
        self.bytes += bytes + RECORD_BYTES;
        self.records.push_back((record, bytes));
        while self.bytes > self.max_bytes {
            let Some((record, bytes)) = self.records.pop_front() else { break };
            self.bytes -= bytes + RECORD_BYTES;
            dropped.push(record);
            self.first = self.first.next();
        }
    }

    /// The records from `from` up to `end`, bounded like [`crate::Log::read`]; `None` if the first of them is
    /// not here.
    pub(crate) fn read(
        &self,
        from: Offset,
        end: Offset,
        max_records: usize,
        max_bytes: usize,
    ) -> Option<Vec<(Offset, Arc<Record>)>> {
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

#[cfg(test)]
mod tests {
    use forewarn_types::Timestamp;

    use super::*;

    #[test]
    fn small_records_count_with_what_they_take_in_memory() {
        let mut cache = Cache::new(Offset(0), 64 << 10);
        for number in 0..10_000 {
            cache.push(Arc::new(Record::Tick(Timestamp(number))), 10, &mut Vec::new());
        }
        let held = cache.records.len();
        assert!((100..=128).contains(&held), "{held} records of about half a kilobyte in 64 KiB");
        assert_eq!(cache.read(Offset(9_999), Offset(10_000), 10, 10).map(|found| found.len()), Some(1));
    }
}
