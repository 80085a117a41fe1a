//! The runner of the real-time path: hands the records of the log to the folds, and appends what they decide.
//!
//! Records come in batches. The fold that judges takes a batch in first. What it decides is made durable, and
//! only then do the other folds take the batch in: so a reader of the read model who has waited for an
//! offset, and after that for the log's end, has seen the consequences.
//!
//! A decision may have to wait for room in the log, and room comes only from what snapshots make superfluous.
//! So where room is scarce the state of before each batch of records is kept, and snapshots rest on it while
//! the decisions of the batch wait. Scarcity is a guess; where it was wrong, a second copy of the newest
//! snapshot makes room up to that one.

mod pace;
mod real_time;
mod room;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use forewarn_log::Log;
use forewarn_types::{BoxFuture, JournalError, Offset, Record, crash_point};

use crate::{Folds, Logged, Parts, PartsToCome, Snapshot, StateError};

pub use pace::{SnapshotReply, TakeSnapshot, snapshot_requests};
pub use real_time::{RealTime, RealTimeParts};
pub use room::LogRoom;

/// The log's name for what snapshots rest on.
pub const CONSUMER: &str = "state";

/// Counts of the real-time path.
#[derive(Debug, Default)]
pub struct RunnerMetrics {
    /// Decisions since the start that were not in the log yet.
    pub transitions: AtomicU64,
    /// Problems that were reported since the start.
    pub problems: AtomicU64,
    /// Offset of the newest snapshot.
    pub snapshot_offset: AtomicU64,
    /// Records behind the snapshot that the start had to read again.
    pub replayed: AtomicU64,
}

/// Drives the folds, one step after the other. It has no clock and starts nothing.
pub struct Runner {
    log: Arc<dyn Log>,
    folds: Folds,
    /// Every fold has taken in the records before this one.
    position: Offset,
    batch: Option<Batch>,
    /// Why the log did not take a decision.
    failed: Option<JournalError>,
    metrics: Arc<RunnerMetrics>,
}

/// Records that have been judged, and not been applied yet.
struct Batch {
    records: Vec<Logged>,
    /// The state of before they were judged, if it was kept.
    before: Option<Parts>,
    /// What was decided on them, and is not in line for the log.
    decisions: VecDeque<Record>,
    /// Resolves once what was put in line is durable.
    durable: Option<BoxFuture<'static, Result<Offset, JournalError>>>,
}

impl Runner {
    /// A runner of `folds`, which have taken in every record of `log` before `position`.
    #[must_use]
    pub const fn new(log: Arc<dyn Log>, folds: Folds, position: Offset, metrics: Arc<RunnerMetrics>) -> Self {
        Self { log, folds, position, batch: None, failed: None, metrics }
    }

    /// Every fold has taken in the records before this one.
    #[must_use]
    pub const fn position(&self) -> Offset {
        self.position
    }

    /// Whether records have been judged that are not applied yet.
    #[must_use]
    pub const fn is_busy(&self) -> bool {
        self.batch.is_some()
    }

    /// Lets `records`, which begin at [`Runner::position`], be judged; [`Runner::submit`] and
    /// [`Runner::settle`] follow, and until they are done no other call of this. Where `room_is_scarce` the
    /// state of before is kept, so that a snapshot can be taken meanwhile.
    ///
    /// # Errors
    /// If that state cannot be encoded.
    pub fn judge(&mut self, records: Vec<Logged>, room_is_scarce: bool) -> Result<(), StateError> {
        let before = room_is_scarce.then(|| self.folds.judging_parts()).transpose()?;
        let decisions = self.folds.judge(&records);
        for problem in &decisions.problems {
            self.metrics.problems.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(problem, "the engine could not do something");
        }
        self.metrics.transitions.fetch_add(decisions.records.len() as u64, Ordering::Relaxed);
        let decisions = decisions.records.into();
        self.batch = Some(Batch { records, before, decisions, durable: None });
        Ok(())
    }

    /// Puts what was decided in line for the log, in order. False: the log has no room for the rest; alerts
    /// are never dropped, so this is called again.
    ///
    /// # Errors
    /// If the log takes no more records. No snapshot can be taken then: the state holds decisions that are
    /// not in the log. The next start decides the same again.
    pub fn submit(&mut self) -> Result<bool, StateError> {
        if let Some(error) = &self.failed {
            return Err(error.clone().into());
        }
        let Some(batch) = &mut self.batch else { return Ok(true) };
        while let Some(decision) = batch.decisions.front() {
            crash_point("alert.before");
            match self.log.submit(decision.clone()) {
                Ok(ticket) => batch.durable = Some(ticket.durable),
                Err(JournalError::Full(reason)) => {
                    tracing::debug!(reason, "an alert waits for room in the log");
                    return Ok(false);
                }
                Err(error) => return Err(self.fail(error)),
            }
            batch.decisions.pop_front();
        }
        Ok(true)
    }

    /// Waits until what is in line is durable. If that is all that was decided, the batch is done: the other
    /// folds take it in. Cancel-safe.
    ///
    /// # Errors
    /// As of [`Runner::submit`].
    pub async fn settle(&mut self) -> Result<(), StateError> {
        if let Some(error) = &self.failed {
            return Err(error.clone().into());
        }
        let Some(batch) = &mut self.batch else { return Ok(()) };
        if let Some(durable) = &mut batch.durable {
            let outcome = durable.await;
            batch.durable = None;
            if let Err(error) = outcome {
                return Err(self.fail(error));
            }
            crash_point("alert.durable");
        }
        if let Some(batch) = self.batch.take_if(|batch| batch.decisions.is_empty()) {
            self.folds.apply(&batch.records);
            if let Some((last, _)) = batch.records.last() {
                self.position = last.next();
            }
        }
        Ok(())
    }

    /// Whether the state at [`Runner::position`] is at hand. It is not while decisions wait and the state of
    /// before was not kept, nor after a failure.
    #[must_use]
    pub fn has_state(&self) -> bool {
        self.failed.is_none() && self.batch.as_ref().is_none_or(|batch| batch.before.is_some())
    }

    /// The state of all folds at [`Runner::position`], if it is at hand. Beside it what is still to come of
    /// it.
    ///
    /// # Errors
    /// If it cannot be encoded.
    pub fn snapshot(&self) -> Result<Option<(Snapshot, PartsToCome)>, StateError> {
        if !self.has_state() {
            return Ok(None);
        }
        let before = self.batch.as_ref().and_then(|batch| batch.before.as_ref());
        let (parts, to_come) = self.folds.parts(before)?;
        Ok(Some((Snapshot { offset: self.position, parts }, to_come)))
    }

    fn fail(&mut self, error: JournalError) -> StateError {
        self.failed = Some(error.clone());
        error.into()
    }
}
