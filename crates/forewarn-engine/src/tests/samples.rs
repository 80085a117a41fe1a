//! Samples: all values of one asset with one time in one record are judged together, once.

use forewarn_types::AlertState::{Acknowledged, Unacknowledged};
use forewarn_types::{
    AlertTransition, CommandAction, Quality, ReadingBatch, ReadingFlags, Record, SeriesId, Timestamp,
    Transition as T,
};

use super::{Rig, brief};

const RULES: &str = "
signals: [{ name: difference, assets: '**', expr: 'inlet - outlet' }]
rules:
  - { name: inline, assets: '**', when: 'inlet - outlet > 3.0', severity: critical }
  - { name: derived, assets: '**', when: 'difference > 3.0', severity: critical }
  - { name: spread, assets: '**', deviation: { signal: difference, method: robust_z, baseline: 1000, above: 6.0 \
  }, severity: major }
";

/// Series, time in seconds, value.
type Reading = (u32, i64, f64);
/// Puts readings in another order.
type Arrange = fn(&mut Vec<Reading>);

const SERIES: [(&str, &str); 4] = [("p", "inlet"), ("p", "outlet"), ("q", "inlet"), ("q", "outlet")];

/// A record of readings (series, time in seconds, value), all of them good and in time.
fn record(rows: &[Reading]) -> Record {
    let newest = rows.iter().map(|row| row.1).max().unwrap_or(0);
    let mut batch = ReadingBatch::with_capacity(Timestamp::from_secs(newest), rows.len());
    for (series, time, value) in rows {
        batch.push(SeriesId(*series), Timestamp::from_secs(*time), *value, ReadingFlags::default());
    }
    Record::Readings(batch)
}

/// A walk of the inlet that half a sample would make alarms of.
fn inlet(time: i64) -> f64 {
    50.0 + ((time * 37) % 41) as f64
}

/// Readings of both pumps from `from` on, where the outlet lies `difference` below the inlet.
fn readings(from: i64, to: i64, difference: f64) -> Vec<Reading> {
    (from..to)
        .flat_map(|time| {
            let (inlet, outlet) = (inlet(time), inlet(time) - difference);
            [(0, time, inlet), (1, time, outlet), (2, time, inlet), (3, time, outlet)]
        })
        .collect()
}

fn of<'a>(rule: &str, transitions: &'a [AlertTransition]) -> Vec<&'a AlertTransition> {
    transitions.iter().filter(|one| &*one.rule == rule && &*one.asset == "p").collect()
}

/// The fault: 54 false alarms in 1,000 samples of a difference that is always 1.
#[test]
fn two_values_of_one_time_are_never_judged_with_one_of_them_still_old() {
    let orders: [Arrange; 5] = [
        |_| {},
        // The outlet first; signal by signal; the whole request signal by signal; newest first.
        |rows| rows.chunk_mut_by_time(<[Reading]>::reverse),
        |rows| rows.chunk_mut_by_time(|sample| sample.sort_by_key(|row| row.0 % 2)),
        |rows| rows.sort_by_key(|row| row.0),
        |rows| rows.sort_by_key(|row| (row.0 % 2, row.1)),
    ];
    for (number, arrange) in orders.into_iter().enumerate() {
        for cut in [4, 40, 4_000] {
            let mut rig = Rig::new(RULES, &SERIES);
            for rows in readings(0, 1_000, 1.0).chunks(cut) {
                let mut rows = rows.to_vec();
                arrange(&mut rows);
                assert_eq!(rig.step(&record(&rows)), [], "order {number}, {cut} readings a request");
            }
        }
    }
}

trait ByTime {
    fn chunk_mut_by_time(&mut self, change: impl Fn(&mut [Reading]));
}

impl ByTime for Vec<Reading> {
    fn chunk_mut_by_time(&mut self, change: impl Fn(&mut [Reading])) {
        self.chunk_by_mut(|one, other| one.1 == other.1).for_each(change);
    }
}

