//! When snapshots of folded state are taken, and what the log is told of them.
//!
//! A snapshot is saved while the runner goes on: the store may take its time, or be away, and alerts must not
//! wait for it. Once it is saved the log hears that it is needed from the snapshot *before* on, which is the
//! one to start from should the newest turn out to be damaged.
//!
//! In a log that has no room left nothing happens any more, so there would be no snapshot behind the newest,
//! and what lies between the two would never be trimmed. For that case the newest is saved a second time:
//! there are two again, and the log is needed from there on only. Where an alert waits for room and no state
//! is at hand, the second one is a copy of the first.

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
/// How long the end waits for the store. Without the last snapshot the next start has more of the log to
/// read, and that is all.
const FINISH: Duration = Duration::from_secs(15);
/// Requests for a snapshot that may wait.
const MAX_REQUESTS: usize = 16;
/// Less room than this is scarce for any alerts, in a log that is not small itself.
const SCARCE_BYTES: u64 = 256 << 20;
/// How much sooner it is scarce for what the clock or new definitions may bring about, as that may concern
/// every asset at once.
const ALL_AT_ONCE: u64 = 4;
/// About what the alerts on one reading may take.
const READING_ALERTS_BYTES: u64 = 2 << 10;

/// Where to send which snapshot there is, or why there is none.
pub(crate) type SnapshotReply = oneshot::Sender<Result<SavedSnapshot, String>>;

