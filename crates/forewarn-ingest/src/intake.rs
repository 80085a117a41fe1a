//! The one door into the log for readings: names become series, times are judged, repetitions are dropped,
//! late ones are marked.
//!
//! All of that happens under one short lock, the *append lock*, in which the batch is also put in line for
//! the log. So the marks are true for the order of the log, and everything behind the log may trust them.
//! Waiting for the disk happens outside of the lock.
//!
//! What the intake knows (newest time of each series, recent readings) is a fold over the log, like every
//! other state. It changes only together with a successful submission: a batch that the log refuses leaves no
//! trace.

mod accepted;
mod counters;
mod held;
mod judge;
mod limits;
mod origins;
mod pieces;
mod senders;
mod state;
#[cfg(test)]
mod tests;
mod window;

use std::sync::Arc;

use forewarn_log::Log;
use forewarn_types::{Clock, JournalError, Offset, Record, SeriesTable};
use futures::FutureExt as _;
use parking_lot::{Mutex, RwLock};

pub use accepted::Accepted;
use counters::Counters;
pub use counters::IntakeMetrics;
pub use held::{Held, Unsure};
use judge::Judge;
pub use limits::IntakeLimits;
use pieces::Pieces;
pub use senders::SenderAhead;
use senders::Senders;
pub use state::IntakeState;
use state::{Durable, Memory};

use crate::{IngestError, MAX_ERRORS, NO_TIME, RawBatch};

/// Most readings of one log record; larger batches are split.
const MAX_RECORD_ROWS: usize = 65_536;

/// Most definitions of one log record.
const MAX_RECORD_SERIES: usize = 4_096;

/// Turns decoded readings into log records. Shared by all sources.
pub struct Intake {
    log: Arc<dyn Log>,
    series: Arc<RwLock<SeriesTable>>,
    clock: Arc<dyn Clock>,
    limits: IntakeLimits,
    /// The append lock.
    memory: Mutex<Memory>,
    counters: Counters,
    ahead: Mutex<Senders>,
}

impl Intake {
    /// An intake that knows nothing yet: [`Intake::restore`] and [`Intake::replay`] must follow before
    /// readings are accepted into a log that is not empty.
    #[must_use]
    pub fn new(
        log: Arc<dyn Log>,
        series: Arc<RwLock<SeriesTable>>,
        clock: Arc<dyn Clock>,
        limits: IntakeLimits,
    ) -> Self {
        let memory = Mutex::new(Memory::new(limits.duplicate_window));
        Self { log, series, clock, limits, memory, counters: Counters::default(), ahead: Mutex::default() }
    }

    /// Takes a batch in. Returns once every reading of it that was not refused is durable.
    ///
    /// # Errors
    /// [`IngestError::Log`]. If it is retryable the same batch may be sent again: nothing of it was taken in.
    pub async fn accept(&self, batch: RawBatch) -> Result<Accepted, IngestError> {
        self.take(&batch).await
    }

    /// [`Intake::accept`] for a source that may have to try the same batch again.
    ///
    /// # Errors
    /// As there.
    pub async fn take(&self, batch: &RawBatch) -> Result<Accepted, IngestError> {
        self.take_beside(batch, &Held::default()).await
    }

    /// [`Intake::take`], where some of the readings may be `held` already: they count as duplicates.
    ///
    /// # Errors
    /// As there.
    pub async fn take_beside(&self, batch: &RawBatch, held: &Held) -> Result<Accepted, IngestError> {
        let (accepted, durable) = self.submit(batch, held)?;
        if let Some(durable) = durable {
            durable.await?;
        }
        self.counters.add(&accepted);
        Ok(accepted)
    }

    /// Which readings of a batch may be stored already, though the intake does not remember them: those that
    /// are not newer than their series' newest.
    #[must_use]
    pub fn unsure(&self, batch: &RawBatch) -> Unsure {
        let memory = self.memory.lock();
        let table = self.series.read();
        let ids: Vec<_> = batch.names.iter().map(|(asset, signal)| table.get(asset, signal)).collect();
        let mut unsure = Unsure::default();
        for (row, name) in batch.name.iter().enumerate() {
            let (time, value) = (batch.time[row], batch.value[row]);
            if let Some(Some(id)) = ids.get(*name as usize)
                && time != NO_TIME
                && time <= memory.newest(*id)
                && !memory.is_known(*id, time, value)
            {
                unsure.series.push(*id);
                unsure.times.push(time);
            }
        }
        unsure.series.sort_unstable();
        unsure.series.dedup();
        unsure.times.sort_unstable();
        unsure.times.dedup();
        unsure
    }

    /// What the intake knows, to be kept in a snapshot. Returns once all of it is durable, so that a snapshot
    /// never remembers a reading that a crash took from the log. A consumer's checkpoint at
    /// [`IntakeState::next`] may follow once the snapshot is kept.
    ///
    /// # Errors
    /// [`IngestError::Log`] if the log has stopped.
    pub async fn state(&self) -> Result<IntakeState, IngestError> {
        let (mut state, last) = {
            let memory = self.memory.lock();
            (memory.to_state(&self.series.read()), memory.last.clone())
        };
        // What other stages have appended since is no reading, so replay may begin behind the last ones.
        if let Some(last) = last {
            state.next = last.await?.next();
        }
        Ok(state)
    }

