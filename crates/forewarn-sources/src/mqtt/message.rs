//! An MQTT message, and what acknowledges it.

use rumqttc::{ManualAck, Publish};

use crate::status::Letter;

/// One value needs no more; a longer payload is a dead letter.
pub(super) const MAX_PAYLOAD_BYTES: usize = 64 << 10;
/// What is kept of a longer payload, to be shown.
const HEAD_BYTES: usize = 4 << 10;

/// A message on its way from the connection to the intake.
#[derive(Debug)]
pub(crate) struct Message {
    pub(super) topic: String,
    /// The payload, or its beginning if it is too long.
    payload: Vec<u8>,
    /// Bytes of the whole payload.
    payload_bytes: usize,
    /// The broker kept it for new subscribers; how old it is, is not known.
    pub(super) retained: bool,
}

/// An acknowledgement, good for one connection only: in the next one the broker uses the same packet numbers
/// for other messages.
#[derive(Debug)]
pub(crate) struct Ack {
    pub(super) connection: u64,
    pub(super) packet: ManualAck,
}

impl Message {
    pub(super) fn new(publish: &Publish) -> Self {
        let payload_bytes = publish.payload.len();
        let kept = if payload_bytes > MAX_PAYLOAD_BYTES { HEAD_BYTES } else { payload_bytes };
        Self {
            topic: String::from_utf8_lossy(&publish.topic).into_owned(),
            payload: publish.payload[..kept].to_vec(),
            payload_bytes,
            retained: publish.retain,
        }
    }

    /// The payload, unless it is too long.
    pub(super) fn payload(&self) -> Result<&[u8], String> {
        if self.payload_bytes > MAX_PAYLOAD_BYTES {
            return Err(format!("the payload of {} bytes is too long for one value", self.payload_bytes));
        }
        Ok(&self.payload)
    }

    pub(super) fn letter(&self) -> Letter<'_> {
        Letter { topic: &self.topic, payload: &self.payload, payload_bytes: self.payload_bytes }
    }
}
