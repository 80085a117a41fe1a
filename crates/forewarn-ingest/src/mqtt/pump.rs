//! Takes the messages that have gathered through the intake as one batch, then hands their acknowledgements
//! on.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::status::MqttHandle;
use super::{Ack, Message, PumpParts, backoff, payload};
use crate::{Accepted, IngestError, NO_TIME, RawBatch};

/// Most messages of one batch.
const MAX_BATCH: usize = 1_000;

pub(super) struct Pump {
    parts: PumpParts,
    waiting: mpsc::Receiver<Message>,
    acks: mpsc::UnboundedSender<Ack>,
    status: MqttHandle,
    stop: CancellationToken,
}

impl Pump {
    pub(super) const fn new(
        parts: PumpParts,
        waiting: mpsc::Receiver<Message>,
        acks: mpsc::UnboundedSender<Ack>,
        status: MqttHandle,
        stop: CancellationToken,
    ) -> Self {
        Self { parts, waiting, acks, status, stop }
    }

    /// Runs until the connection ends, or the log stops.
    pub(super) async fn run(mut self) -> Result<(), IngestError> {
        let mut group = Vec::new();
        while self.waiting.recv_many(&mut group, MAX_BATCH).await > 0 {
            let batch = self.decode(&group);
            let Some(accepted) = self.accept(&batch).await? else { return Ok(()) };
            self.note(&group, accepted);
            for ack in group.drain(..).filter_map(|message| message.ack) {
                // The connection has ended with the stage; the broker will deliver the message again.
                let _sent = self.acks.send(ack);
            }
        }
        Ok(())
    }

    fn decode(&self, group: &[Message]) -> RawBatch {
        let mut batch = RawBatch::with_capacity(group.len());
        for (line, message) in (1..).zip(group) {
            if let Err(reason) = self.decode_one(message, line, &mut batch) {
                batch.reject(line as usize, reason);
            }
        }
        batch
    }

    fn decode_one(&self, message: &Message, line: u32, batch: &mut RawBatch) -> Result<(), String> {
        let PumpParts { source, topics, .. } = &self.parts;
        let (asset, signal) = topics.map(&message.topic).ok_or_else(|| {
            format!("the topic does not match {}: an earlier subscription of this client_id may still be in force", source.topic)
        })?;
        let bytes = message
            .payload
            .as_ref()
            .map_err(|length| format!("the payload of {length} bytes is too long for one value"))?;
        let sample = payload::decode(&source.payload, bytes)?;
        if message.retained && sample.time == NO_TIME {
            return Err("a retained message without a time: nobody knows when it was measured".into());
        }
        batch.push(&asset, &signal, sample.time, sample.value, sample.quality, line);
        Ok(())
    }

    /// Brings a batch into the log, however long that takes: the broker keeps what is not acknowledged.
    /// `None`: the stage was stopped before there was room.
    async fn accept(&self, batch: &RawBatch) -> Result<Option<Accepted>, IngestError> {
        let mut refusals = 0;
        loop {
            match self.parts.intake.take(batch).await {
                Err(error) if error.is_retryable() => {
                    if refusals == 0 {
                        tracing::warn!(source = %self.status.client_id(), %error, "MQTT messages are held back");
                    }
                    let wait = tokio::time::sleep(backoff(refusals).min(Duration::from_secs(5)));
                    if self.stop.run_until_cancelled(wait).await.is_none() {
                        return Ok(None);
                    }
                    refusals += 1;
                }
                outcome => return outcome.map(Some),
            }
        }
    }

    fn note(&self, group: &[Message], accepted: Accepted) {
        self.status.count_rejected(accepted.rejected_total);
        let now = self.parts.clock.now();
        for rejected in accepted.rejected {
            let Some(message) = rejected.line.checked_sub(1).and_then(|index| group.get(index)) else {
                continue;
            };
            let payload = message.payload.as_deref().unwrap_or_default();
            self.status.keep_dead_letter(now, &message.topic, rejected.reason, payload);
        }
    }
}
