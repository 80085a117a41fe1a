//! The runner of the real-time path: follows the log, steps the pure engine, appends what it decides, folds the read model, and takes
//! snapshots.
//!
//! The engine's decisions are records too. After a restart the engine is given again what it had seen since the snapshot, and decides
//! the same again; a decision that is already in the log (known by its cause and ordinal) is not appended a second time.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::{Context as _, Result};
use forewarn_api::SharedState;
use forewarn_engine::{Actions, Engine};
use forewarn_ingest::Intake;
use forewarn_log::{Follower, Log, Ticket};
use forewarn_types::{Definitions, JournalError, Offset, Record, crash_point};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::metrics::RealTimeMetrics;
use crate::snapshot::{Snapshot, SnapshotStore};

/// The log's name for this consumer.
pub(crate) const CONSUMER: &str = "state";
const MAX_RECORDS: usize = 256;
/// How often it is looked whether the log wants to be trimmed sooner than the next snapshot is due.
const LOOK_EVERY: std::time::Duration = std::time::Duration::from_secs(5);
const RETRY: std::time::Duration = std::time::Duration::from_millis(100);

/// What the runner works with.
pub(crate) struct RealTime {
    /// The log it follows and appends to.
    pub(crate) log: Arc<dyn Log>,
    /// Whether the log is so full that it should be trimmed soon, for which it waits for snapshots.
    pub(crate) pressed: Box<dyn Fn() -> bool + Send + Sync>,
    /// The engine, as of `from`.
    pub(crate) engine: Engine,
    /// The read model, as of `from`.
    pub(crate) state: SharedState,
    /// The intake, for its part of the snapshot.
    pub(crate) intake: Arc<Intake>,
    /// The definitions in force at `from`.
    pub(crate) definitions: Definitions,
    /// The newest transition that is already in the log.
    pub(crate) emitted: Option<(Offset, u32)>,
    /// Where snapshots go.
    pub(crate) snapshots: SnapshotStore,
    /// The newest snapshot that is known to be good: the one the start rested on, or the last one saved.
    pub(crate) saved: Option<Offset>,
    /// How often a snapshot is taken.
    pub(crate) snapshot_every: std::time::Duration,
    /// The first record that is not folded in yet.
    pub(crate) from: Offset,
    /// Counts for `/metrics`.
    pub(crate) metrics: Arc<RealTimeMetrics>,
}

