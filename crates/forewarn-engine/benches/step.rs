//! How many readings a second one core takes through the engine, beside a bare loop over the same columns.
//!
//! Run with `cargo bench -p forewarn-engine --bench step`. The baseline stores the last value of each series
//! and compares it with a limit: no engine can do less. Both are run in turns and the best of each is taken,
//! so that a busy machine spoils neither.
#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a benchmark measures and prints"
)]

use std::hint::black_box;
use std::time::Instant;

use forewarn_engine::{Actions, Engine, EngineOptions};
use forewarn_types::{
    DefinitionFile, Definitions, Offset, ReadingBatch, ReadingFlags, Record, SeriesDef, SeriesId, Timestamp,
};

const SERIES: u32 = 10_000;
const BATCHES: i64 = 100;
const ROUNDS: usize = 5;

const CLASSICAL: &str = "
pipeline: bench
rules:
  - { name: high, assets: '**', when: 'x > 200.0', for: 30s, severity: major }
  - { name: spread, assets: '**', deviation: { signal: x, method: robust_z, baseline: 2000, above: 50.0 }, \
  severity: minor }
  - { name: jump, assets: '**', rate: { signal: x, above: 1000.0 }, severity: minor }
";
const LEARNT: &str = "
pipeline: bench
rules:
  - { name: learnt, assets: '**', deviation: { signal: x, method: learned_limits, sensitivity: low }, \
  severity: minor }
";

/// A batch with one reading of every series.
fn batch(second: i64) -> ReadingBatch {
    let mut batch = ReadingBatch::with_capacity(Timestamp::from_secs(second), SERIES as usize);
    for id in 0..SERIES {
        let value = 50.0 + ((second * 37 + i64::from(id) * 11) % 101) as f64 / 10.0;
        batch.push(SeriesId(id), Timestamp::from_secs(second), value, ReadingFlags::default());
    }
    batch
}

fn engine(rules: &str) -> Engine {
    let mut engine = Engine::new(EngineOptions::default());
    let mut actions = Actions::default();
    let files = vec![DefinitionFile { path: "bench.yaml".to_owned(), text: rules.into() }];
    engine.step(Offset(0), &Record::Definitions(Definitions::of(files)), &mut actions);
    let defs = (0..SERIES).map(|id| SeriesDef {
        id: SeriesId(id),
        asset: format!("asset{id}").into(),
        signal: "x".into(),
    });
    engine.step(Offset(1), &Record::Series(defs.collect()), &mut actions);
    assert!(actions.problems.is_empty(), "{:?}", actions.problems);
    engine
}

fn bare(batch: &ReadingBatch, last: &mut [f64]) -> usize {
    let mut above = 0;
    for (series, value) in batch.series.iter().zip(&batch.value) {
        last[series.index()] = *value;
        above += usize::from(*value > 200.0);
    }
    above
}

/// Readings a second of `work` over batches from `start` on.
fn rate(start: i64, mut work: impl FnMut(&Record)) -> f64 {
    let records: Vec<Record> =
        (start..start + BATCHES).map(|second| Record::Readings(batch(second))).collect();
    let begin = Instant::now();
    for record in &records {
        work(record);
    }
    f64::from(SERIES) * BATCHES as f64 / begin.elapsed().as_secs_f64()
}

fn main() {
    let rounds = i64::try_from(ROUNDS + 3).expect("a small number");
    println!(
        "{SERIES} series, one core, best of {ROUNDS} rounds of {} readings",
        i64::from(SERIES) * BATCHES
    );
    for (name, rules, rule_count) in [("when + robust_z + rate", CLASSICAL, 3), ("learned_limits", LEARNT, 1)]
    {
        let mut engine = engine(rules);
        let mut actions = Actions::default();
        let mut last = vec![0.0; SERIES as usize];
        let (mut best, mut base) = (0.0f64, 0.0f64);
        // The first rounds warm the detectors up.
        for round in 0..rounds {
            let start = round * BATCHES;
            let bare = rate(start, |record| {
                if let Record::Readings(batch) = record {
                    black_box(bare(batch, &mut last));
                }
            });
            let full = rate(start, |record| engine.step(Offset(2), black_box(record), &mut actions));
            if round >= 3 {
                (base, best) = (base.max(bare), best.max(full));
            }
        }
        assert!(actions.transitions.is_empty(), "the measured readings are calm");
        // Proof that the rules did run: a reading far off must speak to each of them on every series.
        let mut far_off = batch(rounds * BATCHES);
        far_off.value.fill(1e6);
        engine.step(Offset(3), &Record::Readings(far_off), &mut actions);
        assert_eq!(actions.transitions.len(), rule_count * SERIES as usize, "every rule judges every series");
        println!(
            "{name:24} {:6.2} M readings/s   bare loop {:7.1} M readings/s   ratio 1 : {:.1}",
            best / 1e6,
            base / 1e6,
            base / best
        );
    }
}
