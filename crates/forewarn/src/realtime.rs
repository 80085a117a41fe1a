//! The runner of the real-time path: follows the log, steps the pure engine, appends what it decides, folds
//! the read model, and lets snapshots be taken.
//!
//! The engine's decisions are records too. After a restart the engine is given again what it had seen since
//! the snapshot, and decides the same again; a decision that is already in the log (known by its cause and
//! ordinal) is not appended a second time.
//!
//! A decision may have to wait for room in the log, and room comes only from what snapshots make superfluous.
//! So where room is scarce the state of before each batch of records is kept, and snapshots rest on it while
//! the decisions of the batch wait. Scarcity is a guess; where it was wrong, a second copy of the newest
//! snapshot makes room up to that one.

mod snapshots;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::{Context as _, Result};
use forewarn_api::SharedState;
use forewarn_engine::{Actions, Engine, is_news};
use forewarn_log::{Follower, Log, Ticket};
use forewarn_types::{AlertTransition, Definitions, JournalError, Offset, Record, crash_point};
use tokio_util::sync::CancellationToken;

use self::snapshots::{Folded, SnapshotReply};
pub(crate) use self::snapshots::{LogRoom, SnapshotParts, Snapshots, snapshot_requests};
use crate::metrics::RealTimeMetrics;

/// The log's name for this consumer.
pub(crate) const CONSUMER: &str = "state";
const MAX_RECORDS: usize = 256;
const RETRY: std::time::Duration = std::time::Duration::from_millis(100);

/// What the runner works with.
pub(crate) struct RealTime {
    /// The log it follows and appends to.
    pub(crate) log: Arc<dyn Log>,
    /// The engine, as of `from`.
    pub(crate) engine: Engine,
    /// The read model, as of `from`.
    pub(crate) state: SharedState,
    /// The definitions in force at `from`.
    pub(crate) definitions: Definitions,
    /// The newest transition that is already in the log.
    pub(crate) emitted: Option<(Offset, u32)>,
    /// Takes snapshots.
    pub(crate) snapshots: Snapshots,
    /// The first record that is not folded in yet.
    pub(crate) from: Offset,
    /// Counts for `/metrics`.
    pub(crate) metrics: Arc<RealTimeMetrics>,
}

impl RealTime {
    /// Runs until `shutdown`, then takes a last snapshot.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) -> Result<()> {
        let mut follower = Follower::new(Arc::clone(&self.log), self.from);
        loop {
            let position = follower.position();
            tokio::select! {
                () = shutdown.cancelled() => break,
                replies = self.snapshots.wanted() => self.snapshot(position, replies).await?,
                records = follower.next(MAX_RECORDS) => {
                    let records = records.context("the real-time path cannot read the log")?;
                    if !self.take(position, &records, &shutdown).await? {
                        return Ok(());
                    }
                }
            }
        }
        while follower.position() < self.log.end() {
            let position = follower.position();
            let records = follower.next(MAX_RECORDS).await?;
            if !self.take(position, &records, &shutdown).await? {
                return Ok(());
            }
        }
        self.finish(follower.position()).await
    }

    /// Waits for the snapshot that is on its way, and takes a last one, if the store lets it.
    async fn finish(&mut self, end: Offset) -> Result<()> {
        let deadline = Snapshots::deadline();
        if !self.snapshots.settle(deadline).await {
            return Ok(());
        }
        self.snapshot(end, Vec::new()).await?;
        self.snapshots.settle(deadline).await;
        Ok(())
    }

    /// Lets a snapshot be taken of the state as it is, which is that at `position`.
    async fn snapshot(&mut self, position: Offset, replies: Vec<SnapshotReply>) -> Result<()> {
        let Self { engine, definitions, emitted, snapshots, state, .. } = self;
        snapshots.take(position, state, replies, || fold(position, engine, definitions, *emitted)).await
    }

    /// Takes in `records`, of which the first is that at `position`. False: the log has no room for what the
    /// engine decided, and the server is to end. The state then holds decisions that are not on record, so no
    /// snapshot may be taken of it; the next start decides the same again.
    async fn take(
        &mut self,
        position: Offset,
        records: &[(Offset, Arc<Record>)],
        shutdown: &CancellationToken,
    ) -> Result<bool> {
        let mut actions = Actions::default();
        let scarce = self.snapshots.room_is_scarce(records);
        let Self { engine, definitions, emitted, .. } = self;
        let before = tokio::task::block_in_place(|| {
            let before = if scarce { Some(fold(position, engine, definitions, *emitted)?) } else { None };
            for (offset, record) in records {
                if let Record::Definitions(new) = record.as_ref() {
                    definitions.clone_from(new);
                }
                engine.step(*offset, record, &mut actions);
            }
            anyhow::Ok(before)
        })?;
        for problem in &actions.problems {
            self.metrics.problems.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(problem, "the engine could not do something");
        }
        let emitted = self.emit(actions.transitions, before.as_ref(), shutdown).await?;
        if emitted {
            self.state.apply(records);
        }
        Ok(emitted)
    }

    /// Appends what is not in the log yet, in order, and waits until all of it is durable: a snapshot may
    /// then rest on it. False as in [`RealTime::take`].
    async fn emit(
        &mut self,
        transitions: Vec<AlertTransition>,
        before: Option<&Folded>,
        shutdown: &CancellationToken,
    ) -> Result<bool> {
        let mut last: Option<Ticket> = None;
        for transition in transitions {
            if !is_news(&transition, &mut self.emitted) {
                continue;
            }
            self.metrics.transitions.fetch_add(1, Ordering::Relaxed);
            crash_point("alert.before");
            match self.submit(Record::Alert(transition), before, shutdown).await? {
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

    /// Submits, and waits where the log is full: alerts are never dropped. Snapshots of the state `before`
    /// what the alert came from may make the room meanwhile. Nothing if the server is to end.
    async fn submit(
        &mut self,
        record: Record,
        before: Option<&Folded>,
        shutdown: &CancellationToken,
    ) -> Result<Option<Ticket>> {
        let mut waited = false;
        loop {
            match self.log.submit(record.clone()) {
                Ok(ticket) => return Ok(Some(ticket)),
                Err(JournalError::Full(reason)) => {
                    if !waited {
                        tracing::warn!(reason, "the log is full; an alert waits for room");
                        waited = true;
                    }
                }
                Err(error) => return Err(error).context("the log does not take alerts"),
            }
            tokio::select! {
                () = shutdown.cancelled() => return Ok(None),
                replies = self.snapshots.wanted() => match before {
                    Some(before) => self.snapshots.take(before.offset, &self.state, replies, || Ok(before.clone())).await?,
                    None => self.snapshots.take_again(replies),
                },
                () = tokio::time::sleep(RETRY) => {}
            }
        }
    }
}

/// What the runner has folded up to `offset`.
fn fold(
    offset: Offset,
    engine: &Engine,
    definitions: &Definitions,
    emitted: Option<(Offset, u32)>,
) -> Result<Folded> {
    let engine = engine.snapshot().context("cannot take a snapshot of the engine")?;
    Ok(Folded { offset, emitted, definitions: definitions.clone(), engine })
}
