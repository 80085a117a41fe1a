//! Compaction: many small files of a table become few large ones.
//!
//! The branch commits often, so that the log stays short; queries and readers want few files, sorted. A
//! compaction reads small files of one partition, writes their rows again and swaps the files in one commit.
//! It holds no lock while it reads and writes, and it is no commit of the branch: ingestion goes on, and a
//! query keeps the files it began with, which only a vacuum removes. If a file it has read is gone by the
//! time it commits, or has lost rows, it commits nothing.

mod join;
mod merge;
mod merged;
mod options;
mod plan;

use std::sync::Arc;

use self::join::join;
use self::merged::Fault;
pub use self::options::CompactOptions;
use self::plan::{Group, groups};
use super::shared::Upkeep;
use crate::error::LakeError;
use crate::table::{Change, DataFile, TableSchema, Uploaded};
use crate::tail::READINGS;
use crate::write::Writer;

/// After so many groups in a row for which the store failed, it is asked whether it answers at all: each of
/// them may have waited for one that is away. If it does, it is those files.
const MOST_FAILURES: usize = 3;

/// What a compaction did to a table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Compacted {
    /// Files that were merged.
    pub files_before: usize,
    /// Files they became.
    pub files_after: usize,
    /// Bytes of the files that were merged.
    pub bytes_before: u64,
    /// Bytes of the files they became.
    pub bytes_after: u64,
    /// Rows in them.
    pub rows: u64,
    /// Exact repetitions of readings that were left out.
    pub duplicates: u64,
}

impl Upkeep {
    /// Merges small files of `table`; see [`Lake::compact`](crate::Lake::compact).
    pub(crate) async fn compact(&self, table: &str, options: CompactOptions) -> Result<Compacted, LakeError> {
        // Two at a time would only fight for memory, and for the same files.
        let _alone = self.alone.lock().await;
        let view = self.table(table)?;
        let mut done = Compacted::default();
        let groups = groups(&view.schema, &view.files, &options, self.writer.clock.now());
        let (total, mut failures, mut in_a_row) = (groups.len(), Failures::default(), 0);
        for group in groups {
            let (writer, schema) = (Arc::clone(&self.writer), Arc::clone(&view.schema));
            let work = move || compact_group(&writer, &schema, &group, options);
            match tokio::task::spawn_blocking(work)
                .await
                .unwrap_or_else(|error| Err(LakeError::cut_off(&error)))
            {
                Ok(part) => {
                    done.add(part.unwrap_or_default());
                    in_a_row = 0;
                }
                Err(error) => {
                    tracing::warn!(table, %error, "a group of files could not be merged");
                    in_a_row = if matches!(error, LakeError::Store { .. }) { in_a_row + 1 } else { 0 };
                    failures.add(error);
                    if in_a_row == MOST_FAILURES {
                        if !self.writer.reader.store.answers(table).await {
                            break;
                        }
                        in_a_row = 0;
                    }
                }
            }
        }
        failures.told(table, total).map_or(Ok(done), Err)
    }
}

impl Compacted {
    fn add(&mut self, part: Self) {
        self.files_before += part.files_before;
        self.files_after += part.files_after;
        self.bytes_before += part.bytes_before;
        self.bytes_after += part.bytes_after;
        self.rows += part.rows;
        self.duplicates += part.duplicates;
    }
}

/// Merges one group; `None` if its files have changed meanwhile, or cannot be merged. Blocks.
fn compact_group(
    writer: &Writer,
    schema: &TableSchema,
    group: &Group,
    options: CompactOptions,
) -> Result<Option<Compacted>, LakeError> {
    let Some(table) = writer.tables.get(&schema.name) else { return Ok(None) };
    let (mut files, mut bytes) = (Vec::new(), Vec::new());
    for file in &group.files {
        match writer.reader.store.find_blocking(&file.location, file.size_bytes)? {
            Some(found) => {
                files.push(Arc::clone(file));
                bytes.push(found);
            }
            None => leave(schema, file, "is missing in the store"),
        }
    }
    let target = usize::try_from(options.target_bytes).unwrap_or(usize::MAX);
    let merged = loop {
        if files.len() < 2 {
            return Ok(None);
        }
        let merged = if schema.name == READINGS {
            merge::merge(schema, &bytes, group.date, target)
        } else {
            join(schema, &bytes, group.date, &files)
        };
        match merged {
            Ok(merged) => break merged,
            Err(Fault { file: Some(place), problem }) => {
                leave(schema, &files.remove(place), &problem);
                bytes.remove(place);
            }
            Err(Fault { file: None, problem }) => return Err(LakeError::table(&schema.name, problem)),
        }
    };
    let mut part = Compacted {
        files_before: files.len(),
        files_after: merged.files.len(),
        bytes_before: files.iter().map(|file| file.size_bytes).sum(),
        bytes_after: merged.files.iter().map(|file| file.bytes.len() as u64).sum(),
        rows: merged.rows,
        duplicates: merged.duplicates,
    };
    let added = Uploaded::new(&writer.reader.store, &schema.name, merged.files)?;
    let mut table = table.lock();
    if !table.replace(&files, &added, Change::Rearranged, writer.clock.now())? {
        part = Compacted::default();
    }
    writer.show_files(&mut table)?;
    Ok((part.files_before > 0).then_some(part))
}

/// The groups that could not be merged.
#[derive(Default)]
struct Failures {
    count: usize,
    first: Option<LakeError>,
}

impl Failures {
    fn add(&mut self, error: LakeError) {
        self.count += 1;
        self.first.get_or_insert(error);
    }

    /// The first failure, and how many of the `total` groups of `table` there were.
    fn told(self, table: &str, total: usize) -> Option<LakeError> {
        match (self.count, self.first?) {
            (1, first) if total == 1 => Some(first),
            (count, first) => Some(LakeError::table(
                table,
                format!("{count} of {total} groups of files could not be merged; the first: {first}"),
            )),
        }
    }
}

/// Says that a file stays as it is, and why.
fn leave(schema: &TableSchema, file: &DataFile, problem: &str) {
    tracing::warn!(table = schema.name, file = %file.location, problem, "this file is not merged with \
        others");
}

#[cfg(test)]
mod tests;
