//! The lake: what it takes to write readings, how small they become, and how long questions take, beside
//! `DuckDB` on the same files.
//!
//! `cargo bench -p forewarn-tests --bench lake` lets the lake's own branch write readings of 1,000 series,
//! which are made on the fly as the records of a log, compacts them, and asks. Figures are printed with what
//! they should be. `DuckDB` (from `tests/requirements.txt`) answers the same questions over the files of the
//! same snapshot with two threads, in turns with the lake; both keep their answer in memory, and the medians
//! of five runs are compared. A frame of four signals is computed from as many readings again; its rate and
//! peak memory are printed. `FOREWARN_BENCH_ONLY=frames` does only this.
//!
//! `FOREWARN_BENCH_READINGS` says how many readings (default 50,000,000; the point queries have twice as
//! many), `FOREWARN_BENCH_FOLDER` a folder that keeps them for the next run.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark measures, and a broken one may end"
)]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "the numbers are small"
)]

mod bed;
mod duckdb;
mod frames;
mod questions;
mod source;

use std::path::{Path, PathBuf};
use std::time::Instant;

use forewarn_lake::ReadingsQuery;
use forewarn_query::Query;
use forewarn_types::{SeriesId, Timestamp};

use bed::{Bed, peak_memory_mib, reset_peak_memory};
use duckdb::DuckDb;
use source::{DAY_US, START, Source};

const DEFAULT_READINGS: usize = 50_000_000;
const RUNS: usize = 5;

fn main() {
    let readings = std::env::var("FOREWARN_BENCH_READINGS")
        .map_or(DEFAULT_READINGS, |text| text.parse().expect("a number of readings"));
    // Not in the system's temporary folder, which may be memory.
    let temporary = tempfile::Builder::new()
        .prefix("lake-bench-")
        .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
        .expect("a folder");
    let folder = std::env::var_os("FOREWARN_BENCH_FOLDER")
        .map_or_else(|| temporary.path().to_path_buf(), PathBuf::from);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let only = std::env::var("FOREWARN_BENCH_ONLY").unwrap_or_default();
    let wanted = |part: &str| only.is_empty() || only.split(',').any(|name| name == part);
    runtime.block_on(async {
        if wanted("sizes") {
            sizes(&folder).await;
        }
        if wanted("questions") {
            let bed = Bed::filled(&folder.join("once"), Source::made(readings)).await;
            bed.compact().await;
            questions::ask(&bed).await;
        }
        if wanted("frames") {
            let source = Source::made_of(readings, frames::SIGNALS);
            let end = source.end;
            let bed = Bed::filled(&folder.join("frames"), source).await;
            bed.compact().await;
            frames::frames(&bed, end).await;
        }
        if wanted("points") {
            let bed = Bed::filled(&folder.join("twice"), Source::made(2 * readings)).await;
            points(&bed).await;
            bed.compact().await;
            points(&bed).await;
        }
    });
}

/// Bytes a reading of real data, after compaction.
async fn sizes(folder: &Path) {
    let (fleet, machines) = (source::cmapss(), source::nab());
    for (name, source) in [("C-MAPSS", fleet), ("NAB", machines)] {
        if let Some(source) = source {
            println!("{name}:");
            let _ = std::fs::remove_dir_all(folder.join(name));
            Bed::filled(&folder.join(name), source).await.compact().await;
        }
    }
}

/// One series over one day.
async fn points(bed: &Bed) {
    let (id, day) = (SeriesId(437), START + 3 * DAY_US);
    let (asset, signal) = bed.names(id);
    let (from, to) = (Timestamp(day), Timestamp(day + DAY_US));
    let query = format!(
        "SELECT time, value FROM readings WHERE asset = '{asset}' AND signal = '{signal}' AND time >= \
         '{from}' AND time < '{to}' ORDER BY time"
    );
    let mut peer = DuckDb::over(&bed.table());
    let (mut sql, mut history, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
    reset_peak_memory("self");
    let (mut rows, mut read) = (0, 0);
    for _ in 0..RUNS {
        let started = Instant::now();
        rows = bed.sql(&query).await.row_count();
        sql.push(started.elapsed().as_secs_f64());
        let started = Instant::now();
        let found =
            bed.lake.readings(ReadingsQuery { series: vec![id], from, to }).await.expect("the history");
        history.push(started.elapsed().as_secs_f64());
        read = found[0].time.len();
        if let Some(peer) = &mut peer {
            theirs.push(peer.run(&query).0);
        }
    }
    assert!(rows > 0 && rows == read, "{rows} rows by SQL, {read} by the history");
    println!("  one series over one day in {} files, {rows} readings (at most 0.050 s):", bed.files().len());
    let theirs = if theirs.is_empty() { String::new() } else { format!(", DuckDB {:.4} s", median(theirs)) };
    println!(
        "    SQL {:.4} s, history {:.4} s{theirs}; peak memory {} MiB",
        median(sql),
        median(history),
        peak_memory_mib("self")
    );
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

impl Bed {
    /// Asks the lake as the server would, with room for the whole answer.
    async fn sql(&self, query: &str) -> forewarn_lake::ResultSet {
        let query = Query { text: query.to_owned(), ..Query::default() };
        let answer = self.queries.run(query).await.expect("a plan").collect().await.expect("an answer");
        assert!(!answer.truncated(), "the answer is whole");
        answer
    }
}