#[test]
fn an_acknowledged_alert_on_a_difference_stays_while_both_values_move_on() {
    let mut rig = Rig::new(RULES, &SERIES);
    rig.step(&record(&readings(0, 10, 1.0)));
    let raised = rig.step(&record(&readings(10, 11, 5.0)));
    for rule in ["inline", "derived"] {
        let alert = of(rule, &raised)[0].clone();
        assert_eq!(brief(std::slice::from_ref(&alert)), [(T::Raised, Unacknowledged, 10)]);
        let acknowledged = rig.command(&alert, CommandAction::Acknowledge, 10);
        assert_eq!(brief(&acknowledged), [(T::Acknowledged, Acknowledged, 10)]);
    }
    let on = rig.step(&record(&readings(11, 500, 5.0)));
    assert_eq!((of("inline", &on).len(), of("derived", &on).len()), (0, 0), "{on:?}");
}

#[test]
fn a_detector_on_a_difference_learns_no_mixed_values_and_sees_a_step() {
    let mut rig = Rig::new(RULES, &SERIES);
    let calm: Vec<_> = readings(0, 600, 1.0)
        .into_iter()
        .map(|(series, time, value)| {
            (series, time, value + if series % 2 == 0 { (time % 7) as f64 * 0.01 } else { 0.0 })
        })
        .collect();
    assert_eq!(rig.step(&record(&calm)), []);
    let step = rig.step(&record(&readings(600, 601, 2.5)));
    assert_eq!(of("spread", &step).len(), 1, "1.5 is far more than the noise of 0.06");
}

#[test]
fn a_bad_value_in_a_sample_puts_the_difference_in_doubt_at_once() {
    let mut rig = Rig::new(RULES, &SERIES);
    assert_eq!(of("inline", &rig.step(&record(&readings(0, 1, 5.0)))).len(), 1);
    let mut batch = ReadingBatch::with_capacity(Timestamp::from_secs(1), 2);
    batch.push(SeriesId(0), Timestamp::from_secs(1), 99.0, ReadingFlags::default());
    batch.push(SeriesId(1), Timestamp::from_secs(1), 0.0, ReadingFlags::new(Quality::Bad, false));
    let doubt = rig.step(&Record::Readings(batch));
    for rule in ["inline", "derived"] {
        let told: Vec<T> = of(rule, &doubt).iter().map(|one| one.transition).collect();
        assert_eq!(told, [T::Unknown], "{rule}");
    }
}

#[test]
fn values_that_come_in_separate_records_are_judged_as_they_come() {
    let mut rig = Rig::new(RULES, &SERIES);
    rig.step(&record(&[(0, 0, 50.0), (1, 0, 49.0)]));
    let half = rig.step(&record(&[(0, 1, 60.0)]));
    assert_eq!(of("inline", &half).len(), 1, "with the last known value of the outlet");
    let whole = rig.step(&record(&[(1, 1, 59.0)]));
    assert_eq!(of("inline", &whole)[0].transition, T::Returned);
}

/// A late value in a sample is judged by detectors and is no part of it.
#[test]
fn a_late_value_in_a_sample_changes_no_rule() {
    let mut rig = Rig::new(RULES, &SERIES);
    rig.step(&record(&[(0, 10, 50.0), (1, 10, 49.0)]));
    let mut batch = ReadingBatch::with_capacity(Timestamp::from_secs(11), 3);
    batch.push(SeriesId(0), Timestamp::from_secs(5), 99.0, ReadingFlags::new(Quality::Good, true));
    batch.push(SeriesId(1), Timestamp::from_secs(11), 49.0, ReadingFlags::default());
    batch.push(SeriesId(0), Timestamp::from_secs(11), 50.0, ReadingFlags::default());
    assert_eq!(rig.step(&Record::Readings(batch)), []);
}
