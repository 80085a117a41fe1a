//! When snapshots of folded state are taken, and what the log is told of them.
//!
//! A snapshot is saved while the runner goes on: the store may take its time, or be away, and alerts must not wait for it. Once it is saved
//! the log hears that it is needed from the snapshot *before* on, which is the one to start from should the newest turn out to be damaged.
//!
//! In a log that has no room left nothing happens any more, so there would be no snapshot behind the newest, and what lies between the two
//! would never be trimmed. For that case the newest is saved a second time: there are two again, and the log is needed from there on only.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context as _, Result};
use forewarn_api::{SavedSnapshot, SharedState, TakeSnapshot};
use forewarn_ingest::Intake;
use forewarn_log::Log;
use forewarn_types::{Definitions, Offset, Record};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, Interval};

use super::CONSUMER;
use crate::metrics::RealTimeMetrics;
use crate::snapshot::{Snapshot, SnapshotStore};

/// How often it is looked whether the log wants to be trimmed sooner than the next snapshot is due.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How long the end waits for the store. Without the last snapshot the next start has more of the log to read, and that is all.
const FINISH: Duration = Duration::from_secs(15);
/// Requests for a snapshot that may wait.
const MAX_REQUESTS: usize = 16;
/// Less room than this is scarce for any alerts, in a log that is not small itself.
const SCARCE_BYTES: u64 = 256 << 20;
/// About what the alerts on one reading may take.
const READING_ALERTS_BYTES: u64 = 2 << 10;

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

/// How much of its room the log has used.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LogRoom {
    /// Bytes in use.
    pub(crate) used_bytes: u64,
    /// Bytes that it may use.
    pub(crate) max_bytes: u64,
}

impl LogRoom {
    /// Whether it should be trimmed soon, for which it waits for snapshots.
    const fn is_pressed(self) -> bool {
        self.used_bytes > self.max_bytes / 2
    }

    /// Whether the alerts on so many readings, or those that come with time, may find none.
    fn is_scarce(self, readings: u64) -> bool {
        let needed = SCARCE_BYTES.min(self.max_bytes / 8).max(readings * READING_ALERTS_BYTES);
        self.max_bytes.saturating_sub(self.used_bytes) < needed
    }
}

/// What snapshots are made of and where they go.
pub(crate) struct SnapshotParts {
    /// The log, which is told what it is needed for.
    pub(crate) log: Arc<dyn Log>,
    /// Where they go.
    pub(crate) store: SnapshotStore,
    /// The intake, for its part.
    pub(crate) intake: Arc<Intake>,
    /// How full the log is.
    pub(crate) room: Box<dyn Fn() -> LogRoom + Send + Sync>,
    /// Who wants one now.
    pub(crate) requests: mpsc::Receiver<SnapshotReply>,
    /// The newest snapshot that is known to be good: the one the start rested on, or the last one saved.
    pub(crate) saved: Option<Offset>,
    /// How often one is taken.
    pub(crate) every: Duration,
    /// Counts for `/metrics`.
    pub(crate) metrics: Arc<RealTimeMetrics>,
}

/// What the runner has folded from the log up to some offset, the read model aside.
#[derive(Clone)]
pub(crate) struct Folded {
    /// Every record before this one is folded in.
    pub(crate) offset: Offset,
    /// The newest transition that was in the log.
    pub(crate) emitted: Option<(Offset, u32)>,
    /// The definitions in force.
    pub(crate) definitions: Definitions,
    /// The engine's own snapshot.
    pub(crate) engine: Vec<u8>,
}

/// Takes snapshots: when they are due, when the log is pressed, and when somebody asks.
pub(crate) struct Snapshots {
    parts: SnapshotParts,
    /// The log has been told that nothing before this is needed.
    needed: Option<Offset>,
    pace: Interval,
    taken: Instant,
    saving: Option<Saving>,
}

/// A snapshot on its way into the store.
struct Saving {
    offset: Offset,
    task: JoinHandle<Result<bool>>,
    /// What the log is told if it is saved.
    before: Option<Offset>,
    /// Who asked for it.
    replies: Vec<SnapshotReply>,
}

/// How a snapshot fared: whether it is saved, and whether the log could be told.
struct Saved {
    saving: Saving,
    outcome: Result<bool>,
}

impl Snapshots {
    /// To be called within the runtime.
    pub(crate) fn new(parts: SnapshotParts) -> Self {
        parts.metrics.snapshot_offset.store(parts.saved.map_or(0, |saved| saved.0), Ordering::Relaxed);
        let period = LOOK_EVERY.min(parts.every);
        let now = Instant::now();
        Self { pace: tokio::time::interval_at(now + period, period), taken: now, needed: None, saving: None, parts }
    }

    /// Whether the alerts on `records` may find no room in the log.
    pub(crate) fn room_is_scarce(&self, records: &[(Offset, Arc<Record>)]) -> bool {
        let readings = records.iter().map(|(_, record)| match record.as_ref() {
            Record::Readings(batch) => batch.len() as u64,
            _ => 0,
        });
        (self.parts.room)().is_scarce(readings.sum())
    }

