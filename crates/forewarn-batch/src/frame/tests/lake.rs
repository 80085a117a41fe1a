//! Frame jobs on a real lake: from the tail, from files, after a compaction; each interval once.

use std::collections::BTreeSet;
use std::sync::Arc;

use forewarn_lake::{Branch, CompactOptions, Lake, LakeOptions};
use forewarn_log::{LocalLog, Log, LogOptions};
use forewarn_query::{Query, QueryEngine, QueryOptions};
use forewarn_spec::{CatchUp, FrameJob};
use forewarn_types::{
    Journal as _, ManualClock, Quality, ReadingBatch, ReadingFlags, Record, SeriesTable, Timestamp,
};
use parking_lot::RwLock;
use tokio_util::sync::CancellationToken;

use super::super::FrameWork;
use super::{Reading, Row, assert_close, brute, frame, rows_of};
use crate::{RunContext, Work as _};

const MINUTE: i64 = 60_000_000;
const HOUR: i64 = 60 * MINUTE;
const ASSETS: [&str; 4] = ["plant/pump1", "plant/pump10", "plant/pump2", "test/pump3"];
const SIGNALS: [&str; 3] = ["flow", "usage.idle", "other"];

/// An hour before a new day.
fn start() -> i64 {
    Timestamp::parse("2026-01-01T23:00:00Z").unwrap().0
}

struct Plant {
    lake: Lake,
    log: Arc<LocalLog>,
    queries: QueryEngine,
    _folder: tempfile::TempDir,
}

impl Plant {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new(Timestamp(start() + 5 * HOUR)));
        let series = Arc::new(RwLock::new(SeriesTable::new(100)));
        let mut defs = Vec::new();
        for asset in ASSETS {
            for signal in SIGNALS {
                let id = series.write().intern(asset, signal).unwrap().0;
                defs.push(series.read().def(id).unwrap().clone());
            }
        }
        let log = LocalLog::open(LogOptions::new(folder.path().join("log"))).unwrap();
        let url = format!("file://{}/lake", folder.path().display());
        let options = LakeOptions { url, ..LakeOptions::default() };
        let lake = Lake::open(options, series, Arc::clone(&clock) as _).await.unwrap();
        let branch = Branch::build(lake.clone(), Arc::clone(&log) as Arc<dyn Log>, clock.clone());
        tokio::spawn(branch.run(CancellationToken::new()));
        log.append(Record::Series(defs)).await.unwrap();
        let queries = QueryEngine::new(lake.clone(), clock, QueryOptions::default()).unwrap();
        Self { lake, log, queries, _folder: folder }
    }

    /// Sends readings in records of so many, and gives each the offset of its record.
    async fn send(&self, readings: &mut [Reading], in_record: usize) {
        let id = |reading: &Reading| {
            let asset = ASSETS.iter().position(|asset| *asset == reading.asset).unwrap();
            let signal = SIGNALS.iter().position(|signal| *signal == reading.signal).unwrap();
            forewarn_types::SeriesId(u32::try_from(asset * SIGNALS.len() + signal).unwrap())
        };
        for record in readings.chunks_mut(in_record) {
            let mut batch = ReadingBatch::with_capacity(Timestamp(start()), record.len());
            for reading in record.iter() {
                let late = reading.time % 7 == 0;
                let flags = ReadingFlags::new(reading.quality, late);
                batch.push(id(reading), Timestamp(reading.time), reading.value, flags);
            }
            let offset = self.log.append(Record::Readings(batch)).await.unwrap();
            for reading in record {
                reading.offset = i64::try_from(offset.0).unwrap();
            }
        }
    }

    fn work(&self, into: &str, text: &str) -> FrameWork {
        let job = FrameJob {
            name: format!("job-of-{into}"),
            schedule: "0 * * * *".into(),
            timezone: chrono_tz::UTC,
            frame: frame(text),
            into: into.into(),
            catch_up: CatchUp::All,
            delay_us: 0,
            recompute_us: 0,
        };
        FrameWork::new(self.lake.clone(), job)
    }

    async fn rows(&self, table: &str) -> Vec<Row> {
        let text = format!("SELECT * FROM {table} ORDER BY asset, time");
        let answer = self.queries.run(Query { text, ..Query::default() }).await.unwrap();
        rows_of(&answer.collect().await.unwrap())
    }
}

fn context(from: i64, to: i64) -> RunContext {
    RunContext { run: "r".into(), from: Timestamp(from), to: Timestamp(to) }
}

/// Readings of all series in random steps over three hours, with repetitions and corrections.
fn made(seed: u64) -> Vec<Reading> {
    let mut state = seed;
    let mut random = move |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let mut readings: Vec<Reading> = Vec::new();
    for _ in 0..4_000 {
        if random(10) == 0 && !readings.is_empty() {
            let again = readings[usize::try_from(random(readings.len() as u64)).unwrap()].clone();
            let value = if random(2) == 0 { again.value } else { again.value + 0.5 };
            readings.push(Reading { value, ..again });
            continue;
        }
        let quality = [Quality::Good, Quality::Good, Quality::Uncertain, Quality::Bad];
        readings.push(Reading {
            asset: ASSETS[usize::try_from(random(4)).unwrap()],
            signal: SIGNALS[usize::try_from(random(3)).unwrap()],
            time: start() + i64::try_from(random(180 * 4)).unwrap() * MINUTE / 4,
            value: random(1_000) as f64 / 8.0,
            quality: quality[usize::try_from(random(4)).unwrap()],
            offset: 0,
        });
    }
    // One record holds a series at one time once: which of two in a record is the last is for the sender.
    let mut seen = BTreeSet::new();
    for (place, chunk) in readings.chunks_mut(100).enumerate() {
        for reading in chunk {
            while !seen.insert((place, reading.asset, reading.signal, reading.time)) {
                reading.time += 1;
            }
        }
    }
    readings
}

