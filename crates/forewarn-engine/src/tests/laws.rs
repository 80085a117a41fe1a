//! Laws that hold for any readings: what the engine says depends on what it is told, not on how.

use std::collections::{BTreeMap, BTreeSet};

use forewarn_types::{
    AlertTransition, Quality, ReadingBatch, ReadingFlags, Record, SeriesId, Timestamp, Transition,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use super::{definitions, placeless, series_defs};
use crate::{Actions, Engine, EngineOptions};

const RULES: &str = "
signals: [{ name: sum, assets: '**', expr: 'x + y' }]
rules:
  - { name: both, assets: '**', when: 'x > 6.0 && y > 3.0', for: 20s, until: 'x < 4.0', clear_for: 10s, \
  severity: major }
  - { name: total, assets: '**', when: 'sum > 12.0', severity: minor }
  - { name: jump, assets: '**', rate: { signal: x, above: 1.2 }, severity: minor }
  - { name: learnt, assets: '**', deviation: { signal: x, method: learned_limits, sensitivity: high }, \
  severity: minor }
  - { name: spread, assets: '**', deviation: { signal: sum, method: robust_z, baseline: 1h, above: 1.5 }, \
  severity: minor }
  - { name: silent, assets: '**', missing: { signal: y, longer_than: 2m }, severity: warning }
";
const ASSETS: [&str; 5] = ["a", "b", "c", "d/e", "f"];

/// One asset whose rules watch one signal each, be it through derived ones.
const INDEPENDENT_RULES: &str = "
signals: [{ name: double, assets: '**', expr: 's2 * 2.0' }]
rules:
  - { name: held, assets: '**', when: 's0 > 6.0', for: 20s, until: 's0 < 4.0', clear_for: 10s, severity: \
  major }
  - { name: plain, assets: '**', when: 's1 > 6.0', severity: minor }
  - { name: derived, assets: '**', when: 'double > 12.0', for: 5s, severity: minor }
  - { name: jump, assets: '**', rate: { signal: s3, above: 1.2 }, severity: minor }
  - { name: learnt, assets: '**', deviation: { signal: s0, method: learned_limits, sensitivity: high }, \
  severity: minor }
  - { name: spread, assets: '**', deviation: { signal: double, method: robust_z, baseline: 1h, above: 1.5 \
  }, severity: minor }
  - { name: silent, assets: '**', missing: { signal: s4, longer_than: 2m }, severity: warning }
";
const SIGNALS: [&str; 10] = ["s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9"];

/// A thing that happens: a reading (series, seconds since the last, value, quality, late) or a tick (seconds
/// since the newest reading).
#[derive(Debug, Clone)]
enum Happening {
    Reading { series: u32, gap: i64, value: f64, bad: bool, late: bool },
    Tick { after: i64 },
}

fn happenings(count: usize) -> impl Strategy<Value = Vec<Happening>> {
    // One series speaks more than the others, so that its detectors get past their warm-up; now and then a
    // value is off.
    let series = prop_oneof![6 => Just(0u32), 1 => Just(1u32), 4 => 0..10u32];
    let value = prop_oneof![50 => 0..10u8, 1 => Just(25u8)];
    let reading = (series, 0..15i64, value, 0..20u8, 0..15u8).prop_map(|(series, gap, value, bad, late)| {
        Happening::Reading { series, gap, value: f64::from(value), bad: bad == 0, late: late == 0 }
    });
    let one = prop_oneof![12 => reading, 1 => (0..400i64).prop_map(|after| Happening::Tick { after })];
    prop::collection::vec(one, count)
}

fn engine(shards: usize) -> Engine {
    bounded_engine(shards, 3)
}

fn bounded_engine(shards: usize, max_alerts_per_rule: usize) -> Engine {
    let mut engine = Engine::new(EngineOptions { shards, max_alerts_per_rule });
    let mut actions = Actions::default();
    let names: Vec<(&str, &str)> = ASSETS.iter().flat_map(|asset| [(*asset, "x"), (*asset, "y")]).collect();
    engine.step(0.into_offset(), &series_defs(0, &names), &mut actions);
    engine.step(1.into_offset(), &definitions(RULES), &mut actions);
    assert_eq!(actions, Actions::default());
    engine
}

trait IntoOffset {
    fn into_offset(self) -> forewarn_types::Offset;
}

impl IntoOffset for u64 {
    fn into_offset(self) -> forewarn_types::Offset {
        forewarn_types::Offset(self)
    }
}

/// The happenings as records. Readings are gathered into batches of about `batch` rows, and no sample is cut;
/// all of them say that they arrived at the same time between two ticks, so that cuts alone make the
/// difference. A reading that is not newer than its series' newest is late, as the intake marks it.
fn records(happenings: &[Happening], batch: usize, with_late: bool) -> Vec<Record> {
    let mut records = Vec::new();
    let mut open = ReadingBatch::default();
    let (mut time, mut wall) = (1_000i64, 1_000i64);
    let mut newest: BTreeMap<u32, i64> = BTreeMap::new();
    for (number, happening) in (0i64..).zip(happenings) {
        match *happening {
            Happening::Reading { series, gap, value, bad, late } => {
                time += gap;
                if gap > 0 && open.len() >= batch {
                    records.push(Record::Readings(std::mem::take(&mut open)));
                }
                let repeated = newest.get(&series).is_some_and(|newest| *newest >= time);
                let late = late || repeated;
                if late && !with_late {
                    continue;
                }
                open.arrived = Timestamp::from_secs(wall);
                let quality = if bad { Quality::Bad } else { Quality::Good };
                // No two late readings have the same time, so that none of them are one sample.
                let at = Timestamp(time * 1_000_000 - if late { 500_000_000 + number } else { 0 });
                if !late {
                    newest.insert(series, time);
                }
                open.push(SeriesId(series), at, value, ReadingFlags::new(quality, late));
            }
            Happening::Tick { after } => {
                if !open.is_empty() {
                    records.push(Record::Readings(std::mem::take(&mut open)));
                }
                // What comes after a tick is no part of the sample before it.
                time += 1;
                wall = wall.max(time) + after;
                records.push(Record::Tick(Timestamp::from_secs(wall)));
            }
        }
    }
    records.push(Record::Readings(open));
    records
}

/// The same readings between ticks, series by series instead of in the order of their times.
fn sorted_by_series(records: &[Record], backwards: bool) -> Vec<Record> {
    let mut sorted = Vec::new();
    for stretch in
        records.chunk_by(|one, next| matches!((one, next), (Record::Readings(_), Record::Readings(_))))
    {
        let mut rows = Vec::new();
        let mut whole = ReadingBatch::default();
        for record in stretch {
            match record {
                Record::Readings(batch) => {
                    whole.arrived = batch.arrived.max(whole.arrived);
                    rows.extend(batch.rows());
                }
                other => sorted.push(other.clone()),
            }
        }
        rows.sort_by_key(|row| if backwards { u32::MAX - row.series.0 } else { row.series.0 });
        for row in rows {
            whole.push(row.series, row.time, row.value, row.flags);
        }
        sorted.push(Record::Readings(whole));
    }
    sorted
}

/// The record with the values of each time in another order.
fn shuffled(record: &Record, keys: &[u32]) -> Record {
    let Record::Readings(batch) = record else { return record.clone() };
    let mut rows: Vec<_> = batch.rows().zip(keys.iter().cycle()).collect();
    rows.chunk_by_mut(|one, other| one.0.time == other.0.time)
        .for_each(|sample| sample.sort_by_key(|(_, key)| **key));
    let mut mixed = ReadingBatch::with_capacity(batch.arrived, rows.len());
    for (row, _) in rows {
        mixed.push(row.series, row.time, row.value, row.flags);
    }
    Record::Readings(mixed)
}

/// The transitions of each rule in their order.
fn by_rule(transitions: Vec<AlertTransition>) -> BTreeMap<String, Vec<AlertTransition>> {
    let mut rules: BTreeMap<String, Vec<AlertTransition>> = BTreeMap::new();
    for transition in placeless(transitions) {
        rules.entry(transition.rule.to_string()).or_default().push(transition);
    }
    rules
}

/// The transitions of each rule on each asset in their order.
fn by_alert(transitions: Vec<AlertTransition>) -> BTreeMap<(String, String), Vec<AlertTransition>> {
    let mut alerts: BTreeMap<_, Vec<AlertTransition>> = BTreeMap::new();
    for transition in placeless(transitions) {
        let key = (transition.rule.to_string(), transition.asset.to_string());
        alerts.entry(key).or_default().push(transition);
    }
    alerts
}

fn run(engine: &mut Engine, records: &[Record]) -> Vec<AlertTransition> {
    let mut actions = Actions::default();
    for (offset, record) in records.iter().enumerate() {
        engine.step((offset as u64 + 2).into_offset(), record, &mut actions);
    }
    actions.transitions
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn batch_cuts_change_nothing(happenings in happenings(700), batch in 2usize..200) {
        let one_by_one = run(&mut engine(1), &records(&happenings, 1, true));
        let in_batches = run(&mut engine(1), &records(&happenings, batch, true));
        prop_assert!(!one_by_one.is_empty());
        prop_assert_eq!(placeless(one_by_one), placeless(in_batches));
    }

    /// Values of one time may stand in any order, those of several assets mixed.
    #[test]
    fn the_order_within_samples_changes_nothing(
        happenings in happenings(500), batch in 20usize..200, keys in prop::collection::vec(any::<u32>(), 1..40),
    ) {
        let in_order = records(&happenings, batch, false);
        let shuffled: Vec<Record> = in_order.iter().map(|record| shuffled(record, &keys)).collect();
        // Which alerts there is room for depends on who comes first, so there is room for all.
        let engine = || bounded_engine(1, 100);
        let (one, other) = (run(&mut engine(), &in_order), run(&mut engine(), &shuffled));
        prop_assert!(!one.is_empty());
        prop_assert_eq!(by_alert(one), by_alert(other));
    }

    /// All at once: other requests, other orders within samples, restarts between any two records.
    #[test]
    fn alerts_do_not_depend_on_how_readings_are_sent_nor_on_restarts(
        happenings in happenings(400), batches in (1usize..60, 1usize..60),
        keys in prop::collection::vec(any::<u32>(), 1..40), restarts in prop::collection::vec(any::<bool>(), 1..30),
    ) {
        let mut undisturbed = bounded_engine(1, 100);
        let expected = run(&mut undisturbed, &records(&happenings, batches.0, true));
        let mut engine = bounded_engine(3, 100);
        let mut told = Vec::new();
        for (record, restart) in records(&happenings, batches.1, true).iter().zip(restarts.iter().cycle()) {
            if *restart {
                engine = Engine::restore(&engine.snapshot().unwrap()).unwrap();
            }
            told.extend(run(&mut engine, &[shuffled(record, &keys)]));
        }
        prop_assert!(!expected.is_empty());
        prop_assert_eq!(by_alert(expected), by_alert(told));
    }

    #[test]
    fn shards_change_nothing(happenings in happenings(700), batch in 1usize..200) {
        let records = records(&happenings, batch, true);
        prop_assert_eq!(run(&mut engine(1), &records), run(&mut engine(4), &records));
    }

    #[test]
    fn a_restart_changes_nothing(happenings in happenings(500), batch in 1usize..50, share in 0usize..100) {
        let records = records(&happenings, batch, true);
        let mut undisturbed = engine(2);
        let expected = run(&mut undisturbed, &records);
        let mut stopped = engine(2);
        let mut actions = Actions::default();
        let cut = records.len() * share / 100;
        for (offset, record) in records.iter().enumerate() {
            if offset == cut {
                let bytes = stopped.snapshot().unwrap();
                stopped = Engine::restore(&bytes).unwrap();
                prop_assert_eq!(bytes, stopped.snapshot().unwrap());
            }
            stopped.step((offset as u64 + 2).into_offset(), record, &mut actions);
        }
        prop_assert_eq!(expected, actions.transitions);
    }

    #[test]
    fn late_readings_change_no_expression_rule(happenings in happenings(500)) {
        let expressions = |transitions: Vec<AlertTransition>| -> Vec<AlertTransition> {
            placeless(transitions).into_iter().filter(|one| ["both", "total"].contains(&&*one.rule)).collect()
        };
        let with = run(&mut engine(1), &records(&happenings, 10, true));
        let without = run(&mut engine(1), &records(&happenings, 10, false));
        prop_assert_eq!(expressions(with), expressions(without));
    }

    /// Across the series of an asset nothing is promised: a rule must say the same however its signal is
    /// mixed with others. The stretches between ticks are told once as they happened and once signal by
    /// signal.
    #[test]
    fn the_order_of_independent_series_changes_no_rule(happenings in happenings(700), backwards in any::<bool>()) {
        let engine = || {
            let mut engine = Engine::new(EngineOptions::default());
            let mut actions = Actions::default();
            engine.step(0.into_offset(), &series_defs(0, &SIGNALS.map(|signal| ("a", signal))), &mut actions);
            engine.step(1.into_offset(), &definitions(INDEPENDENT_RULES), &mut actions);
            assert_eq!(actions, Actions::default());
            engine
        };
        let as_happened = records(&happenings, 20, true);
        let by_signal = sorted_by_series(&as_happened, backwards);
        let (one, other) = (run(&mut engine(), &as_happened), run(&mut engine(), &by_signal));
        prop_assert!(!one.is_empty());
        prop_assert_eq!(by_rule(one), by_rule(other));
    }

    /// Hold, hysteresis and clear hold against a model that looks at the whole history each second.
    #[test]
    fn holds_agree_with_a_naive_model(values in prop::collection::vec((1..12i64, 0..10u8), 1..120)) {
        let rules = "rules:\n  - { name: r, assets: '**', when: 'x > 6.0', for: 20s, until: 'x < 4.0', \
            clear_for: 10s, severity: major }";
        let mut engine = Engine::new(EngineOptions::default());
        let mut actions = Actions::default();
        engine.step(0.into_offset(), &series_defs(0, &[("a", "x")]), &mut actions);
        engine.step(1.into_offset(), &definitions(rules), &mut actions);
        let mut readings = Vec::new();
        let mut time = 0;
        for (gap, value) in &values {
            time += gap;
            readings.push((time, f64::from(*value)));
            let mut batch = ReadingBatch::default();
            batch.push(SeriesId(0), Timestamp::from_secs(time), f64::from(*value), ReadingFlags::default());
            engine.step(2.into_offset(), &Record::Readings(batch), &mut actions);
        }
        let told: Vec<(Transition, i64)> = actions.transitions.iter().map(|one| (one.transition, one.time.0 / 1_000_000)).collect();
        prop_assert_eq!(told, naive(&readings));
    }
}

/// The laws would hold of an engine that says nothing: the happenings must make every rule speak, in every
/// way it can.
#[test]
fn the_laws_are_not_empty() {
    let mut runner = TestRunner::deterministic();
    let (mut rules, mut kinds) = (BTreeSet::new(), BTreeSet::new());
    for _ in 0..5 {
        let happenings = happenings(700).new_tree(&mut runner).unwrap().current();
        for one in run(&mut engine(1), &records(&happenings, 20, true)) {
            rules.insert(one.rule.to_string());
            kinds.insert(one.transition.as_str());
        }
    }
    assert_eq!(rules.len(), 6, "{rules:?}");
    let expected = ["known", "normal", "pending", "raised", "reraised", "returned", "unknown"];
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), expected);
}

