//! Which files of a table are worth being merged.

use std::collections::BTreeMap;
use std::sync::Arc;

use forewarn_types::Timestamp;
use object_store::path::Path;

use super::CompactOptions;
use crate::schema::{DATE, TableSchema};
use crate::table::DataFile;

const DAY_US: i64 = 86_400_000_000;
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
        let date = date_of(&file.location);
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

/// The day in a path such as `…/date=2026-01-31/part-….parquet`, days since 1970.
fn date_of(location: &Path) -> Option<i32> {
    let part = location
        .parts()
        .find_map(|part| part.as_ref().strip_prefix(DATE)?.strip_prefix('=').map(str::to_owned))?;
    let midnight = Timestamp::parse(&format!("{part}T00:00:00Z")).ok()?;
    i32::try_from(midnight.0.div_euclid(DAY_US)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(date: &str, number: usize, size_bytes: u64) -> Arc<DataFile> {
        let location = Path::from(format!("lake/readings/date={date}/part-{number}.parquet"));
        Arc::new(DataFile { location, size_bytes, rows: None, bounds: Vec::new(), deleted: None })
    }

    fn check(sizes: &[u64], over: bool, expected: &[&[u64]]) {
        let table = TableSchema::new("readings", &[], true);
        let options = CompactOptions { target_bytes: 1_000, min_files: 4, max_files: 6 };
        let files: Vec<_> =
            sizes.iter().enumerate().map(|(number, size)| file("2026-01-02", number, *size)).collect();
        let now =
            Timestamp::parse(if over { "2026-01-03T00:00:00Z" } else { "2026-01-02T23:00:00Z" }).unwrap();
        let groups = groups(&table, &files, &options, now);
        let found: Vec<Vec<u64>> =
            groups.iter().map(|group| group.files.iter().map(|file| file.size_bytes).collect()).collect();
        assert_eq!(found, expected, "{sizes:?}");
        assert!(groups.iter().all(|group| group.date == Some(20_455)));
    }

    #[test]
    fn few_files_of_a_growing_day_wait_for_more() {
        check(&[10, 10, 10], false, &[]);
        check(&[10, 10, 10, 10], false, &[&[10, 10, 10, 10]]);
        check(&[400, 10, 10, 10, 10], false, &[&[10, 10, 10, 10]]);
        check(&[45, 40, 10, 10, 10, 10], false, &[&[10, 10, 10, 10, 40, 45]]);
    }

    #[test]
    fn a_day_that_is_over_is_merged_whole_up_to_the_target() {
        check(&[10], true, &[]);
        check(&[400, 10], true, &[&[10, 400]]);
        check(&[400, 400, 400], true, &[&[400, 400]]);
        check(&[500, 700, 10], true, &[]);
        check(&[1, 1, 1, 1, 1, 1, 1, 1], true, &[&[1, 1, 1, 1, 1, 1], &[1, 1]]);
    }
}