const FRAME: &str = "signals: [usage.idle, flow], every: 7m, aggregate: { flow: last }, fill: { linear: \
    28m }, columns: { twice: \"flow * 2.0\", busy: \"usage.idle < 50.0\" }, where: \"flow > 3.0\"";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rows_are_the_same_from_the_tail_from_files_and_after_a_compaction() {
    let plant = Plant::start().await;
    let mut readings = made(7);
    let (first, second) = readings.split_at_mut(2_000);
    plant.send(first, 100).await;
    let hour = context(start() + HOUR, start() + 2 * HOUR);
    let expected = |readings: &[Reading]| brute::rows(&frame(FRAME), readings, (hour.from.0, hour.to.0));
    let run = async |name: &str, readings: &[Reading], portion: u64| {
        let work = plant.work(name, FRAME).in_portions_of(portion);
        let outcome = work.run(hour.clone()).await.unwrap();
        let rows = plant.rows(name).await;
        assert_eq!(outcome.rows, rows.len() as u64, "{name}");
        assert_close(&rows, &expected(readings));
        rows
    };
    let from_tail = run("tail", first, 1_000_000).await;
    assert!(from_tail.len() > 15, "{}", from_tail.len());
    assert_eq!(run("tail_in_portions", first, 50).await, from_tail);
    plant.lake.flush().await.unwrap();
    assert_eq!(run("files", first, 1_000_000).await, from_tail);
    plant.send(second, 100).await;
    let both = run("both", &readings, 1_000_000).await;
    assert_ne!(both, from_tail);
    assert_eq!(run("both_in_portions", &readings, 300).await, both);
    plant.lake.flush().await.unwrap();
    let compacted = plant.lake.compact("readings", CompactOptions::default()).await.unwrap();
    assert!(compacted.duplicates > 10, "{compacted:?}");
    assert_eq!(run("compacted", &readings, 1_000_000).await, both);
    assert_eq!(run("compacted_in_portions", &readings, 100).await, both);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_one_after_another_write_each_step_once_and_each_interval_once() {
    let plant = Plant::start().await;
    let mut readings = made(3);
    plant.send(&mut readings, 100).await;
    let work = plant.work("minutes", FRAME);
    let mut written = 0;
    // An hour is no multiple of seven minutes.
    for hour in [1, 0, 2] {
        let run = context(start() + hour * HOUR, start() + (hour + 1) * HOUR);
        let outcome = work.run(run.clone()).await.unwrap();
        assert!(outcome.rows > 0 && outcome.details.is_none(), "{outcome:?}");
        written += outcome.rows;
        let again = work.run(run).await.unwrap();
        assert_eq!(
            (again.rows, again.details),
            (outcome.rows, None),
            "the rows take the place of the former"
        );
    }
    let rows = plant.rows("minutes").await;
    assert_eq!(rows.len() as u64, written);
    assert_close(&rows, &brute::rows(&frame(FRAME), &readings, (start(), start() + 3 * HOUR)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interval_without_readings_is_computed_again_when_they_have_come() {
    let plant = Plant::start().await;
    let work = plant.work("minutes", FRAME);
    let run = context(start(), start() + HOUR);
    let none = work.run(run.clone()).await.unwrap();
    assert_eq!((none.rows, none.details), (0, None));
    assert_eq!(plant.rows("minutes").await, [], "the table is there, without rows");
    plant.send(&mut made(5), 100).await;
    assert!(work.run(run).await.unwrap().rows > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_name_the_job_and_write_nothing() {
    let plant = Plant::start().await;
    plant.send(&mut made(5), 100).await;
    let run = context(start(), start() + HOUR);
    let error = plant.work("readings", FRAME).run(run.clone()).await.unwrap_err();
    assert!(
        error.starts_with("the rows of job job-of-readings cannot be written: table readings"),
        "{error}"
    );
    let work = plant.work("minutes", FRAME).in_portions_of(1);
    let error = work.run(run.clone()).await.unwrap_err();
    assert!(error.contains("job job-of-minutes failed from 2026-01-01T23:00:00Z"), "{error}");
    assert!(error.contains("one asset has more than 8 readings in what a step"), "{error}");
    assert_eq!(plant.rows("minutes").await, []);
    // The table has other columns by now.
    let error = plant.work("minutes", "signals: [flow], every: 1m, columns: { x: \"flow\" }").run(run).await;
    assert!(error.unwrap_err().contains("column x is not in the table"));
    let job = work.into_job();
    assert_eq!((job.name.as_str(), job.kind.as_str()), ("job-of-minutes", "frame"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_of_days_in_portions_gives_the_rows_of_the_whole() {
    let plant = Plant::start().await;
    let mut readings = made(11);
    for reading in &mut readings {
        reading.time = start() + (reading.time - start()) * 48;
    }
    plant.send(&mut readings, 100).await;
    let run = context(start() + HOUR, start() + 140 * HOUR + 7);
    let without = "signals: [flow, usage.idle], every: 1h, aggregate: median";
    let with = format!("{without}, fill: {{ previous: 6h }}");
    for place in ["tail", "files"] {
        for (kind, text) in [("bare", without), ("filled", &with)] {
            let expected = brute::rows(&frame(text), &readings, (run.from.0, run.to.0));
            assert!(expected.len() > 300, "{}", expected.len());
            for portion in [1_000_000, 700, 60] {
                let name = format!("{kind}_{place}_{portion}");
                plant.work(&name, text).in_portions_of(portion).run(run.clone()).await.unwrap();
                assert_close(&plant.rows(&name).await, &expected);
            }
        }
        plant.lake.flush().await.unwrap();
    }
}
