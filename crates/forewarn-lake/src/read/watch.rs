//! What ends a query before its end: nobody waits for it any more, or queries have come to hold too much
//! memory.
//!
//! polars has no call that stops a query, and counts no memory. But every row a query reads passes a check on
//! its way from a table into the query, batch by batch, and an error there ends the whole query at once. So
//! that is where a query learns that it has been given up, and where the memory that this process has come to
//! hold since the query began is looked at: once it is more than queries may hold, the one that has read most
//! is ended. While it waits for a store, it ends at once.
//!
//! What this does not bound: between two batches, and after the last one, a query is on its own, as in the
//! sorting of all it has read. Memory is that of the whole process, so what others take meanwhile counts too.
//! Where the system does not tell it (elsewhere than on Linux) only cancellation works.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use crate::error::LakeError;

/// Tells the bytes of memory that the process holds, if the system says so.
type Probe = Box<dyn Fn() -> Option<u64> + Send + Sync>;

/// All queries that run.
pub(crate) struct Watch {
    most_bytes: u64,
    probe: Probe,
    running: Mutex<Vec<Arc<State>>>,
}

/// One query that runs. It counts as running until this is dropped.
pub(crate) struct Running {
    watch: Arc<Watch>,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// What the process held when the query began.
    before_bytes: u64,
    read_bytes: AtomicU64,
    given_up: AtomicBool,
    too_large: AtomicBool,
    /// What the process held when the query was told that it is too large.
    told_bytes: AtomicU64,
    /// What it has wanted of files that have to be fetched whole, so that all of it is in memory at once.
    fetched_bytes: AtomicU64,
    /// Cancelled once the query is to end, for whatever reason.
    end: CancellationToken,
}

/// Gives its query up when it is dropped: whoever waits for an answer holds it.
pub(crate) struct Waiting(Arc<State>);

impl Watch {
    /// Queries may let the process grow by `most_bytes`.
    pub(crate) fn new(most_bytes: u64) -> Arc<Self> {
        Self::with_probe(most_bytes, Box::new(resident_bytes))
    }

    pub(crate) fn with_probe(most_bytes: u64, probe: Probe) -> Arc<Self> {
        Arc::new(Self { most_bytes, probe, running: Mutex::default() })
    }

    /// A query begins.
    pub(crate) fn begin(self: &Arc<Self>) -> Running {
        let state = Arc::new(State { before_bytes: (self.probe)().unwrap_or(0), ..State::default() });
        self.running.lock().push(Arc::clone(&state));
        Running { watch: Arc::clone(self), state }
    }

    /// Ends the query that has read most, where the process holds `held_bytes`. While one is about to end
    /// already, it has until the process has grown by another quarter of what queries may take: it may be at
    /// work where it learns of nothing.
    fn end_largest(&self, held_bytes: u64) {
        let running = self.running.lock();
        let ending = running.iter().filter(|state| state.too_large.load(Ordering::Relaxed));
        let told = ending.map(|state| state.told_bytes.load(Ordering::Relaxed)).max();
        if told.is_some_and(|told| held_bytes < told.saturating_add(self.most_bytes / 4)) {
            return;
        }
        let goes_on = |state: &&Arc<State>| {
            !state.too_large.load(Ordering::Relaxed) && !state.given_up.load(Ordering::Relaxed)
        };
        if let Some(largest) =
            running.iter().filter(goes_on).max_by_key(|state| state.read_bytes.load(Ordering::Relaxed))
        {
            largest.told_bytes.store(held_bytes, Ordering::Relaxed);
            largest.too_large.store(true, Ordering::Relaxed);
            largest.end.cancel();
        }
    }
}

impl Running {
    /// What to hold while waiting for the answer.
    pub(crate) fn waiting(&self) -> Waiting {
        Waiting(Arc::clone(&self.state))
    }

    /// `bytes` more go into the query.
    ///
    /// # Errors
    /// If it is to end.
    pub(crate) fn check(&self, bytes: usize) -> Result<(), LakeError> {
        self.ended()?;
        self.state.read_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        if let Some(held) = (self.watch.probe)()
            && held.saturating_sub(self.state.before_bytes) >= self.watch.most_bytes
        {
            self.watch.end_largest(held);
        }
        self.ended()
    }

    /// `bytes` of `table` are to be fetched, beside all that the query has asked for so far.
    ///
    /// # Errors
    /// If that is more than a query may hold.
    pub(crate) fn fetch(&self, table: &str, bytes: u64) -> Result<(), LakeError> {
        let total = self.state.fetched_bytes.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        if total <= self.watch.most_bytes {
            return Ok(());
        }
        Err(LakeError::TooLarge(format!(
            "the query would fetch {} MB from the store, the last of table {table}, and may take {} MB; \
             narrow its time range, name assets, \
             select fewer columns, or raise limits.max_sql_memory",
            total / 1_000_000,
            self.watch.most_bytes / 1_000_000
        )))
    }

    /// Does `work`, and breaks it off where the query is to end.
    ///
    /// # Errors
    /// That of the work, or why the query ends.
    pub(crate) async fn unless_ended<T, E: From<LakeError>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        tokio::select! {
            biased;
            () = self.state.end.cancelled() => {
                let stopped = || LakeError::Stopped("the query has ended".into());
                Err(self.ended().err().unwrap_or_else(stopped).into())
            }
            done = work => done,
        }
    }

    /// Why the query is to end, if it is.
    pub(crate) fn ended(&self) -> Result<(), LakeError> {
        if self.state.given_up.load(Ordering::Relaxed) {
            return Err(LakeError::Stopped("nobody waits for the answer of this query any more".into()));
        }
        if self.state.too_large.load(Ordering::Relaxed) {
            return Err(LakeError::TooLarge(format!(
                "the query needs more memory than the {} MB that queries may take; narrow its time range, \
                 name assets or signals, select \
                 fewer columns, aggregate before sorting or joining, or raise limits.max_sql_memory",
                self.watch.most_bytes / 1_000_000
            )));
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.watch.running.lock().retain(|state| !Arc::ptr_eq(state, &self.state));
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.given_up.store(true, Ordering::Relaxed);
        self.0.end.cancel();
    }
}

/// The memory of this process that no file backs, bytes.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests;
