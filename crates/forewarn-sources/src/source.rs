//! What a kind of source has to do, and its link to the pump.
//!
//! The trait fits the three ways in which protocols deliver:
//!
//! - *Push* (MQTT, OPC UA): messages arrive by themselves. [`Link::deliver`] waits while the pump has no
//!   room, so the source reads no more, and the sender keeps what it has.
//! - *Poll* (Modbus, HTTP): the source asks at its own pace and delivers the answer. Nothing is acknowledged:
//!   its receipt is `()`, and it delivers `None`.
//! - *Offset commit* (Kafka, a file's position): a receipt is a position. Receipts come back in the order in
//!   which their messages were delivered, so the last one is the position to commit.

use forewarn_ingest::RawBatch;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::status::{Letter, SourceHandle};

/// Messages between a source and its pump. A source that fills it waits.
const QUEUE_MESSAGES: usize = 1_024;

/// A kind of source.
pub trait Source: Send + Sync + 'static {
    /// What arrives, and is acknowledged, as one: an MQTT message, a Kafka record, one poll of a device.
    type Message: Send + Sync + 'static;
    /// What acknowledges a message: an MQTT packet, a Kafka position. `()` where nothing is acknowledged.
    type Receipt: Send + 'static;

    /// Reads a message into `batch`; all its readings stand in line `line`.
    ///
    /// # Errors
    /// What is wrong with the message, for the operator to read. Readings of it that are in the batch by
    /// then are kept.
    fn decode(&self, message: &Self::Message, line: u32, batch: &mut RawBatch) -> Result<(), String>;

    /// A message as it is shown among the dead letters.
    fn letter<'m>(&self, message: &'m Self::Message) -> Letter<'m>;

    /// Talks to the other side until `shutdown`, and connects again by itself. At the end it closes the
    /// link, and acknowledges what still becomes durable.
    fn run(
        &self,
        link: Link<Self::Message, Self::Receipt>,
        shutdown: CancellationToken,
    ) -> impl Future<Output = ()> + Send;
}

/// A message on its way to the pump.
#[derive(Debug)]
pub struct Delivery<M, R> {
    pub(crate) message: M,
    pub(crate) receipt: Option<R>,
}

/// A source's end of the way to the pump: messages go in, receipts come out.
#[derive(Debug)]
pub struct Link<M, R> {
    /// `None` once nothing more is delivered.
    deliveries: Option<mpsc::Sender<Delivery<M, R>>>,
    receipts: mpsc::UnboundedReceiver<R>,
    status: SourceHandle,
}

/// The pump's end of a [`Link`].
pub(crate) struct PumpEnd<M, R> {
    pub(crate) deliveries: mpsc::Receiver<Delivery<M, R>>,
    pub(crate) receipts: mpsc::UnboundedSender<R>,
}

/// A link, and its other end.
pub(crate) fn link<M, R>(status: SourceHandle) -> (Link<M, R>, PumpEnd<M, R>) {
    let (delivered, deliveries) = mpsc::channel(QUEUE_MESSAGES);
    // Without a bound of its own, yet never longer than what the sender left unacknowledged.
    let (durable, receipts) = mpsc::unbounded_channel();
    let link = Link { deliveries: Some(delivered), receipts, status };
    (link, PumpEnd { deliveries, receipts: durable })
}

impl<M, R> Link<M, R> {
    /// Hands a message to the pump; waits while that has no room. `receipt` comes back once the message is
    /// durable. After [`Link::close`], or once the pump has ended, the message is dropped: it is not
    /// acknowledged, so it comes again.
    pub async fn deliver(&mut self, message: M, receipt: Option<R>) {
        let Some(deliveries) = &self.deliveries else { return };
        self.status.count_received();
        // If the pump has ended, the message is dropped.
        let _sent = deliveries.send(Delivery { message, receipt }).await;
    }

    /// The next receipt of a message that is durable. `None`: the pump has ended, no more will come.
    /// Cancel-safe.
    pub async fn durable(&mut self) -> Option<R> {
        self.receipts.recv().await
    }

    /// Delivers nothing more. The pump finishes what it has, and then [`Link::durable`] gives `None`.
    pub fn close(&mut self) {
        self.deliveries = None;
    }

    /// Where the source notes how it fares.
    #[must_use]
    pub const fn status(&self) -> &SourceHandle {
        &self.status
    }
}
