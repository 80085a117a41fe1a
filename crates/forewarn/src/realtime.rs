//! The runner of the real-time path: follows the log, steps the pure engine, appends what it decides, folds the read model, and takes
//! snapshots.
//!
//! The engine's decisions are records too. After a restart the engine is given again what it had seen since the snapshot, and decides
//! the same again; a decision that is already in the log (known by its cause and ordinal) is not appended a second time.
//!
//! A snapshot is saved while the runner goes on: the store may take its time, or be away, and alerts must not wait for it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::{Context as _, Result};
use forewarn_api::{SavedSnapshot, SharedState, TakeSnapshot};
use forewarn_engine::{Actions, Engine, is_news};
use forewarn_ingest::Intake;
use forewarn_log::{Follower, Log, Ticket};
use forewarn_types::{Definitions, JournalError, Offset, Record, crash_point};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
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
/// How long the end waits for the store. Without the last snapshot the next start has more of the log to read, and that is all.
const FINISH: std::time::Duration = std::time::Duration::from_secs(15);
/// Requests for a snapshot that may wait.
const MAX_REQUESTS: usize = 16;

/// Where to send the offset of a snapshot, or why there is none.
pub(crate) type SnapshotReply = oneshot::Sender<Result<Offset, String>>;

/// Requests for snapshots beside those that are due: how to make one, and what the runner takes them from.
pub(crate) fn snapshot_requests(snapshots: SnapshotStore) -> (TakeSnapshot, mpsc::Receiver<SnapshotReply>) {
    let (sender, requests) = mpsc::channel(MAX_REQUESTS);
    let take: TakeSnapshot = Arc::new(move || {
        let (sender, snapshots) = (sender.clone(), snapshots.clone());
        Box::pin(async move {
            let stopped = || "the server is shutting down".to_owned();
            let (reply, answer) = oneshot::channel();
            sender.send(reply).await.map_err(|_| stopped())?;
            let offset = answer.await.map_err(|_| stopped())??;
            Ok(SavedSnapshot { offset, path: snapshots.path(offset) })
        })
    });
    (take, requests)
}

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
    /// Who wants one now.
    pub(crate) requests: mpsc::Receiver<SnapshotReply>,
    /// The newest snapshot that is known to be good: the one the start rested on, or the last one saved.
    pub(crate) saved: Option<Offset>,
    /// How often a snapshot is taken.
    pub(crate) snapshot_every: std::time::Duration,
    /// The first record that is not folded in yet.
    pub(crate) from: Offset,
    /// Counts for `/metrics`.
    pub(crate) metrics: Arc<RealTimeMetrics>,
}

/// A snapshot on its way into the store.
struct Saving {
    offset: Offset,
    task: JoinHandle<Result<()>>,
    /// Who asked for it.
    replies: Vec<SnapshotReply>,
}

impl RealTime {
    /// Runs until `shutdown`, then takes a last snapshot.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) -> Result<()> {
        let mut follower = Follower::new(Arc::clone(&self.log), self.from);
        let mut pace = tokio::time::interval(LOOK_EVERY.min(self.snapshot_every));
        pace.tick().await;
        let (mut taken, mut saving) = (Instant::now(), None);
        self.metrics.snapshot_offset.store(self.saved.map_or(0, |saved| saved.0), Ordering::Relaxed);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                saved = saved(&mut saving) => self.note(saved),
                Some(reply) = self.requests.recv(), if saving.is_none() => {
                    saving = self.snapshot(follower.position(), vec![reply]).await?;
                }
                _ = pace.tick() => if saving.is_none() && (taken.elapsed() >= self.snapshot_every || (self.pressed)()) {
                    taken = Instant::now();
                    saving = self.snapshot(follower.position(), Vec::new()).await?;
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
        self.finish(follower.position(), saving).await
    }

    /// Waits for the snapshot that is on its way, and takes a last one, if the store lets it.
    async fn finish(&mut self, end: Offset, mut saving: Option<Saving>) -> Result<()> {
        let deadline = Instant::now() + FINISH;
        for last in [false, true] {
            if last {
                saving = self.snapshot(end, Vec::new()).await?;
            }
            if saving.is_some() {
                let Ok(saved) = tokio::time::timeout_at(deadline, saved(&mut saving)).await else {
                    tracing::warn!("the store did not take the last snapshot in time; the next start reads more of the log");
                    return Ok(());
                };
                self.note(saved);
            }
        }
        Ok(())
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
            if !is_news(&transition, &mut self.emitted) {
                continue;
            }
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

    /// Takes a snapshot at `offset` and begins to save it, unless nothing has happened since the last one.
    async fn snapshot(&mut self, offset: Offset, replies: Vec<SnapshotReply>) -> Result<Option<Saving>> {
        if let Some(saved) = self.saved.filter(|saved| offset <= *saved) {
            answer(replies, &Ok(saved));
            return Ok(None);
        }
        // The intake waits until all that its state rests on is durable, so the snapshot never holds what a crash could take back.
        let intake = match self.intake.state().await {
            Ok(intake) => intake,
            Err(error) => {
                tracing::warn!(%error, "no snapshot was taken");
                answer(replies, &Err(error.to_string()));
                return Ok(None);
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
        // The log is told within the task: while it is full the runner may wait for the room that this makes.
        let task = tokio::spawn(save(snapshot, self.saved, self.snapshots.clone(), Arc::clone(&self.log)));
        Ok(Some(Saving { offset, task, replies }))
    }

    /// Takes note of a snapshot that has been saved, or has not.
    fn note(&mut self, (offset, outcome, replies): (Offset, Result<()>, Vec<SnapshotReply>)) {
        if let Err(error) = outcome {
            // The log keeps what the snapshot would have spared it; a store that is away now may be back later.
            let error = format!("{error:#}");
            answer(replies, &Err(error.clone()));
            tracing::error!(error, "a snapshot could not be saved; the log grows until one can");
            return;
        }
        self.saved = Some(offset);
        self.metrics.snapshot_offset.store(offset.0, Ordering::Relaxed);
        answer(replies, &Ok(offset));
    }
}

/// Saves `snapshot`. The log is told that it is needed from the snapshot *before* on, which is the one to start from should this one turn
/// out to be damaged.
async fn save(snapshot: Snapshot, before: Option<Offset>, snapshots: SnapshotStore, log: Arc<dyn Log>) -> Result<()> {
    snapshots.save(snapshot, before).await?;
    if let Some(before) = before
        && let Err(error) = tokio::task::spawn_blocking(move || log.checkpoint(CONSUMER, before)).await?
    {
        tracing::error!(%error, "the older snapshot's offset could not be noted in the log, which grows until it can");
    }
    Ok(())
}

/// How the snapshot that is on its way fared; waits for ever while none is. Cancel-safe.
async fn saved(saving: &mut Option<Saving>) -> (Offset, Result<()>, Vec<SnapshotReply>) {
    let Some(under_way) = saving else { return std::future::pending().await };
    let outcome = (&mut under_way.task).await.unwrap_or_else(|error| Err(anyhow::anyhow!("saving it was cut off: {error}")));
    let (offset, replies) = (under_way.offset, std::mem::take(&mut under_way.replies));
    *saving = None;
    (offset, outcome, replies)
}

fn answer(replies: Vec<SnapshotReply>, outcome: &Result<Offset, String>) {
    for reply in replies {
        // Whoever asked may have given up.
        let _ = reply.send(outcome.clone());
    }
}
