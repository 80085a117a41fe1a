//! The laws of the intake: each reading once, marks that are true, and nothing remembered that the log did
//! not take.

mod samples;
mod time;

use forewarn_log::MemoryLog;
use forewarn_types::{ManualClock, Quality, ReadingBatch, SeriesId, Timestamp};
use proptest::prelude::*;

use super::*;
use crate::NO_TIME;

mod names;

const NOW: Timestamp = Timestamp(1_800_000_000_000_000);

fn intake_on(log: &Arc<MemoryLog>, duplicate_window: usize) -> Intake {
    let series = Arc::new(RwLock::new(SeriesTable::new(5)));
    let limits = IntakeLimits { duplicate_window, ..IntakeLimits::default() };
    Intake::new(Arc::clone(log) as Arc<dyn Log>, series, Arc::new(ManualClock::new(NOW)), limits)
}

fn memory_log() -> Arc<MemoryLog> {
    Arc::new(MemoryLog::default())
}

/// All readings in the order of the log; each must use a series that was defined before it.
fn readings(log: &MemoryLog) -> Vec<(u32, i64, f64, bool)> {
    let mut defined = 0;
    let mut readings = Vec::new();
    for record in log.records() {
        match &*record {
            Record::Series(defs) => {
                let in_order = defs.iter().zip(defined..).all(|(def, id)| def.id == SeriesId(id));
                assert!(in_order, "definitions out of order: {defs:?}");
                defined += u32::try_from(defs.len()).unwrap();
            }
            Record::Readings(batch) => {
                assert!(batch.len() <= 65_536 && !batch.is_empty());
                let known = batch.series.iter().all(|id| id.0 < defined);
                assert!(known, "a series was used before its definition");
                let rows = batch.rows();
                readings.extend(rows.map(|row| (row.series.0, row.time.0, row.value, row.flags.is_late())));
            }
            Record::Origins(origins) => {
                assert!(origins.iter().all(|origin| origin.series.0 < defined), "{origins:?}");
            }
            other => panic!("not written by the intake: {other:?}"),
        }
    }
    readings
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// One row each: number of the asset, time, value.
fn batch(rows: &[(usize, i64, f64)]) -> RawBatch {
    let mut batch = RawBatch::default();
    for (line, &(asset, time, value)) in (1..).zip(rows) {
        batch.push(&format!("p/{asset}"), "t", time, value, Quality::Good, line);
    }
    batch
}

fn accept(intake: &Intake, rows: &[(usize, i64, f64)]) -> Accepted {
    block_on(intake.accept(batch(rows))).unwrap()
}

#[test]
fn bad_rows_are_named_and_the_good_ones_kept() {
    let log = memory_log();
    let intake = intake_on(&log, 100);
    let mut batch = batch(&[
        (0, 1, 1.0),
        (0, -1, 1.0),
        (0, 2, f64::NAN),
        (0, NOW.0 + 3_600_000_001, 1.0),
        (0, NOW.0, 1.0),
    ]);
    batch.push("p//x", "t", 5, 1.0, Quality::Bad, 6);
    batch.reject(3, "not JSON");
    let accepted = block_on(intake.accept(batch)).unwrap();
    assert_eq!(
        (accepted.accepted, accepted.late, accepted.duplicates, accepted.rejected_total),
        (2, 0, 0, 5)
    );
    let lines: Vec<_> = accepted.rejected.iter().map(|rejected| rejected.line).collect();
    assert_eq!(lines, [2, 3, 3, 4, 6]);
    assert!(accepted.rejected[0].reason.contains("before 1970"), "{accepted:?}");
    assert!(accepted.rejected[3].reason.contains("too far in the future"), "{accepted:?}");
    assert!(accepted.rejected[4].reason.contains("empty level"), "{accepted:?}");
    assert_eq!(readings(&log), [(0, 1, 1.0, false), (0, NOW.0, 1.0, false)]);
    let metrics = intake.metrics();
    assert_eq!(
        (
            metrics.rejected_time,
            metrics.rejected_value,
            metrics.rejected_series,
            metrics.rejected_undecodable
        ),
        (2, 1, 1, 1)
    );
}

#[test]
fn series_beyond_the_limit_are_refused_and_the_others_kept() {
    let log = memory_log();
    let intake = intake_on(&log, 100);
    let rows: Vec<_> = (0..200).map(|asset| (asset, 1, 1.0)).collect();
    let accepted = accept(&intake, &rows);
    assert_eq!((accepted.accepted, accepted.rejected_total, accepted.rejected.len()), (5, 195, MAX_ERRORS));
    assert!(accepted.rejected[0].reason.contains("limit of 5 series"), "{accepted:?}");
    assert_eq!(readings(&log).len(), 5);
}

#[test]
fn readings_without_a_time_get_that_of_arrival_and_stay_apart() {
    let log = memory_log();
    let intake = intake_on(&log, 100);
    let accepted = accept(&intake, &[(0, NO_TIME, 1.0), (0, NO_TIME, 1.0), (1, NO_TIME, 1.0)]);
    assert_eq!((accepted.accepted, accepted.duplicates, accepted.late), (3, 0, 0));
    assert_eq!(readings(&log), [(0, NOW.0, 1.0, false), (0, NOW.0 + 1, 1.0, false), (1, NOW.0, 1.0, false)]);
    accept(&intake, &[(2, NOW.0 + 3_000_000_000, 1.0), (2, NO_TIME, 2.0)]);
    assert_eq!(
        readings(&log).last(),
        Some(&(2, NOW.0, 2.0, false)),
        "a sender's clock that is ahead does not draw arrivals along"
    );
}

#[test]
fn a_refused_batch_leaves_no_trace_and_may_be_sent_again() {
    let rows = [(0, 10, 1.0), (1, 10, 1.0), (0, 11, 2.0)];
    for room in 0..4 {
        let log = memory_log();
        let intake = intake_on(&log, 2);
        accept(&intake, &[(0, 9, 0.0)]);
        let before = block_on(intake.state()).unwrap();
        log.set_room(room);
        let first = block_on(intake.accept(batch(&rows)));
        log.set_room(usize::MAX);
        if room < 2 {
            assert!(first.unwrap_err().is_retryable());
            let after = block_on(intake.state()).unwrap();
            assert_eq!((&after.recent, &after.newest[..1]), (&before.recent, &before.newest[..]));
            let again = accept(&intake, &rows);
            assert_eq!((again.accepted, again.late, again.duplicates), (3, 0, 0), "room for {room}");
        }
        assert_eq!(
            readings(&log),
            [(0, 9, 0.0, false), (0, 10, 1.0, false), (1, 10, 1.0, false), (0, 11, 2.0, false)]
        );
    }
}

#[test]
fn of_a_large_batch_that_is_refused_nothing_is_taken() {
    let log = memory_log();
    let intake = intake_on(&log, 1 << 18);
    let rows: Vec<_> = (0..150_000).map(|time| (0, time, 1.0)).collect();
    log.set_room(3);
    assert!(
        block_on(intake.accept(batch(&rows))).unwrap_err().is_retryable(),
        "a definition and three records"
    );
    assert_eq!(log.records().len(), 0);
    log.set_room(usize::MAX);
    let again = accept(&intake, &rows);
    assert_eq!((again.accepted, again.duplicates, again.late), (150_000, 0, 0));
    assert_eq!(readings(&log).len(), 150_000);
}

#[test]
fn a_large_import_that_is_repeated_is_stored_once() {
    let log = memory_log();
    let intake = intake_on(&log, IntakeLimits::default().duplicate_window);
    let rows: Vec<_> = (0..600_000).map(|time| (0, time, 1.0)).collect();
    let (first, second) = rows.split_at(400_000);
    for expected in [(0, 600_000), (600_000, 0)] {
        let parts = [accept(&intake, first), accept(&intake, second)];
        let sum = |count: fn(&Accepted) -> u64| parts.iter().map(count).sum::<u64>();
        assert_eq!((sum(|part| part.duplicates), sum(|part| part.accepted)), expected);
    }
    assert_eq!(readings(&log).len(), 600_000);
}

#[test]
fn definitions_are_logged_in_pieces() {
    let log = memory_log();
    let series = Arc::new(RwLock::new(SeriesTable::new(10_000)));
    let clock = Arc::new(ManualClock::new(NOW));
    let intake = Intake::new(Arc::clone(&log) as Arc<dyn Log>, series, clock, IntakeLimits::default());
    let rows: Vec<_> = (0..10_000).map(|asset| (asset, 1, 1.0)).collect();
    assert_eq!(accept(&intake, &rows).accepted, 10_000);
    let records = log.records();
    let pieces: Vec<_> = records
        .iter()
        .filter_map(|record| if let Record::Series(defs) = &**record { Some(defs.len()) } else { None })
        .collect();
    assert_eq!(pieces, [4_096, 4_096, 1_808]);
    assert_eq!(readings(&log).len(), 10_000);
}

#[test]
fn a_record_takes_no_more_memory_than_its_readings_need() {
    let log = memory_log();
    let intake = intake_on(&log, 10_000);
    let mut rows: Vec<_> = (0..5_000).map(|time| (0, time, 1.0)).collect();
    accept(&intake, &rows);
    rows.push((0, 5_000, 1.0));
    assert_eq!(accept(&intake, &rows).accepted, 1);
    let records = log.records();
    assert!(
        matches!(&**records.last().unwrap(), Record::Readings(readings) if readings.time.capacity() < 10),
        "{records:?}"
    );
}

#[test]
fn readings_of_a_series_that_the_log_does_not_define_stop_the_start() {
    let intake = intake_on(&memory_log(), 10);
    let def = forewarn_types::SeriesDef { id: SeriesId(0), asset: "a".into(), signal: "b".into() };
    intake.replay(Offset(0), &Record::Series(vec![def])).unwrap();
    let readings = |series| {
        let mut readings = ReadingBatch::default();
        readings.push(SeriesId(series), Timestamp(1), 1.0, forewarn_types::ReadingFlags::default());
        Record::Readings(readings)
    };
    intake.replay(Offset(1), &readings(0)).unwrap();
    let error = intake.replay(Offset(2), &readings(1)).unwrap_err();
    assert!(
        matches!(&error, IngestError::Restore(text) if text.contains("offset 2 has readings of series 1")),
        "{error}"
    );
}

#[test]
fn a_repetition_is_acknowledged_no_sooner_than_what_it_repeats() {
    let log = memory_log();
    log.hold();
    let intake = Arc::new(intake_on(&log, 100));
    block_on(async {
        let first = tokio::spawn({
            let intake = Arc::clone(&intake);
            async move { intake.accept(batch(&[(0, 1, 1.0)])).await }
        });
        let second = tokio::spawn({
            let intake = Arc::clone(&intake);
            async move { intake.accept(batch(&[(0, 1, 1.0)])).await }
        });
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        assert_eq!(log.records().len(), 2, "a definition and one reading");
        assert!(!first.is_finished() && !second.is_finished());
        log.release();
        assert_eq!(first.await.unwrap().unwrap().accepted, 1);
        assert_eq!(second.await.unwrap().unwrap().duplicates, 1);
    });
}

#[test]
fn a_snapshot_waits_for_what_it_remembers_and_stands_behind_it() {
    let log = memory_log();
    let intake = Arc::new(intake_on(&log, 100));
    accept(&intake, &[(0, 1, 1.0)]);
    block_on(async {
        // Another stage writes in between.
        log.submit(Record::Tick(NOW)).unwrap().durable.await.unwrap();
        assert_eq!(intake.state().await.unwrap().next, Offset(2), "a definition and one reading");
        log.hold();
        let accepting = Arc::clone(&intake);
        let second = tokio::spawn(async move { accepting.accept(batch(&[(0, 2, 2.0)])).await });
        tokio::task::yield_now().await;
        let asked = Arc::clone(&intake);
        let state = tokio::spawn(async move { asked.state().await });
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        assert!(!state.is_finished(), "a crash could take the second reading back");
        log.release();
        let state = state.await.unwrap().unwrap();
        assert_eq!((state.next, state.newest.as_slice()), (Offset(4), [2].as_slice()));
        assert_eq!(second.await.unwrap().unwrap().accepted, 1);
    });
}

#[test]
fn a_repetition_is_acknowledged_though_the_first_sender_has_gone() {
    let log = memory_log();
    log.hold();
    let intake = Arc::new(intake_on(&log, 100));
    block_on(async {
        let first = intake.accept(batch(&[(0, 1, 1.0)]));
        assert!(first.now_or_never().is_none(), "it gives up before its readings are durable");
        let repeated = tokio::spawn({
            let intake = Arc::clone(&intake);
            async move { intake.accept(batch(&[(0, 1, 1.0)])).await }
        });
        tokio::task::yield_now().await;
        assert!(!repeated.is_finished());
        log.release();
        assert_eq!(repeated.await.unwrap().unwrap().duplicates, 1);
    });
}

#[test]
fn a_snapshot_of_another_log_is_refused() {
    let intake = intake_on(&memory_log(), 10);
    let error = intake.restore(&IntakeState { next: Offset(3), ..IntakeState::default() }).unwrap_err();
    assert!(error.to_string().contains("stands at offset 3, but the log ends at 0"), "{error}");
    let hole = Record::Series(vec![forewarn_types::SeriesDef {
        id: SeriesId(2),
        asset: "a".into(),
        signal: "b".into(),
    }]);
    assert!(matches!(intake.replay(Offset(0), &hole), Err(IngestError::Restore(_))));
}

fn rows() -> impl Strategy<Value = Vec<(usize, i64, f64)>> {
    prop::collection::vec((0usize..3, 0i64..20, 0u8..3), 0..60).prop_map(|rows| {
        rows.into_iter().map(|(asset, time, value)| (asset, time, f64::from(value))).collect()
    })
}

/// What a reader of the log should find: each reading once, late if its series already had one as new or
/// newer.
fn naive(rows: &[(usize, i64, f64)]) -> Vec<(usize, i64, f64, bool)> {
    let mut found: Vec<(usize, i64, f64, bool)> = Vec::new();
    for &(asset, time, value) in rows {
        if !found.iter().any(|&(a, t, v, _)| (a, t, v) == (asset, time, value)) {
            let late = found.iter().any(|&(a, t, ..)| a == asset && t >= time);
            found.push((asset, time, value, late));
        }
    }
    found
}

fn named(intake: &Intake, readings: &[(u32, i64, f64, bool)]) -> Vec<(usize, i64, f64, bool)> {
    let table = intake.series.read();
    let asset = |id: u32| table.def(SeriesId(id)).unwrap().asset.strip_prefix("p/").unwrap().parse().unwrap();
    readings.iter().map(|&(id, time, value, late)| (asset(id), time, value, late)).collect()
}

proptest! {
    #[test]
    fn any_split_and_redelivery_gives_each_reading_once_with_true_marks(
        rows in rows(),
        cuts in prop::collection::vec((1usize..20, any::<bool>()), 1..30),
    ) {
        let log = memory_log();
        let intake = intake_on(&log, 1_000);
        let mut rest = rows.as_slice();
        let mut total = Accepted::default();
        for &(length, repeat) in cuts.iter().cycle() {
            if rest.is_empty() { break; }
            let (part, after) = rest.split_at(length.min(rest.len()));
            for _ in 0..=usize::from(repeat) {
                let accepted = accept(&intake, part);
                prop_assert_eq!(accepted.accepted + accepted.duplicates, part.len() as u64);
                total.accepted += accepted.accepted;
                total.late += accepted.late;
            }
            rest = after;
        }
        let expected = naive(&rows);
        prop_assert_eq!(total.accepted, expected.len() as u64);
        prop_assert_eq!(total.late, expected.iter().filter(|reading| reading.3).count() as u64);
        prop_assert_eq!(named(&intake, &readings(&log)), expected);
    }

    #[test]
    fn a_restart_from_any_snapshot_equals_a_continuous_run(
        parts in prop::collection::vec(rows(), 1..8),
        snapshot_after in 0usize..8,
        window in 1usize..50,
    ) {
        let log = memory_log();
        let intake = intake_on(&log, window);
        let mut snapshot = None;
        for (index, part) in parts.iter().enumerate() {
            if index == snapshot_after {
                snapshot = Some(serde_json::to_vec(&block_on(intake.state()).unwrap()).unwrap());
            }
            accept(&intake, part);
        }
        let restarted = intake_on(&log, window);
        if let Some(snapshot) = &snapshot {
            restarted.restore(&serde_json::from_slice(snapshot).unwrap()).unwrap();
        }
        for (offset, record) in log.read(Offset(0), usize::MAX, usize::MAX).unwrap() {
            restarted.replay(offset, &record).unwrap();
        }
        prop_assert_eq!(block_on(restarted.state()).unwrap(), block_on(intake.state()).unwrap());
        prop_assert_eq!(accept(&restarted, &[(4, 1, 1.0)]).accepted, 1);
        let last = readings(&log).last().map(|reading| reading.1);
        prop_assert_eq!(last, Some(1), "definitions stay in order after a restart");
    }
}

#[test]
fn readings_arrive_by_the_injected_clock() {
    let log = memory_log();
    accept(&intake_on(&log, 10), &[(0, 1, 1.0)]);
    let records = log.records();
    assert!(matches!(&*records[1], Record::Readings(ReadingBatch { arrived: NOW, .. })), "{:?}", records[1]);
}

#[test]
fn what_is_held_since_long_counts_as_duplicate() {
    let log = memory_log();
    let intake = intake_on(&log, 2);
    let history: Vec<_> =
        (0..6_i32).map(|row| (usize::from(row % 2 == 1), i64::from(10 + row), f64::from(row))).collect();
    accept(&intake, &history);
    // The intake remembers the last two; those that are not newer than their series may be stored.
    let again = batch(&[&history[..], &[(0, 5, 1.0), (0, 20, 1.0), (3, 5, 1.0)]].concat());
    let unsure = intake.unsure(&again);
    assert_eq!(unsure, Unsure { series: vec![SeriesId(0), SeriesId(1)], times: vec![5, 10, 11, 12, 13] });
    let mut held = Held::default();
    for &(series, time, value) in &history {
        held.add(SeriesId(u32::try_from(series).unwrap()), time, value);
    }
    let taken = block_on(intake.take_beside(&again, &held)).unwrap();
    assert_eq!((taken.accepted, taken.duplicates, taken.late), (3, 6, 1));
    assert_eq!(readings(&log).len(), 9);
}
