//! Many seeds, on every core.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use parking_lot::Mutex;

use crate::{Report, run};

/// What many seeds did.
#[derive(Debug, Default)]
pub struct Summary {
    /// Operations on disk and store.
    pub operations: u64,
    /// How often what has happened.
    pub tally: BTreeMap<&'static str, u64>,
    /// Seeds that failed, and what did not hold.
    pub failed: Vec<(u64, Vec<String>)>,
}

/// How far a crowd of seeds is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// This seed begins.
    Begins(u64),
    /// This seed has ended.
    Ended(u64),
}

/// Runs one seed on this thread.
#[must_use]
pub fn run_one(seed: u64, loud: bool) -> Report {
    match tokio::runtime::Builder::new_current_thread().enable_time().build() {
        Ok(runtime) => runtime.block_on(run(seed, loud)),
        Err(error) => Report { broken: vec![format!("no runtime: {error}")], ..Report::default() },
    }
}

/// Runs `seeds` seeds from `from` on, and begins no more once one has failed. `progress` hears of each.
pub fn run_many(from: u64, seeds: u64, progress: impl Fn(Step) + Sync) -> Summary {
    let next = AtomicU64::new(from);
    let summary = Mutex::new(Summary::default());
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= from + seeds || !summary.lock().failed.is_empty() {
                return;
            }
            progress(Step::Begins(seed));
            // A panic of the program is a failure of the seed.
            let report = thread::scope(|scope| scope.spawn(|| run_one(seed, false)).join());
            let report = report
                .unwrap_or_else(|_| Report { broken: vec!["it panicked".to_owned()], ..Report::default() });
            let mut summary = summary.lock();
            summary.operations += report.operations;
            for (what, times) in report.tally {
                *summary.tally.entry(what).or_default() += times;
            }
            if !report.broken.is_empty() {
                summary.failed.push((seed, report.broken));
            }
            drop(summary);
            progress(Step::Ended(seed));
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, std::num::NonZero::get) {
            scope.spawn(work);
        }
    });
    summary.into_inner()
}
