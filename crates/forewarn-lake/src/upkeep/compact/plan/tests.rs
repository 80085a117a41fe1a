//! Files of a growing day wait for others of their size; a day that is over is merged whole.

use object_store::path::Path;

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
    let now = Timestamp::parse(if over { "2026-01-03T00:00:00Z" } else { "2026-01-02T23:00:00Z" }).unwrap();
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
