//! Samples: what belongs together stays together.

use super::*;

/// What the log holds, record by record, of rows of (asset, signal, time, line): the number of the series and
/// its time.
fn stored(rows: &[(u32, &str, i64, u32)]) -> Vec<Vec<(u32, i64)>> {
    let log = memory_log();
    let series = Arc::new(RwLock::new(SeriesTable::new(400_000)));
    let limits = IntakeLimits { duplicate_window: 0, ..IntakeLimits::default() };
    let clock = Arc::new(ManualClock::new(NOW));
    let intake = Intake::new(Arc::clone(&log) as Arc<dyn Log>, series, clock, limits);
    let mut batch = RawBatch::default();
    for (asset, signal, time, line) in rows {
        batch.push(&format!("p/{asset}"), signal, *time, 1.0, Quality::Good, *line);
    }
    block_on(intake.accept(batch)).unwrap();
    let records = log.records();
    let batches = records.iter().filter_map(|record| match &**record {
        Record::Readings(batch) => Some(batch.rows().map(|row| (row.series.0, row.time.0)).collect()),
        _ => None,
    });
    batches.collect()
}

#[test]
fn no_sample_is_cut_in_two() {
    let second = |number: u32| NOW.0 - 1_000_000_000_000 + i64::from(number) * 1_000_000;
    // 100,001 samples of two values: one after the other, signal by signal, and all of one time.
    let in_turn = (0..100_001).flat_map(|n| [(0, "x", second(n), n), (0, "y", second(n), n)]);
    let by_signal =
        ["x", "y"].into_iter().flat_map(|signal| (0..100_001).map(move |n| (0, signal, second(n), n)));
    let at_once =
        ["x", "y"].into_iter().flat_map(|signal| (0..100_001).map(move |n| (n, signal, second(0), n)));
    for (name, rows) in [
        ("in turn", in_turn.collect::<Vec<_>>()),
        ("by signal", by_signal.collect()),
        ("at once", at_once.collect()),
    ] {
        let records = stored(&rows);
        assert_eq!(records.iter().map(Vec::len).sum::<usize>(), 200_002, "{name}");
        assert!(records.iter().all(|record| record.len() <= 65_536), "{name}");
        for record in &records {
            // Whole samples of two values each.
            assert_eq!(record.len() % 2, 0, "{name}");
            let pairs = record.chunks(2).all(|pair| pair[0].1 == pair[1].1 && pair[0].0 != pair[1].0);
            assert!(pairs, "{name}");
        }
    }
}

#[test]
fn values_of_one_line_without_a_time_are_one_sample() {
    let rows = [
        (0, "x", NO_TIME, 1),
        (0, "x", NO_TIME, 2),
        (0, "y", NO_TIME, 2),
        (0, "y", NO_TIME, 3),
        (0, "x", NO_TIME, 3),
        (0, "x", NO_TIME, 4),
    ];
    let now = NOW.0;
    let expected = [(0, now), (0, now + 1), (1, now + 1), (1, now + 2), (0, now + 2), (0, now + 3)];
    assert_eq!(stored(&rows), [expected]);
    // Also where all have one number of a line, as the values of messages may.
    let rows: Vec<_> = rows.iter().map(|row| (row.0, row.1, row.2, 1)).collect();
    let times = stored(&rows).concat();
    for series in [0, 1] {
        let of_series: Vec<i64> = times.iter().filter(|row| row.0 == series).map(|row| row.1).collect();
        assert!(of_series.is_sorted_by(|one, next| one < next), "{of_series:?}");
    }
}
