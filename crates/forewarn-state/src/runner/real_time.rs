//! The real-time path as a stage of the server: follows the log, drives the runner, lets snapshots be taken.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use forewarn_log::{Follower, Log};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::pace::Pace;
use super::{CONSUMER, LogRoom, Runner, RunnerMetrics, SnapshotReply};
use crate::{Folds, Logged, Restored, SnapshotKeeper, SnapshotStore, StateError};

const MAX_RECORDS: usize = 256;
const RETRY: Duration = Duration::from_millis(100);

/// What the real-time path is built from.
pub struct RealTimeParts {
    /// The log it follows and appends to.
    pub log: Arc<dyn Log>,
    /// The folds, restored.
    pub folds: Folds,
    /// What they have been restored from.
    pub restored: Restored,
    /// Where snapshots go.
    pub store: SnapshotStore,
    /// How full the log is.
    pub room: Box<dyn Fn() -> LogRoom + Send + Sync>,
    /// Requests for a snapshot now.
    pub requests: mpsc::Receiver<SnapshotReply>,
    /// How often a snapshot is taken.
    pub every: Duration,
    /// Counts for `/metrics`.
    pub metrics: Arc<RunnerMetrics>,
}

/// The real-time path.
pub struct RealTime {
    log: Arc<dyn Log>,
    runner: Runner,
    pace: Pace,
}

impl RealTime {
    /// Puts it together. To be called within the runtime.
    #[must_use]
    pub fn build(parts: RealTimeParts) -> Self {
        let RealTimeParts { log, folds, restored, store, room, requests, every, metrics } = parts;
        let keeper = SnapshotKeeper::new(Arc::clone(&log), CONSUMER, store, restored.snapshot);
        let runner = Runner::new(Arc::clone(&log), folds, restored.from, Arc::clone(&metrics));
        Self { log, runner, pace: Pace::new(keeper, room, requests, every, metrics) }
    }

    /// Runs until `shutdown`, then takes a last snapshot.
    ///
    /// # Errors
    /// If the log cannot be read or takes no more, or a fold cannot be encoded.
    pub async fn run(mut self, shutdown: CancellationToken) -> Result<(), StateError> {
        let mut follower = Follower::new(Arc::clone(&self.log), self.runner.position());
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                replies = self.pace.wanted() => self.pace.take(&self.runner, replies)?,
                records = follower.next(MAX_RECORDS) => {
                    if !self.step(records?, &shutdown).await? {
                        return Ok(());
                    }
                }
            }
        }
        while follower.position() < self.log.end() {
            let records = follower.next(MAX_RECORDS).await?;
            if !self.step(records, &shutdown).await? {
                return Ok(());
            }
        }
        self.finish().await
    }

    /// Takes `records` in. False: the log has no room for what was decided on them, and the server is to end.
    /// No snapshot is taken then; the next start decides the same again.
    async fn step(&mut self, records: Vec<Logged>, shutdown: &CancellationToken) -> Result<bool, StateError> {
        let is_scarce = self.pace.room().is_scarce(&records);
        tokio::task::block_in_place(|| self.runner.judge(records, is_scarce))?;
        let mut waits = false;
        while !self.runner.submit()? {
            if !waits {
                tracing::warn!("the log is full; an alert waits for room");
                waits = true;
            }
            tokio::select! {
                () = shutdown.cancelled() => return Ok(false),
                replies = self.pace.wanted() => self.pace.take(&self.runner, replies)?,
                () = tokio::time::sleep(RETRY) => {}
            }
        }
        self.runner.settle().await?;
        Ok(true)
    }

    /// Waits for the snapshot that is on its way, and takes a last one, if the store lets it.
    async fn finish(&mut self) -> Result<(), StateError> {
        let deadline = Pace::deadline();
        if !self.pace.settle(deadline).await {
            return Ok(());
        }
        self.pace.take(&self.runner, Vec::new())?;
        self.pace.settle(deadline).await;
        Ok(())
    }
}
