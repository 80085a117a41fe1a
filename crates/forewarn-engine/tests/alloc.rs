//! The engine's hot loop allocates nothing: a step over readings that change no alert leaves the allocator
//! alone.
#![expect(
    unsafe_code,
    reason = "an allocator that counts is an unsafe trait to implement; it only adds to the system's"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use forewarn_engine::{Actions, Engine, EngineOptions};
use forewarn_types::{
    DefinitionFile, Definitions, Offset, ReadingBatch, ReadingFlags, Record, SeriesDef, SeriesId, Timestamp,
};

struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const RULES: &str = "
pipeline: test
signals: [{ name: sum, assets: '**', expr: 'x + y' }]
rules:
  - { name: both, assets: '**', when: 'x > 20.0 && y > 3.0', for: 20s, until: 'x < 4.0', severity: major }
  - { name: always, assets: '**', when: 'x >= 0.0', until: 'x < -1.0', severity: minor }
  - { name: total, assets: '**', when: 'sum > 50.0', severity: minor }
  - { name: jump, assets: '**', rate: { signal: x, above: 1000.0 }, severity: minor }
  - { name: learnt, assets: '**', deviation: { signal: x, method: learned_limits, sensitivity: low }, \
  severity: minor }
  - { name: spread, assets: '**', deviation: { signal: sum, method: robust_z, baseline: 1000, above: 50.0 \
  }, severity: minor }
  - { name: silent, assets: '**', missing: { signal: y, longer_than: 5m }, severity: warning }
";

/// One batch with a reading of every series at `second`.
fn batch(series: u32, second: i64) -> Record {
    let mut batch = ReadingBatch::with_capacity(Timestamp::from_secs(second), series as usize);
    for id in 0..series {
        let value = ((second * 37 + i64::from(id)) % 10) as f64;
        batch.push(SeriesId(id), Timestamp::from_secs(second), value, ReadingFlags::default());
    }
    Record::Readings(batch)
}

#[test]
fn a_step_without_transitions_allocates_nothing() {
    const SERIES: u32 = 200;
    let mut engine = Engine::new(EngineOptions { shards: 2, ..EngineOptions::default() });
    let mut actions = Actions::default();
    let defs = (0..SERIES).map(|id| SeriesDef {
        id: SeriesId(id),
        asset: format!("asset{}", id / 2).into(),
        signal: if id % 2 == 0 { "x" } else { "y" }.into(),
    });
    engine.step(Offset(0), &Record::Series(defs.collect()), &mut actions);
    let files = vec![DefinitionFile { path: "test.yaml".to_owned(), text: RULES.into() }];
    engine.step(Offset(1), &Record::Definitions(Definitions::of(files)), &mut actions);
    assert_eq!(actions.problems, [""; 0]);
    for second in 0..400 {
        engine.step(Offset(2), &batch(SERIES, second), &mut actions);
        engine.step(Offset(2), &Record::Tick(Timestamp::from_secs(second)), &mut actions);
    }
    assert!(actions.transitions.len() >= 100, "the rule `always` is raised on every asset");
    actions = Actions::default();

    let records: Vec<Record> = (400..600)
        .flat_map(|second| [batch(SERIES, second), Record::Tick(Timestamp::from_secs(second))])
        .collect();
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    for record in &records {
        engine.step(Offset(3), record, &mut actions);
    }
    let allocations = ALLOCATIONS.load(Ordering::Relaxed) - before;
    assert_eq!(actions, Actions::default(), "the readings are calm");
    assert_eq!(allocations, 0, "allocations over {} readings", 200 * SERIES);
}