    /// Forgets everything, but which number each series has.
    pub fn reset(&self) {
        *self.memory.lock() = Memory::new(self.limits.duplicate_window);
    }

    /// Takes over a snapshot in the place of what was known, also into the shared
    /// table of series. To be called before [`Intake::replay`].
    ///
    /// # Errors
    /// [`IngestError::Restore`] if the snapshot does not belong to this log.
    pub fn restore(&self, snapshot: &IntakeState) -> Result<(), IngestError> {
        let end = self.log.end();
        if snapshot.next > end {
            return Err(IngestError::Restore(format!(
                "the snapshot stands at offset {}, but the log ends at {end}",
                snapshot.next
            )));
        }
        let mut memory = self.memory.lock();
        *memory = Memory::new(self.limits.duplicate_window);
        memory.restore(snapshot, &mut self.series.write())
    }

    /// Takes in what the log holds behind the snapshot, record by record. Records before it are passed over.
    ///
    /// # Errors
    /// [`IngestError::Restore`] if the log defines a series out of order, or has readings of one that it does
    /// not define.
    pub fn replay(&self, offset: Offset, record: &Record) -> Result<(), IngestError> {
        self.memory.lock().replay(offset, record, &mut self.series.write())
    }

    /// Figures for an operator, since the start.
    #[must_use]
    pub fn metrics(&self) -> IntakeMetrics {
        self.counters.snapshot()
    }

    /// Who sent times ahead of the server's clock in the last ten minutes, by asset.
    #[must_use]
    pub fn senders_ahead(&self) -> Vec<SenderAhead> {
        self.ahead.lock().list(self.clock.now())
    }

    /// Everything that needs the append lock. What has to become durable before the batch is acknowledged
    /// comes back beside the outcome.
    fn submit(&self, batch: &RawBatch, held: &Held) -> Result<(Accepted, Option<Durable>), IngestError> {
        let mut memory = self.memory.lock();
        let now = self.clock.now();
        let mut judge = Judge::new(batch, now, &self.limits, &self.series, &memory.origins, held);
        let mut records = Vec::new();
        for rows in Pieces::of(batch, MAX_RECORD_ROWS).iter() {
            let mut readings = judge.batch_with_room(rows.len());
            rows.for_each(|row| judge.row(row, &mut memory, &mut readings));
            if !readings.is_empty() {
                // Records stay in memory for the log's readers, and most of a repeated batch's rows are none.
                readings.shrink();
                records.push(Record::Readings(readings));
            }
        }
        if batch.whole && (judge.outcome.rejected_total > 0 || batch.rejected > 0) {
            memory.undo();
            drop(memory);
            judge.refuse_all();
            return Ok((self.finish(batch, judge), None));
        }
        let durable = if !records.is_empty() {
            match self.submit_records(&mut memory, records) {
                Ok(durable) => Some(durable),
                Err(error) => {
                    memory.undo();
                    return Err(error.into());
                }
            }
        } else if judge.outcome.duplicates > 0 {
            // What a repetition repeats may still be on its way to the disk. The log is made durable in
            // order, so all of it is once the last batch is.
            memory.last.clone()
        } else {
            None
        };
        drop(memory);
        Ok((self.finish(batch, judge), durable))
    }

    /// Puts the definitions that the log does not hold yet in line, then `readings`, all or nothing.
    fn submit_records(&self, memory: &mut Memory, readings: Vec<Record>) -> Result<Durable, JournalError> {
        let new: Vec<_> = self.series.read().defs().iter().skip(memory.series_logged).cloned().collect();
        let mut records: Vec<_> =
            new.chunks(MAX_RECORD_SERIES).map(|piece| Record::Series(piece.to_vec())).collect();
        let origins = memory.origins.unlogged().chunks(MAX_RECORD_SERIES);
        records.extend(origins.map(|piece| Record::Origins(piece.to_vec())));
        records.extend(readings);
        let durable = self.log.submit_all(records)?.durable.shared();
        memory.series_logged += new.len();
        memory.origins.logged();
        memory.commit();
        memory.last = Some(durable.clone());
        Ok(durable)
    }

    fn finish(&self, batch: &RawBatch, judge: Judge<'_>) -> Accepted {
        if judge.outcome.ahead > 0 {
            let (mut ahead, now) = (self.ahead.lock(), self.clock.now());
            judge.ahead().for_each(|(asset, signal, by_us)| ahead.note(asset, signal, by_us, now));
        }
        let (mut accepted, by_reason) = judge.finish();
        if batch.skipped > 0 {
            tracing::debug!(fields = batch.skipped, "fields that are texts were passed over");
        }
        self.counters.reject(by_reason, batch.rejected);
        accepted.rejected_total += batch.rejected;
        accepted.rejected.extend(batch.errors.iter().cloned());
        accepted.rejected.sort_by_key(|rejected| rejected.line);
        accepted.rejected.truncate(MAX_ERRORS);
        accepted
    }
}