/// Requests for snapshots beside those that are due: how to make one, and what the runner takes them from.
pub(crate) fn snapshot_requests() -> (TakeSnapshot, mpsc::Receiver<SnapshotReply>) {
    let (sender, requests) = mpsc::channel(MAX_REQUESTS);
    let take: TakeSnapshot = Arc::new(move || {
        let sender = sender.clone();
        Box::pin(async move {
            let stopped = || "the server is shutting down".to_owned();
            let (reply, answer) = oneshot::channel();
            sender.send(reply).await.map_err(|_| stopped())?;
            answer.await.map_err(|_| stopped())?
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

    /// Whether the alerts on so many readings may find none; `at_once`: any number of alerts may come beside
    /// them.
    fn is_scarce(self, readings: u64, at_once: bool) -> bool {
        let free = self.max_bytes.saturating_sub(self.used_bytes);
        let least = SCARCE_BYTES.min(self.max_bytes / 8) * if at_once { ALL_AT_ONCE } else { 1 };
        // Other readings may take the rest of the room meanwhile.
        free < least || free.min(self.max_bytes / 16) < readings * READING_ALERTS_BYTES
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
    pub(crate) saved: Option<SavedSnapshot>,
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
    /// Gives which one it is, and whether the log could be told.
    task: JoinHandle<Result<(SavedSnapshot, bool)>>,
    /// What the log is told if it is saved.
    before: Option<Offset>,
    /// Who asked for it.
    replies: Vec<SnapshotReply>,
}

/// How a snapshot fared.
struct Saved {
    saving: Saving,
    outcome: Result<(SavedSnapshot, bool)>,
}

impl Snapshots {
    /// To be called within the runtime.
    pub(crate) fn new(parts: SnapshotParts) -> Self {
        parts
            .metrics
            .snapshot_offset
            .store(parts.saved.as_ref().map_or(0, |saved| saved.offset.0), Ordering::Relaxed);
        let period = LOOK_EVERY.min(parts.every);
        let now = Instant::now();
        Self {
            pace: tokio::time::interval_at(now + period, period),
            taken: now,
            needed: None,
            saving: None,
            parts,
        }
    }

    /// Whether the alerts on `records` may find no room in the log.
    pub(crate) fn room_is_scarce(&self, records: &[(Offset, Arc<Record>)]) -> bool {
        let (mut readings, mut at_once) = (0, false);
        for (_, record) in records {
            match record.as_ref() {
                Record::Readings(batch) => readings += batch.len() as u64,
                Record::Tick(_) | Record::Definitions(_) => at_once = true,
                _ => {}
            }
        }
        (self.parts.room)().is_scarce(readings, at_once)
    }

    /// Waits until a snapshot is wanted, and gives those who want it: nobody, if it is merely due.
    /// Cancel-safe.
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

    /// Takes a snapshot at `offset` and begins to save it, unless nothing has happened since the last one.
    /// `state` is the read model as of `offset`, and `folded` gives the rest.
    pub(crate) async fn take(
        &mut self,
        offset: Offset,
        state: &SharedState,
        replies: Vec<SnapshotReply>,
        folded: impl FnOnce() -> Result<Folded>,
    ) -> Result<()> {
        if let Some(saved) = self.parts.saved.as_ref().filter(|saved| offset <= saved.offset)
            && !(replies.is_empty() && offset == saved.offset && self.wants_a_second())
        {
            answer(replies, &Ok(saved.clone()));
            return Ok(());
        }
        // The intake waits until all that its state rests on is durable, so the snapshot never holds what a
        // crash could take back.
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
        let (before, store, log) =
            (self.parts.saved.clone(), self.parts.store.clone(), Arc::clone(&self.parts.log));
        let needed = before.as_ref().map(|before| before.offset);
        let task = tokio::spawn(async move {
            let saved = store.save(snapshot, before.as_ref()).await?;
            anyhow::Ok((saved, tell(needed, log).await?))
        });
        self.saving = Some(Saving { task, before: needed, replies });
        Ok(())
    }

    /// Lets the log have the room up to the newest snapshot, where an alert waits for room and there is no
    /// state to take another one of, which those hear who want one.
    pub(crate) fn take_again(&mut self, replies: Vec<SnapshotReply>) {
        answer(replies, &Err("the log has no room for alerts; try again once it has some".to_owned()));
        let Some(good) = self
            .parts
            .saved
            .clone()
            .filter(|saved| self.saving.is_none() && self.needed < Some(saved.offset))
        else {
            return;
        };
        let (store, log, needed) = (self.parts.store.clone(), Arc::clone(&self.parts.log), Some(good.offset));
        let task = tokio::spawn(async move {
            let saved = store.save_again(&good).await?;
            anyhow::Ok((saved, tell(needed, log).await?))
        });
        self.saving = Some(Saving { task, before: needed, replies: Vec::new() });
    }

    /// Whether the log needs room and keeps for the snapshot before the newest what the newest does not need.
    fn wants_a_second(&self) -> bool {
        self.needed < self.parts.saved.as_ref().map(|saved| saved.offset) && (self.parts.room)().is_pressed()
    }

    /// Waits for the snapshot that is on its way, if the store lets it. `false`: it has not come by the
    /// `deadline`.
    pub(crate) async fn settle(&mut self, deadline: Instant) -> bool {
        if self.saving.is_none() {
            return true;
        }
        let Ok(saved) = tokio::time::timeout_at(deadline, saved(&mut self.saving)).await else {
            tracing::warn!(
                "the store did not take the last snapshot in time; the next start reads more of the log"
            );
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
            Ok((saved, told)) => {
                if told {
                    self.needed = saving.before;
                }
                self.parts.metrics.snapshot_offset.store(saved.offset.0, Ordering::Relaxed);
                answer(saving.replies, &Ok(saved.clone()));
                self.parts.saved = Some(saved);
            }
            Err(error) => {
                // The log keeps what the snapshot would have spared it; a store that is away now may be back
                // later.
                let error = format!("{error:#}");
                answer(saving.replies, &Err(error.clone()));
                tracing::error!(error, "a snapshot could not be saved; the log grows until one can");
            }
        }
    }
}

/// Tells the log from where on it is needed; whether it could be told comes back.
async fn tell(needed: Option<Offset>, log: Arc<dyn Log>) -> Result<bool> {
    let Some(needed) = needed else { return Ok(false) };
    let told = tokio::task::spawn_blocking(move || log.checkpoint(CONSUMER, needed)).await?;
    if let Err(error) = &told {
        tracing::error!(%error, "the older snapshot's offset could not be noted in the log, which grows until it can");
    }
    Ok(told.is_ok())
}

/// How the snapshot that is on its way fared; waits for ever while none is. Cancel-safe.
async fn saved(under_way: &mut Option<Saving>) -> Saved {
    loop {
        let Some(saving) = under_way else { return std::future::pending().await };
        let outcome = (&mut saving.task)
            .await
            .unwrap_or_else(|error| Err(anyhow::anyhow!("saving it was cut off: {error}")));
        if let Some(saving) = under_way.take() {
            return Saved { saving, outcome };
        }
    }
}

fn answer(replies: Vec<SnapshotReply>, outcome: &Result<SavedSnapshot, String>) {
    for reply in replies {
        // Whoever asked may have given up.
        let _ = reply.send(outcome.clone());
    }
}
