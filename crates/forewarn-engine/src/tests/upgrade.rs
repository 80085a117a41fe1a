//! Snapshots of earlier versions of the program.

use forewarn_types::{AlertTransition, Offset, ReadingBatch, ReadingFlags, Record, SeriesId, Timestamp};

use super::{definitions, placeless, series_defs};
use crate::{Actions, Engine, EngineOptions};

/// A snapshot that the program wrote whose snapshots had version 2, after [`history`] up to [`TAKEN_AT`].
const VERSION_2: &[u8] = include_bytes!("fixtures/version-2.snapshot");
/// The definitions, and 301 steps of four readings and a tick.
const TAKEN_AT: usize = 2 + 301 * 5;

const RULES: &str = "
signals: [{ name: sum, assets: '**', expr: 'x + y' }]
rules:
  - { name: both, assets: '**', when: 'x > 6.0 && y > 2.0', for: 20s, until: 'x < 4.0', severity: major }
  - { name: jump, assets: '**', rate: { signal: x, above: 1.2 }, severity: minor }
  - name: learnt
    assets: '**'
    deviation: { signal: x, method: learned_limits, sensitivity: high, timezone: Europe/Oslo }
    severity: minor
  - { name: spread, assets: '**', deviation: { signal: sum, method: robust_z, baseline: 1h }, severity: \
  minor }
  - { name: silent, assets: '**', missing: { signal: y, longer_than: 2m }, severity: warning }
";

/// Two assets that send twice a minute; one of them is out of order now and then, and silent at last. Each
/// reading comes by itself, as the program of version 2 judged each by itself.
fn history() -> Vec<Record> {
    let mut records =
        vec![series_defs(0, &[("a", "x"), ("a", "y"), ("b", "x"), ("b", "y")]), definitions(RULES)];
    for step in 0..400i64 {
        let now = Timestamp::from_secs(1_700_000_000 + step * 30);
        for id in 0..4u32 {
            let wave = ((step * 37 + i64::from(id) * 11) % 101) as f64 / 100.0;
            let off = id == 0 && (290..310).contains(&(step % 350)) || id == 2 && step == 340;
            if id != 3 || step < 360 {
                let value = 2.0 + wave + if off { 90.0 } else { 0.0 };
                let mut batch = ReadingBatch::with_capacity(now, 1);
                batch.push(SeriesId(id), now, value, ReadingFlags::default());
                records.push(Record::Readings(batch));
            }
        }
        records.push(Record::Tick(now));
    }
    records
}

fn run(engine: &mut Engine, from: usize, records: &[Record]) -> Vec<AlertTransition> {
    let mut actions = Actions::default();
    for (offset, record) in (from..).zip(records) {
        engine.step(Offset(offset as u64), record, &mut actions);
    }
    assert_eq!(actions.problems, [""; 0]);
    actions.transitions
}

#[test]
fn a_snapshot_of_version_2_goes_on_as_if_nothing_had_happened() {
    let records = history();
    let (before, after) = records.split_at(TAKEN_AT);
    let mut fresh = Engine::new(EngineOptions::default());
    assert!(!run(&mut fresh, 0, before).is_empty());
    assert!(fresh.open_alerts() > 0, "the snapshot holds open alerts");
    let mut restored = Engine::restore(VERSION_2).unwrap();
    // Version 2 does not say at which level an episode began, and its learnt limits counted readings where
    // they count in time now.
    let without = |engine: &Engine| {
        let mut copy = Engine::restore(&engine.snapshot().unwrap()).unwrap();
        copy.shards.iter_mut().for_each(crate::shard::Shard::forget_what_version_2_lacks);
        copy.shards.into_iter().map(|shard| (shard.slots, shard.instances)).collect::<Vec<_>>()
    };
    assert_eq!(without(&restored), without(&fresh));
    let expected = run(&mut fresh, before.len(), after);
    let found = run(&mut restored, before.len(), after);
    let others = |transitions: &[AlertTransition]| -> Vec<AlertTransition> {
        placeless(transitions.iter().filter(|one| &*one.rule != "learnt").cloned().collect())
    };
    assert_eq!(others(&found), others(&expected));
    assert!(found.iter().any(|one| &*one.rule == "learnt"), "what was learnt goes on to be used");
    for rule in ["both", "jump", "learnt", "spread", "silent"] {
        assert!(expected.iter().any(|one| &*one.rule == rule), "{rule} says nothing");
    }
}