    /// Waits until a snapshot is wanted, and gives those who want it: nobody, if it is merely due. Cancel-safe.
    pub(crate) async fn wanted(&mut self) -> Vec<SnapshotReply> {
        loop {
            tokio::select! {
                saved = saved(&mut self.saving) => self.note(saved),
                Some(reply) = self.parts.requests.recv(), if self.saving.is_none() => return vec![reply],
                _ = self.pace.tick() => {
                    let due = self.taken.elapsed() >= self.parts.every || (self.parts.room)().is_pressed();
                    if due && self.saving.is_none() {
                        self.taken = Instant::now();
                        return Vec::new();
                    }
                }
            }
        }
    }

    /// Takes a snapshot at `offset` and begins to save it, unless nothing has happened since the last one. `state` is the read model as of
    /// `offset`, and `folded` gives the rest.
    pub(crate) async fn take(
        &mut self,
        offset: Offset,
        state: &SharedState,
        replies: Vec<SnapshotReply>,
        folded: impl FnOnce() -> Result<Folded>,
    ) -> Result<()> {
        if let Some(saved) = self.parts.saved.filter(|saved| offset <= *saved)
            && !(replies.is_empty() && offset == saved && self.wants_a_second())
        {
            answer(replies, &Ok(saved));
            return Ok(());
        }
        // The intake waits until all that its state rests on is durable, so the snapshot never holds what a crash could take back.
        let intake = match self.parts.intake.state().await {
            Ok(intake) => intake,
            Err(error) => {
                tracing::warn!(%error, "no snapshot was taken");
                answer(replies, &Err(error.to_string()));
                return Ok(());
            }
        };
        let Folded { offset, emitted, definitions, engine } = folded()?;
        let state = state.snapshot().context("cannot take a snapshot of the read model")?;
        let snapshot = Snapshot { offset, emitted, definitions, intake, engine, state };
        let before = self.parts.saved;
        let task = tokio::spawn(save(snapshot, before, self.parts.store.clone(), Arc::clone(&self.parts.log)));
        self.saving = Some(Saving { offset, task, before, replies });
        Ok(())
    }

    /// Whether the log needs room and keeps for the snapshot before the newest what the newest does not need.
    fn wants_a_second(&self) -> bool {
        self.needed < self.parts.saved && (self.parts.room)().is_pressed()
    }

    /// Waits for the snapshot that is on its way, if the store lets it. `false`: it has not come by the `deadline`.
    pub(crate) async fn settle(&mut self, deadline: Instant) -> bool {
        if self.saving.is_none() {
            return true;
        }
        let Ok(saved) = tokio::time::timeout_at(deadline, saved(&mut self.saving)).await else {
            tracing::warn!("the store did not take the last snapshot in time; the next start reads more of the log");
            return false;
        };
        self.note(saved);
        true
    }

    /// By when all must be done once the server is to end.
    pub(crate) fn deadline() -> Instant {
        Instant::now() + FINISH
    }

    /// Takes note of a snapshot that has been saved, or has not.
    fn note(&mut self, Saved { saving, outcome }: Saved) {
        match outcome {
            Ok(told) => {
                if told {
                    self.needed = saving.before;
                }
                self.parts.saved = Some(saving.offset);
                self.parts.metrics.snapshot_offset.store(saving.offset.0, Ordering::Relaxed);
                answer(saving.replies, &Ok(saving.offset));
            }
            Err(error) => {
                // The log keeps what the snapshot would have spared it; a store that is away now may be back later.
                let error = format!("{error:#}");
                answer(saving.replies, &Err(error.clone()));
                tracing::error!(error, "a snapshot could not be saved; the log grows until one can");
            }
        }
    }
}

/// Saves `snapshot` and tells the log from where on it is needed; whether it could be told comes back.
async fn save(snapshot: Snapshot, before: Option<Offset>, store: SnapshotStore, log: Arc<dyn Log>) -> Result<bool> {
    store.save(snapshot, before).await?;
    let Some(before) = before else { return Ok(false) };
    let told = tokio::task::spawn_blocking(move || log.checkpoint(CONSUMER, before)).await?;
    if let Err(error) = &told {
        tracing::error!(%error, "the older snapshot's offset could not be noted in the log, which grows until it can");
    }
    Ok(told.is_ok())
}

/// How the snapshot that is on its way fared; waits for ever while none is. Cancel-safe.
async fn saved(under_way: &mut Option<Saving>) -> Saved {
    loop {
        let Some(saving) = under_way else { return std::future::pending().await };
        let outcome = (&mut saving.task).await.unwrap_or_else(|error| Err(anyhow::anyhow!("saving it was cut off: {error}")));
        if let Some(saving) = under_way.take() {
            return Saved { saving, outcome };
        }
    }
}

/// Tells `replies` that there is no state now that a snapshot could rest on.
pub(crate) fn refuse(replies: Vec<SnapshotReply>) {
    answer(replies, &Err("the log has no room for alerts; try again once it has some".to_owned()));
}

fn answer(replies: Vec<SnapshotReply>, outcome: &Result<Offset, String>) {
    for reply in replies {
        // Whoever asked may have given up.
        let _ = reply.send(outcome.clone());
    }
}
