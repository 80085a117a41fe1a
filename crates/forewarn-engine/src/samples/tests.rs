//! The order in which samples are judged.

use forewarn_types::{ReadingFlags, SeriesId, Timestamp};
use proptest::prelude::*;

use super::*;
use crate::dictionary::Place;

/// Two assets with three series each.
fn names() -> Dictionary {
    let mut names = Dictionary::default();
    for series in 0..6u32 {
        let asset = names.intern_asset(&format!("a{}", series / 3).as_str().into());
        names.push_series(Place { shard: 0, slot: series }, asset);
    }
    names
}

fn arranged(rows: &[(u32, i64)]) -> Vec<(u32, i64, u32)> {
    let mut batch = ReadingBatch::default();
    for (series, time) in rows {
        batch.push(SeriesId(*series), Timestamp(*time), 0.0, ReadingFlags::default());
    }
    let mut samples = Samples::default();
    samples.arrange(&batch, &names());
    (0..rows.len())
        .map(|at| {
            let (series, time) = rows[samples.row(at)];
            (series, time, samples.number(at))
        })
        .collect()
}

fn order(rows: &[(u32, i64)]) -> Vec<(u32, i64)> {
    arranged(rows).into_iter().map(|(series, time, _)| (series, time)).collect()
}

#[test]
fn samples_that_stand_in_one_piece_are_judged_as_they_arrived() {
    let rows = [(0, 5), (1, 5), (3, 5), (0, 6), (1, 6), (3, 2)];
    assert_eq!(order(&rows)[..3], [(0, 5), (1, 5), (0, 6)], "sorted by asset, each in its order");
    let older = [(0, 5), (1, 5), (2, 3), (0, 6)];
    assert_eq!(order(&older), older, "an older sample of other series keeps its place");
}

#[test]
fn samples_that_are_mixed_are_put_together_and_follow_in_order_of_time() {
    let by_column = [(0, 1), (0, 2), (0, 3), (1, 1), (1, 2), (1, 3)];
    assert_eq!(order(&by_column), [(0, 1), (1, 1), (0, 2), (1, 2), (0, 3), (1, 3)]);
    // The reading of series 1 at 50 comes before its one at 100, whichever sample begins first.
    assert_eq!(order(&[(0, 100), (1, 50), (1, 100)]), [(1, 50), (0, 100), (1, 100)]);
    assert_eq!(order(&[(1, 50), (1, 100), (0, 50)]), [(1, 50), (0, 50), (1, 100)]);
}

proptest! {
    /// Whatever stands in a record: samples are whole, their numbers rise for each asset, and a series'
    /// readings that arrived in order of time are judged in it.
    #[test]
    fn samples_are_whole_and_series_in_order(steps in prop::collection::vec((0..6u32, 0..3i64), 0..40)) {
        let mut newest = [0i64; 6];
        let rows: Vec<(u32, i64)> = steps
            .into_iter()
            .map(|(series, step)| {
                newest[series as usize] += step + 1;
                (series, newest[series as usize])
            })
            .collect();
        let judged = arranged(&rows);
        let mut sorted: Vec<(u32, i64)> = judged.iter().map(|(series, time, _)| (*series, *time)).collect();
        for series in 0..6 {
            let times: Vec<i64> = sorted.iter().filter(|row| row.0 == series).map(|row| row.1).collect();
            prop_assert!(times.is_sorted(), "{series}: {times:?}");
        }
        for asset in 0..2 {
            let of_asset: Vec<_> = judged.iter().filter(|row| row.0 / 3 == asset).collect();
            let samples = of_asset.chunk_by(|one, other| one.1 == other.1);
            let numbers: Vec<u32> = samples.clone().map(|sample| sample[0].2).collect();
            let times: std::collections::BTreeSet<i64> = of_asset.iter().map(|row| row.1).collect();
            prop_assert_eq!(samples.count(), times.len(), "each sample is in one piece");
            prop_assert!(numbers.is_sorted_by(|one, other| one < other), "{:?}", numbers);
        }
        sorted.sort_unstable();
        let mut all = rows;
        all.sort_unstable();
        prop_assert_eq!(sorted, all);
    }
}