/// Walks second by second. A reading at a second is taken before the holds of that second are looked at.
fn naive(readings: &[(i64, f64)]) -> Vec<(Transition, i64)> {
    let mut told = Vec::new();
    let (mut x, mut since, mut ending, mut active, mut waiting) = (None, None, None, false, false);
    for second in 0..=readings.last().map_or(0, |reading| reading.0) {
        let fresh = readings.iter().find(|reading| reading.0 == second).map(|reading| reading.1);
        x = fresh.or(x);
        let Some(x) = x else { continue };
        if active {
            // The end is looked at from the next reading on.
            match (fresh, ending) {
                (Some(x), None) if x < 4.0 => ending = Some(second),
                (Some(x), Some(_)) if x >= 4.0 => ending = None,
                _ => {}
            }
            if ending.is_some_and(|ending| second - ending >= 10) {
                told.push((Transition::Returned, second));
                (active, waiting, ending) = (false, true, None);
            }
        } else if x > 6.0 {
            if since.is_none() {
                since = Some(second);
                // While the last occurrence waits to be acknowledged, its return is told only once it has
                // held long enough.
                if !waiting {
                    told.push((Transition::Pending, second));
                }
            }
            if since.is_some_and(|since| second - since >= 20) {
                told.push((if waiting { Transition::Reraised } else { Transition::Raised }, second));
                (active, since) = (true, None);
            }
        } else if since.take().is_some() && !waiting {
            told.push((Transition::Normal, second));
        }
    }
    told
}
