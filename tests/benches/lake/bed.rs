//! A lake filled by its own branch, compacted, and measured on the way.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use forewarn_lake::{Branch, CompactOptions, Lake, LakeOptions};
use forewarn_log::Log;
use forewarn_query::{QueryEngine, QueryOptions};
use forewarn_types::{Clock, ManualClock, Offset, SeriesId};
use parking_lot::RwLock;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::source::{DAY_US, Source};

/// A lake with readings.
pub(crate) struct Bed {
    pub(crate) lake: Lake,
    pub(crate) queries: QueryEngine,
    folder: PathBuf,
    readings: f64,
    series: Arc<RwLock<forewarn_types::SeriesTable>>,
}

impl Bed {
    /// A lake in `folder` with the readings of `source`; one that is there already is taken as it is.
    pub(crate) async fn filled(folder: &Path, source: Source) -> Self {
        let there = folder.join("readings/_delta_log").is_dir();
        let series = Arc::clone(&source.series);
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(source.end.plus_us(2 * DAY_US)));
        let options = LakeOptions { url: format!("file://{}", folder.display()), ..LakeOptions::default() };
        let lake =
            Lake::open(options, Arc::clone(&series), Arc::clone(&clock)).await.expect("the lake opens");
        let options = QueryOptions { max_rows: 10_000_000, ..QueryOptions::default() };
        let queries = QueryEngine::new(lake.clone(), Arc::clone(&clock), options).expect("the engine starts");
        let bed = Self {
            lake,
            queries,
            folder: folder.to_path_buf(),
            readings: source.readings as f64,
            series: Arc::clone(&series),
        };
        println!("{} readings of {} series", source.readings, series.read().len());
        if !there {
            bed.write(source, clock).await;
        }
        bed
    }

    async fn write(&self, source: Source, clock: Arc<dyn Clock>) {
        let readings = source.readings as f64;
        let making = making_seconds(&source);
        let log: Arc<dyn Log> = Arc::new(source);
        reset_peak_memory("self");
        let (started, cpu) = (Instant::now(), cpu_seconds());
        let branch = Branch::build(self.lake.clone(), log, clock);
        let stop = CancellationToken::new();
        let task = tokio::spawn(branch.run(stop.clone()));
        self.lake.flush().await.expect("the last commit");
        let (elapsed, cpu) = (started.elapsed().as_secs_f64(), cpu_seconds() - cpu - making * readings);
        stop.cancel();
        task.await.expect("the branch ends").expect("in order");
        println!(
            "  branch to Parquet, fsync and commit: {:.2} M readings/s, {:.2} M/s a core (at least 2); peak \
             memory {} MiB",
            readings / elapsed / 1e6,
            readings / cpu / 1e6,
            peak_memory_mib("self")
        );
    }

    /// Compacts the lake, and says how large it is then.
    pub(crate) async fn compact(&self) {
        reset_peak_memory("self");
        let (started, cpu) = (Instant::now(), cpu_seconds());
        let done = self.lake.compact("readings", CompactOptions::default()).await.expect("compaction");
        let (elapsed, cpu) = (started.elapsed().as_secs_f64(), cpu_seconds() - cpu);
        let rows = done.rows as f64;
        if done.files_before > 0 {
            println!(
                "  compaction of {} files to {} in {elapsed:.1} s: {:.2} M rows/s a core; peak memory {} MiB",
                done.files_before,
                done.files_after,
                rows / cpu / 1e6,
                peak_memory_mib("self")
            );
        }
        let files = self.files();
        let bytes: u64 =
            files.iter().map(|file| std::fs::metadata(file).expect("the file is there").len()).sum();
        println!("  {} files, {:.2} bytes a reading (at most 6)", files.len(), bytes as f64 / self.readings);
    }

    /// The files of the newest snapshot, by the commits of its Delta log, none of which is gone yet.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let log = std::fs::read_dir(self.table().join("_delta_log"))
            .expect("a Delta log")
            .map(|entry| entry.expect("an entry").path());
        let mut commits: Vec<PathBuf> =
            log.filter(|path| path.extension().is_some_and(|extension| extension == "json")).collect();
        commits.sort();
        let mut files = BTreeSet::new();
        for commit in commits {
            for line in std::fs::read_to_string(commit).expect("a commit").lines() {
                let action: Value = serde_json::from_str(line).expect("an action");
                if let Some(path) = action["add"]["path"].as_str() {
                    files.insert(self.table().join(path));
                } else if let Some(path) = action["remove"]["path"].as_str() {
                    files.remove(&self.table().join(path));
                }
            }
        }
        files.into_iter().collect()
    }

    /// How many readings it was filled with.
    pub(crate) const fn readings(&self) -> f64 {
        self.readings
    }

    /// The folder of the table of readings.
    pub(crate) fn table(&self) -> PathBuf {
        self.folder.join("readings")
    }

    /// Asset and signal of a series.
    pub(crate) fn names(&self, id: SeriesId) -> (String, String) {
        let series = self.series.read();
        let def = series.def(id).expect("a series");
        (def.asset.to_string(), def.signal.to_string())
    }
}

/// What it takes to make one reading of `source`, s of one core.
fn making_seconds(source: &Source) -> f64 {
    let twin = Source::made(if source.is_made() { 2_000_000 } else { return 0.0 });
    let cpu = cpu_seconds();
    let made = twin.read(Offset(0), usize::MAX, usize::MAX).expect("it makes them");
    let seconds = cpu_seconds() - cpu;
    drop(made);
    seconds / twin.readings as f64
}

/// What this process has used of all cores so far, s.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("the kernel knows it");
    // The name of the program, in parentheses, may hold blanks; behind it the 12th and 13th fields are ticks
    // of 10 ms.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |field: usize| fields[field].parse::<f64>().expect("a number");
    (ticks(11) + ticks(12)) / 100.0
}

/// Lets the peak of a process's memory begin again.
pub(crate) fn reset_peak_memory(process: &str) {
    std::fs::write(format!("/proc/{process}/clear_refs"), "5").expect("the kernel lets its own user");
}

/// The most memory a process has held at once since then, MiB.
pub(crate) fn peak_memory_mib(process: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("the kernel knows it");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the kernel knows it");
    line.trim_end_matches("kB").trim().parse::<u64>().expect("a number") / 1024
}
