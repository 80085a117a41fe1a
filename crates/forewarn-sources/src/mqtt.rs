//! Readings from an MQTT 3.1.1 broker, acknowledged only once they are durable.
//!
//! The connection polls the broker and sends acknowledgements; it never waits for the disk. So the broker's
//! window of unacknowledged messages, not the disk, decides how many messages share an fsync.
//!
//! A message that the log has no room for is held, unacknowledged, until there is room; meanwhile the
//! connection stops reading, and the broker keeps what it has.
//!
//! The session is persistent: what arrives at the broker while the server is down is delivered afterwards.
//! What the broker delivers twice is dropped by the intake, provided that the payload carries its time.

mod connection;
mod message;
mod options;
mod payload;
#[cfg(test)]
mod tests;
mod topic;

use forewarn_ingest::{NO_TIME, RawBatch};
use forewarn_spec::{MqttPayload, MqttSource};
use rumqttc::{AsyncClient, MqttOptions, QoS};
use tokio_util::sync::CancellationToken;

use self::connection::Connection;
use self::message::{Ack, Message};
use self::options::connect_options;
use self::topic::TopicMap;
use crate::source::{Link, Source};
use crate::status::Letter;

/// A subscription at a broker.
pub(crate) struct Mqtt {
    options: MqttOptions,
    filter: String,
    qos: QoS,
    topics: TopicMap,
    payload: MqttPayload,
}

impl Mqtt {
    /// Prepares the subscription; nothing is connected yet. Fails if the URL, the topic filter or a template
    /// cannot work; the message is for the operator.
    pub(crate) fn new(settings: &MqttSource) -> Result<Self, String> {
        Ok(Self {
            options: connect_options(settings)?,
            filter: settings.topic.clone(),
            qos: if settings.qos == 0 { QoS::AtMostOnce } else { QoS::AtLeastOnce },
            topics: TopicMap::parse(&settings.topic, &settings.asset, &settings.signal)?,
            payload: settings.payload.clone(),
        })
    }
}

impl Source for Mqtt {
    type Message = Message;
    type Receipt = Ack;

    fn decode(&self, message: &Message, line: u32, batch: &mut RawBatch) -> Result<(), String> {
        let (asset, signal) = self.topics.map(&message.topic).ok_or_else(|| {
            format!(
                "the topic does not match {}: an earlier subscription of this client_id may still be \
                 in force",
                self.filter
            )
        })?;
        let sample = payload::decode(&self.payload, message.payload()?)?;
        if message.retained && sample.time == NO_TIME {
            return Err("a retained message without a time: when it was measured is not known".into());
        }
        batch.push(&asset, &signal, sample.time, sample.value, sample.quality, line);
        Ok(())
    }

    fn letter<'m>(&self, message: &'m Message) -> Letter<'m> {
        message.letter()
    }

    async fn run(&self, link: Link<Message, Ack>, shutdown: CancellationToken) {
        let (client, event_loop) = AsyncClient::builder(self.options.clone()).unbounded().build();
        Connection::new(client, event_loop, self.filter.clone(), self.qos, link).run(shutdown).await;
    }
}
