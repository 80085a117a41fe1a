//! Times ahead of now, and clocks that are set.

use forewarn_types::Clock;

use super::*;

/// An intake whose clock a test moves, and its log.
fn with_clock() -> (Intake, Arc<ManualClock>, Arc<MemoryLog>) {
    let (log, clock) = (memory_log(), Arc::new(ManualClock::new(NOW)));
    let series = Arc::new(RwLock::new(SeriesTable::new(5)));
    let limits = IntakeLimits { max_future_us: 86_400_000_000, ..IntakeLimits::default() };
    let intake =
        Intake::new(Arc::clone(&log) as Arc<dyn Log>, series, Arc::clone(&clock) as Arc<dyn Clock>, limits);
    (intake, clock, log)
}

/// What the log holds: time in seconds since `NOW`, whether it is late, whether it is ahead.
fn marks(log: &MemoryLog) -> Vec<(i64, bool, bool)> {
    let records = log.records();
    let batches = records.iter().filter_map(|record| match &**record {
        Record::Readings(batch) => Some(batch),
        _ => None,
    });
    let rows = batches.flat_map(ReadingBatch::rows);
    rows.map(|row| ((row.time.0 - NOW.0) / 1_000_000, row.flags.is_late(), row.flags.is_ahead())).collect()
}

const SECOND: i64 = 1_000_000;
const HOUR: i64 = 3_600 * SECOND;

/// The fault: one reading of tomorrow made all others late until then.
#[test]
fn a_reading_ahead_of_now_makes_none_after_it_late() {
    let (intake, clock, log) = with_clock();
    accept(&intake, &[(0, NOW.0, 70.0), (0, NOW.0 + 23 * HOUR, 71.0)]);
    clock.set(Timestamp(NOW.0 + 10 * SECOND));
    accept(&intake, &[(0, NOW.0 + 9 * SECOND, 99.0), (0, NO_TIME, 99.0), (0, NOW.0 + 8 * SECOND, 99.0)]);
    let expected = [
        (0, false, false),
        (23 * 3_600, false, true),
        (9, false, false),
        (10, false, false),
        (8, true, false),
    ];
    assert_eq!(marks(&log), expected);
    assert_eq!(intake.metrics().ahead, 1);
    // A minute ahead is believed, a little more is not.
    let accepted = accept(&intake, &[(0, NOW.0 + 70 * SECOND, 1.0), (0, NOW.0 + 70 * SECOND + 1, 1.0)]);
    assert_eq!((accepted.accepted, accepted.late, accepted.ahead), (2, 0, 1));
    // What the log says is what a restart knows.
    let (again, ..) = with_clock();
    for (offset, record) in (0..).zip(log.records()) {
        again.replay(Offset(offset), &record).unwrap();
    }
    assert_eq!(block_on(again.state()).unwrap().newest, block_on(intake.state()).unwrap().newest);
}

#[test]
fn a_zone_two_hours_ahead_blinds_nothing_once_it_is_corrected() {
    let (intake, clock, log) = with_clock();
    for second in 0..5 {
        clock.set(Timestamp(NOW.0 + second * SECOND));
        accept(&intake, &[(0, NOW.0 + second * SECOND + 2 * HOUR, 70.0)]);
    }
    accept(&intake, &[(0, NOW.0 + 4 * SECOND, 99.0)]);
    assert!(marks(&log)[..5].iter().all(|mark| !mark.1 && mark.2));
    assert_eq!(marks(&log)[5], (4, false, false));
    let named = intake.senders_ahead();
    assert_eq!((named.len(), named[0].asset.as_str(), named[0].ahead().as_str()), (1, "p/0", "2h"));
    clock.set(Timestamp(NOW.0 + 605 * SECOND));
    assert_eq!(intake.senders_ahead(), [], "it has been right for ten minutes");
}

#[test]
fn the_servers_clock_stepping_forward_and_back_makes_nothing_late() {
    let (intake, clock, log) = with_clock();
    accept(&intake, &[(0, NO_TIME, 70.0), (1, NOW.0, 70.0)]);
    clock.set(Timestamp(NOW.0 + 2 * HOUR));
    accept(&intake, &[(0, NO_TIME, 71.0), (1, NOW.0 + SECOND, 71.0)]);
    clock.set(Timestamp(NOW.0 + 2 * SECOND));
    accept(&intake, &[(0, NO_TIME, 99.0), (1, NOW.0 + 2 * SECOND, 99.0), (0, NOW.0 + 2 * SECOND, 98.0)]);
    let expected = [
        (0, false, false),
        (0, false, false),
        (2 * 3_600, false, false),
        (1, false, false),
        (2, false, false),
        (2, false, false),
        (2, true, false),
    ];
    assert_eq!(marks(&log), expected);
}