impl RealTime {
    /// Runs until `shutdown`, then takes a last snapshot.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) -> Result<()> {
        let mut follower = Follower::new(Arc::clone(&self.log), self.from);
        let mut pace = tokio::time::interval(LOOK_EVERY.min(self.snapshot_every));
        pace.tick().await;
        let mut taken = Instant::now();
        self.metrics.snapshot_offset.store(self.saved.map_or(0, |saved| saved.0), Ordering::Relaxed);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                _ = pace.tick() => if taken.elapsed() >= self.snapshot_every || (self.pressed)() {
                    taken = Instant::now();
                    self.snapshot(follower.position()).await?;
                },
                records = follower.next(MAX_RECORDS) => {
                    let records = records.context("the real-time path cannot read the log")?;
                    if !self.take(&records, &shutdown).await? {
                        return Ok(());
                    }
                }
            }
        }
        while follower.position() < self.log.end() {
            let records = follower.next(MAX_RECORDS).await?;
            if !self.take(&records, &shutdown).await? {
                return Ok(());
            }
        }
        self.snapshot(follower.position()).await
    }

    /// Takes in `records`. False: the log has no room for what the engine decided, and the server is to end. The state then holds
    /// decisions that are not on record, so no snapshot may be taken of it; the next start decides the same again.
    async fn take(&mut self, records: &[(Offset, Arc<Record>)], shutdown: &CancellationToken) -> Result<bool> {
        let mut actions = Actions::default();
        let Self { engine, definitions, .. } = self;
        tokio::task::block_in_place(|| {
            for (offset, record) in records {
                if let Record::Definitions(new) = record.as_ref() {
                    definitions.clone_from(new);
                }
                engine.step(*offset, record, &mut actions);
            }
        });
        for problem in &actions.problems {
            self.metrics.problems.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(problem, "the engine could not do something");
        }
        let emitted = self.emit(actions, shutdown).await?;
        if emitted {
            self.state.apply(records);
        }
        Ok(emitted)
    }

    /// Appends what is not in the log yet, in order, and waits until all of it is durable: a snapshot may then rest on it. False as
    /// in [`RealTime::take`].
    async fn emit(&mut self, actions: Actions, shutdown: &CancellationToken) -> Result<bool> {
        let mut last: Option<Ticket> = None;
        for transition in actions.transitions {
            let key = (transition.cause, transition.ordinal);
            if self.emitted.is_some_and(|emitted| key <= emitted) {
                continue;
            }
            self.emitted = Some(key);
            self.metrics.transitions.fetch_add(1, Ordering::Relaxed);
            crash_point("alert.before");
            match self.submit(Record::Alert(transition), shutdown).await? {
                Some(ticket) => last = Some(ticket),
                None => return Ok(false),
            }
        }
        if let Some(ticket) = last {
            ticket.durable.await.context("the log did not take an alert")?;
            crash_point("alert.durable");
        }
        Ok(true)
    }

    /// Submits, and waits where the log is full: alerts are never dropped. Nothing if the server is to end meanwhile.
    async fn submit(&self, record: Record, shutdown: &CancellationToken) -> Result<Option<Ticket>> {
        let mut waited = false;
        loop {
            match self.log.submit(record.clone()) {
                Ok(ticket) => return Ok(Some(ticket)),
                Err(JournalError::Full(reason)) => {
                    if !waited {
                        tracing::warn!(reason, "the log is full; an alert waits for room");
                        waited = true;
                    }
                    if shutdown.is_cancelled() {
                        return Ok(None);
                    }
                    tokio::time::sleep(RETRY).await;
                }
                Err(error) => return Err(error).context("the log does not take alerts"),
            }
        }
    }

    /// Takes a snapshot at `offset`, unless nothing has happened since the last one. The log is told that it is needed from the snapshot
    /// *before* on, which is the one to start from should this one turn out to be damaged.
    async fn snapshot(&mut self, offset: Offset) -> Result<()> {
        if offset <= self.saved.unwrap_or(self.from) {
            return Ok(());
        }
        // The intake waits until all that its state rests on is durable, so the snapshot never holds what a crash could take back.
        let intake = match self.intake.state().await {
            Ok(intake) => intake,
            Err(error) => {
                tracing::warn!(%error, "no snapshot was taken");
                return Ok(());
            }
        };
        let snapshot = Snapshot {
            offset,
            emitted: self.emitted,
            definitions: self.definitions.clone(),
            intake,
            engine: self.engine.snapshot().context("cannot take a snapshot of the engine")?,
            state: self.state.snapshot().context("cannot take a snapshot of the read model")?,
        };
        let (store, before) = (self.snapshots.clone(), self.saved);
        let saved = tokio::task::spawn_blocking(move || store.save(&snapshot, before)).await.context("saving a snapshot was cut off")?;
        if let Err(error) = saved {
            // The log keeps what the snapshot would have spared it; a disk that is full now may have room later.
            let error = format!("{error:#}");
            tracing::error!(error, "a snapshot could not be saved; the log grows until one can");
            return Ok(());
        }
        self.saved = Some(offset);
        self.metrics.snapshot_offset.store(offset.0, Ordering::Relaxed);
        if let Some(before) = before
            && let Err(error) = self.log.checkpoint(CONSUMER, before)
        {
            tracing::error!(%error, "the older snapshot's offset could not be noted in the log, which grows until it can");
        }
        Ok(())
    }
}
