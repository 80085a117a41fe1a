//! When snapshots are taken: at their pace, when the log is pressed for room, and on request.
//!
//! A snapshot is saved while the runner goes on: the store may take its time, or be away, and alerts must not
//! wait for it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use forewarn_types::BoxFuture;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, Interval};

use super::{LogRoom, Runner, RunnerMetrics};
use crate::{Kept, SavedSnapshot, SnapshotKeeper, StateError};

/// How often it is looked whether the log wants to be trimmed sooner than the next snapshot is due.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How long the end waits for the store. Without the last snapshot the next start has more of the log to
/// read, and that is all.
const FINISH: Duration = Duration::from_secs(15);
/// Requests for a snapshot that may wait.
const MAX_REQUESTS: usize = 16;

/// Takes a snapshot now, or says why that cannot be done.
pub type TakeSnapshot = Arc<dyn Fn() -> BoxFuture<'static, Result<SavedSnapshot, String>> + Send + Sync>;

/// Where to send which snapshot there is, or why there is none.
pub type SnapshotReply = oneshot::Sender<Result<SavedSnapshot, String>>;

/// Requests for snapshots beside those that are due: how to make one, and what the runner takes them from.
#[must_use]
pub fn snapshot_requests() -> (TakeSnapshot, mpsc::Receiver<SnapshotReply>) {
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

/// Takes snapshots of a runner's folds.
pub(super) struct Pace {
    keeper: SnapshotKeeper,
    room: Box<dyn Fn() -> LogRoom + Send + Sync>,
    requests: mpsc::Receiver<SnapshotReply>,
    every: Duration,
    metrics: Arc<RunnerMetrics>,
    look: Interval,
    taken: Instant,
    saving: Option<Saving>,
}

/// A snapshot on its way into the store.
struct Saving {
    task: JoinHandle<Result<Kept, StateError>>,
    /// Who asked for it.
    replies: Vec<SnapshotReply>,
}

/// How a snapshot fared.
struct Saved {
    replies: Vec<SnapshotReply>,
    outcome: Result<Kept, StateError>,
}

impl Pace {
    /// To be called within the runtime.
    pub(super) fn new(
        keeper: SnapshotKeeper,
        room: Box<dyn Fn() -> LogRoom + Send + Sync>,
        requests: mpsc::Receiver<SnapshotReply>,
        every: Duration,
        metrics: Arc<RunnerMetrics>,
    ) -> Self {
        metrics.snapshot_offset.store(keeper.newest().map_or(0, |saved| saved.offset.0), Ordering::Relaxed);
        let period = LOOK_EVERY.min(every);
        let now = Instant::now();
        let look = tokio::time::interval_at(now + period, period);
        Self { keeper, room, requests, every, metrics, look, taken: now, saving: None }
    }

    /// How much room the log has.
    pub(super) fn room(&self) -> LogRoom {
        (self.room)()
    }

    /// Waits until a snapshot is wanted, and gives the requests for it: none, if it is merely due.
    /// Cancel-safe.
    pub(super) async fn wanted(&mut self) -> Vec<SnapshotReply> {
        loop {
            tokio::select! {
                saved = saved(&mut self.saving) => self.note(saved),
                Some(reply) = self.requests.recv(), if self.saving.is_none() => return vec![reply],
                _ = self.look.tick() => {
                    let due = self.taken.elapsed() >= self.every || self.room().is_pressed();
                    if due && self.saving.is_none() {
                        self.taken = Instant::now();
                        return Vec::new();
                    }
                }
            }
        }
    }

    /// Takes a snapshot of `runner` and begins to save it, unless there is one of that state already. While
    /// decisions wait for room and no state is at hand, the newest snapshot is saved a second time.
    pub(super) fn take(&mut self, runner: &Runner, replies: Vec<SnapshotReply>) -> Result<(), StateError> {
        let is_pressed = replies.is_empty() && self.room().is_pressed();
        if runner.has_state()
            && !self.keeper.wants(runner.position(), is_pressed)
            && let Some(saved) = self.keeper.newest()
        {
            answer(replies, &Ok(saved.clone()));
            return Ok(());
        }
        let Some((snapshot, to_come)) = runner.snapshot()? else {
            self.take_again(replies);
            return Ok(());
        };
        let task = tokio::spawn(self.keeper.save(snapshot, to_come));
        self.saving = Some(Saving { task, replies });
        Ok(())
    }

    /// Lets the log have the room up to the newest snapshot.
    fn take_again(&mut self, replies: Vec<SnapshotReply>) {
        answer(replies, &Err("the log has no room for alerts; try again once it has some".to_owned()));
        if self.saving.is_none()
            && let Some(save) = self.keeper.save_again()
        {
            self.saving = Some(Saving { task: tokio::spawn(save), replies: Vec::new() });
        }
    }

    /// Waits for the snapshot that is on its way, if the store lets it. `false`: it has not come by the
    /// `deadline`.
    pub(super) async fn settle(&mut self, deadline: Instant) -> bool {
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
    pub(super) fn deadline() -> Instant {
        Instant::now() + FINISH
    }

    /// Notes a snapshot that has been saved, or has not.
    fn note(&mut self, Saved { replies, outcome }: Saved) {
        match outcome {
            Ok(kept) => {
                self.metrics.snapshot_offset.store(kept.saved.offset.0, Ordering::Relaxed);
                answer(replies, &Ok(kept.saved.clone()));
                self.keeper.note(kept);
            }
            Err(error) => {
                // The log keeps what the snapshot would have spared it; a store that is away now may be back
                // later.
                let error = error.in_full();
                answer(replies, &Err(error.clone()));
                tracing::error!(error, "a snapshot could not be saved; the log grows until one can");
            }
        }
    }
}

/// How the snapshot that is on its way fared; waits for ever while none is. Cancel-safe.
async fn saved(under_way: &mut Option<Saving>) -> Saved {
    loop {
        let Some(saving) = under_way else { return std::future::pending().await };
        let outcome = (&mut saving.task).await.unwrap_or_else(|error| Err(error.into()));
        if let Some(Saving { replies, .. }) = under_way.take() {
            return Saved { replies, outcome };
        }
    }
}

fn answer(replies: Vec<SnapshotReply>, outcome: &Result<SavedSnapshot, String>) {
    for reply in replies {
        // The request may have been given up.
        let _ = reply.send(outcome.clone());
    }
}
