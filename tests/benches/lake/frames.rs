//! Frames: what it takes to bring the readings of four signals side by side, in rows of a minute.

use std::time::Instant;

use forewarn_batch::{FrameWork, RunContext, Work as _};
use forewarn_spec::{FrameJob, load_definitions};
use forewarn_types::Timestamp;

use crate::bed::{Bed, peak_memory_mib, reset_peak_memory};
use crate::duckdb::DuckDb;
use crate::median;
use crate::source::START;

/// How many signals the assets have.
pub(crate) const SIGNALS: usize = 4;
const RUNS: usize = 3;
const PIPELINE: &str = r#"
pipeline: bench
jobs:
  - name: minutes
    schedule: "0 * * * *"
    frame:
      assets: "plant1/**"
      signals: [vibration_rms, vibration_peak, temperature, bearing_temperature]
      every: 1m
      aggregate: { vibration_peak: max }
      fill: { previous: 5m }
      columns: { difference: "bearing_temperature - temperature", is_hot: "temperature > 90.0" }
    into: minutes
"#;
/// The means and the maximum, without filling and columns.
const WIDE: &str = "SELECT asset, time_bucket(INTERVAL '1 minute', time) AS minute, avg(value) FILTER (WHERE \
    signal = 'vibration_rms') AS a, max(value) FILTER (WHERE signal = 'vibration_peak') AS b, avg(value) \
    FILTER (WHERE signal = 'temperature') AS c, avg(value) FILTER (WHERE signal = 'bearing_temperature') AS \
    d, count(*) AS n FROM readings GROUP BY asset, minute";

/// A frame over all readings, which end before `end`.
pub(crate) async fn frames(bed: &Bed, end: Timestamp) {
    let definitions = load_definitions(&[("bench.yaml".to_owned(), PIPELINE.to_owned())], &[]);
    let job = definitions.expect("a pipeline").pipelines[0].frames[0].clone();
    let from = Timestamp(START);
    let mut seconds = Vec::new();
    let mut rows = 0;
    reset_peak_memory("self");
    let before = peak_memory_mib("self");
    for run in 0..RUNS {
        // Each interval is written once, so each run has a table of its own.
        let name = format!("minutes_{}_{run}", std::process::id());
        let work = FrameWork::new(bed.lake.clone(), FrameJob { into: name.clone(), name, ..job.clone() });
        let started = Instant::now();
        let outcome = work.run(RunContext { run: run.to_string(), from, to: end }).await.expect("rows");
        seconds.push(started.elapsed().as_secs_f64());
        rows = outcome.rows;
    }
    let peak = peak_memory_mib("self");
    let ours = median(seconds);
    println!(
        "  frame of {SIGNALS} signals to {rows} rows: {ours:.3} s, {:.2} M readings/s (at least 10); peak \
         memory {peak} MiB (at most 1024), {before} before",
        bed.readings() / ours / 1e6
    );
    if let Some(mut peer) = DuckDb::over(&bed.table()) {
        let theirs = median((0..RUNS).map(|_| peer.run(WIDE).0).collect());
        println!("    DuckDB takes {theirs:.3} s for the aggregates alone: ratio {:.2}", ours / theirs);
    }
}
