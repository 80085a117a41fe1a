//! Which files of a table are worth being merged.

use std::collections::BTreeMap;
use std::sync::Arc;

use forewarn_types::Timestamp;

use super::options::CompactOptions;
use crate::table::{DAY_US, DataFile, TableSchema};

/// The most bytes of files that are merged at a time.
const MOST_BYTES: u64 = 512 << 20;

/// Files of one partition that become one file or few.
#[derive(Debug)]
pub(super) struct Group {
    /// The partition, days since 1970, in a table partitioned by date.
    pub(super) date: Option<i32>,
    pub(super) files: Vec<Arc<DataFile>>,
}

/// The groups to be merged as of `now`. Files of at least half the target stay as they are, and so do those
/// in which another program has deleted rows. Of a partition that still grows, files are merged once there
/// are enough of about the same size, so that no row is written again and again; one whose day is over is
/// merged whole.
pub(super) fn groups(
    table: &TableSchema,
    files: &[Arc<DataFile>],
    options: &CompactOptions,
    now: Timestamp,
) -> Vec<Group> {
    let mut partitions: BTreeMap<Option<i32>, Vec<Arc<DataFile>>> = BTreeMap::new();
    for file in
        files.iter().filter(|file| file.size_bytes < options.target_bytes / 2 && file.deleted.is_none())
    {
        let date = file.date();
        // A file whose partition cannot be told is another program's; it stays.
        if table.by_date == date.is_some() {
            partitions.entry(date).or_default().push(Arc::clone(file));
        }
    }
    let today = now.0.div_euclid(DAY_US);
    let mut groups = Vec::new();
    for (date, mut files) in partitions {
        let over = date.is_some_and(|date| i64::from(date) < today);
        files.sort_by(|a, b| (a.size_bytes, &a.location).cmp(&(b.size_bytes, &b.location)));
        let least = if over { 2 } else { options.min_files.max(2) };
        let worth = if over { files.len() } else { alike(&files, least) };
        let mut rest = &files[..worth];
        while rest.len() >= least {
            let (group, after) = rest.split_at(fitting(rest, options));
            if group.len() >= 2 {
                groups.push(Group { date, files: group.to_vec() });
            }
            rest = after;
        }
    }
    groups
}

/// How many of `files`, which ascend in size, are of about the same size: each at most as large as all before
/// it together.
fn alike(files: &[Arc<DataFile>], least: usize) -> usize {
    let mut sum = 0;
    let alike = |(index, file): &(usize, &Arc<DataFile>)| {
        let fits = *index < least || file.size_bytes <= sum;
        sum += file.size_bytes;
        fits
    };
    files.iter().enumerate().take_while(alike).count()
}

/// How many of `files`, from the front, make one file: at least one. All of them are in memory while they are
/// merged.
fn fitting(files: &[Arc<DataFile>], options: &CompactOptions) -> usize {
    let mut sum = 0;
    let fits = |file: &&Arc<DataFile>| {
        sum += file.size_bytes;
        sum <= options.target_bytes.min(MOST_BYTES)
    };
    files.iter().take(options.max_files.max(2)).take_while(fits).count().max(1)
}

#[cfg(test)]
mod tests;
