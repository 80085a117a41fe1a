//! Takes the messages that have gathered through the intake as one batch, and then hands their receipts
//! back. While one batch is on its way to the disk the next one gathers: so the source, not the disk, decides
//! how many messages share an fsync.

use std::sync::Arc;
use std::time::Duration;

use forewarn_ingest::{Accepted, IngestError, Intake, RawBatch};
use tokio_util::sync::CancellationToken;

use crate::retry::backoff;
use crate::source::{Delivery, PumpEnd, Source};
use crate::status::SourceHandle;

/// Most messages of one batch.
const MAX_BATCH: usize = 1_000;
/// Longest wait for room in the log.
const MAX_WAIT: Duration = Duration::from_secs(5);

/// Brings what one source delivers into the log.
pub(crate) struct Pump<'s, S> {
    pub(crate) source: &'s S,
    pub(crate) intake: Arc<Intake>,
    pub(crate) status: SourceHandle,
    /// Ends the wait for room.
    pub(crate) stop: CancellationToken,
}

impl<S: Source> Pump<'_, S> {
    /// Runs until the source closes the link, or the log stops.
    pub(crate) async fn run(self, mut end: PumpEnd<S::Message, S::Receipt>) -> Result<(), IngestError> {
        let mut group = Vec::new();
        while end.deliveries.recv_many(&mut group, MAX_BATCH).await > 0 {
            let batch = self.decode(&group);
            let Some(accepted) = self.accept(&batch).await? else { return Ok(()) };
            self.note(&group, accepted);
            for receipt in group.drain(..).filter_map(|delivery| delivery.receipt) {
                // If the source has ended, its message is delivered again.
                let _sent = end.receipts.send(receipt);
            }
        }
        Ok(())
    }

    fn decode(&self, group: &[Delivery<S::Message, S::Receipt>]) -> RawBatch {
        let mut batch = RawBatch::with_capacity(group.len());
        for (line, delivery) in (1..).zip(group) {
            if let Err(reason) = self.source.decode(&delivery.message, line, &mut batch) {
                batch.reject(line as usize, reason);
            }
        }
        batch
    }

    /// Brings a batch into the log, however long that takes: the sender keeps what is not acknowledged.
    /// `None`: the source was stopped before there was room.
    async fn accept(&self, batch: &RawBatch) -> Result<Option<Accepted>, IngestError> {
        let mut refusals = 0;
        loop {
            match self.intake.take(batch).await {
                Err(error) if error.is_retryable() => {
                    if refusals == 0 {
                        let source = self.status.name();
                        tracing::warn!(source, %error, "messages wait for room in the log");
                    }
                    let wait = tokio::time::sleep(backoff(refusals).min(MAX_WAIT));
                    if self.stop.run_until_cancelled(wait).await.is_none() {
                        return Ok(None);
                    }
                    refusals += 1;
                }
                outcome => return outcome.map(Some),
            }
        }
    }

    /// Counts what became of a batch, and keeps each message of which something was refused.
    fn note(&self, group: &[Delivery<S::Message, S::Receipt>], accepted: Accepted) {
        self.status.count_done(group.len() as u64, accepted.rejected_total);
        let mut last = 0;
        for rejected in accepted.rejected {
            let delivery = rejected.line.checked_sub(1).and_then(|index| group.get(index));
            // Refusals are in order of line, which is that of the messages; the first one of each is kept.
            if let Some(delivery) = delivery.filter(|_| rejected.line != last) {
                last = rejected.line;
                self.status.keep_dead_letter(self.source.letter(&delivery.message), rejected.reason);
            }
        }
    }
}
