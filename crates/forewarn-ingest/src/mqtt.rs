//! Readings from an MQTT 3.1.1 broker, acknowledged only once they are durable.
//!
//! Two loops run side by side. The *connection* polls the broker and sends acknowledgements; it never waits
//! for the disk. The *pump* takes whatever messages have arrived meanwhile as one batch through the intake,
//! and then hands their acknowledgements back to the connection. So the broker's window of unacknowledged
//! messages, not the disk, decides how many messages share an fsync.
//!
//! A message that the log has no room for is held, unacknowledged, until there is room; meanwhile the
//! connection stops reading, and the broker keeps what it has. A message that cannot be understood is noted
//! as a dead letter and acknowledged: the broker would send it again for ever.
//!
//! The session is persistent: what arrives at the broker while the server is down is delivered afterwards.
//! What the broker delivers twice is dropped by the intake, provided that the payload carries its time.

mod connection;
mod payload;
mod pump;
mod status;
#[cfg(test)]
mod tests;
mod topic;

use std::sync::Arc;
use std::time::Duration;

use forewarn_spec::MqttSource;
use forewarn_types::Clock;
use rumqttc::{AckMode, AsyncClient, ManualAck, MqttOptions, QoS, Transport};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use url::Url;

use connection::Connection;
use pump::Pump;
pub use status::{DeadLetter, MqttHandle, MqttStatus};
use topic::TopicMap;

use crate::{IngestError, Intake};

/// Messages between connection and pump; beyond it the connection stops reading.
const QUEUE_MESSAGES: usize = 1_024;
/// One value needs no more; a longer payload is a dead letter.
const MAX_PAYLOAD_BYTES: usize = 64 << 10;
/// The largest packet of the protocol. A smaller bound would close the connection, and the broker would send
/// the packet again.
const MAX_PACKET_BYTES: usize = 268_435_460;
const KEEP_ALIVE_S: u16 = 30;

/// A subscription at a broker, ready to run.
pub struct MqttStage {
    options: MqttOptions,
    filter: String,
    qos: QoS,
    pump: PumpParts,
    handle: MqttHandle,
}

/// What the pump needs beside its channels.
struct PumpParts {
    source: MqttSource,
    topics: TopicMap,
    intake: Arc<Intake>,
    clock: Arc<dyn Clock>,
}

/// A message on its way from the connection to the intake.
struct Message {
    topic: String,
    /// The payload, or its length if that is beyond the bound.
    payload: Result<Vec<u8>, usize>,
    /// The broker kept it for new subscribers; nobody knows how old it is.
    retained: bool,
    ack: Option<Ack>,
}

/// An acknowledgement, good for one connection only: the broker numbers messages anew in the next one.
struct Ack {
    connection: u64,
    packet: ManualAck,
}

impl MqttStage {
    /// Prepares the subscription; nothing is connected yet.
    ///
    /// # Errors
    /// [`IngestError::Source`] if the URL, the topic filter or a template cannot work.
    pub fn build(
        source: MqttSource,
        intake: Arc<Intake>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, IngestError> {
        let problem = |problem: String| IngestError::Source {
            source_name: format!("mqtt {}", source.client_id),
            problem,
        };
        let options = connect_options(&source).map_err(problem)?;
        let topics = TopicMap::parse(&source.topic, &source.asset, &source.signal).map_err(problem)?;
        let qos = if source.qos == 0 { QoS::AtMostOnce } else { QoS::AtLeastOnce };
        let handle = MqttHandle::new(&source.client_id);
        Ok(Self {
            options,
            filter: source.topic.clone(),
            qos,
            handle,
            pump: PumpParts { source, topics, intake, clock },
        })
    }

    /// Figures and dead letters, also while the stage runs.
    #[must_use]
    pub fn handle(&self) -> MqttHandle {
        self.handle.clone()
    }

    /// Receives until `shutdown`; reconnects by itself.
    ///
    /// # Errors
    /// [`IngestError::Log`] if the log has stopped.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), IngestError> {
        let (messages, waiting) = mpsc::channel(QUEUE_MESSAGES);
        // Unbounded, yet never longer than the messages that the broker left unacknowledged.
        let (ack, acks) = mpsc::unbounded_channel();
        let (client, event_loop) = AsyncClient::builder(self.options).unbounded().build();
        let connection =
            Connection::new(client, event_loop, self.filter, self.qos, messages, acks, self.handle.clone());
        let stop = shutdown.child_token();
        let pump = Pump::new(self.pump, waiting, ack, self.handle, stop.clone());
        let pump = async {
            let outcome = pump.run().await;
            stop.cancel();
            outcome
        };
        let ((), outcome) = tokio::join!(connection.run(stop.clone()), pump);
        outcome
    }
}

fn connect_options(source: &MqttSource) -> Result<MqttOptions, String> {
    let example = "write mqtt://host:1883 or mqtts://host:8883";
    let url =
        Url::parse(&source.url).map_err(|error| format!("its url is not a URL ({error}); {example}"))?;
    let (port, tls) = match url.scheme() {
        "mqtt" => (1883, false),
        "mqtts" => (8883, true),
        other => return Err(format!("its url has the scheme {other}; {example}")),
    };
    let host = url
        .host_str()
        .filter(|host| !host.is_empty())
        .ok_or_else(|| format!("its url names no host; {example}"))?;
    if source.client_id.is_empty() {
        return Err(
            "its client_id is empty; a stable one is needed for the broker to keep the session".into()
        );
    }
    // A URL writes an IPv6 address in brackets, a socket does not.
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let mut options = MqttOptions::new(source.client_id.clone(), (host, url.port().unwrap_or(port)));
    options.set_clean_session(false).set_ack_mode(AckMode::Manual).set_keep_alive(KEEP_ALIVE_S);
    options.set_max_packet_size(MAX_PACKET_BYTES, MAX_PAYLOAD_BYTES);
    if !url.username().is_empty() {
        options.set_credentials(
            percent_decode(url.username())?,
            percent_decode(url.password().unwrap_or_default())?,
        );
    }
    if tls {
        options.set_transport(
            Transport::try_tls_with_default_config()
                .map_err(|error| format!("TLS cannot be set up: {error}"))?,
        );
    }
    Ok(options)
}

/// Reads `%40` as `@`, as URLs write such characters in user names and passwords.
fn percent_decode(text: &str) -> Result<String, String> {
    let error = || "the user or password in its url is not percent-encoded UTF-8; write % as %25".to_owned();
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let digits = part.get(..2).ok_or_else(error)?;
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| error())?);
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    String::from_utf8(bytes).map_err(|_| error())
}

/// The wait before attempt `failures + 1`: doubled each time, at most 30 s.
fn backoff(failures: u32) -> Duration {
    Duration::from_millis(500).saturating_mul(1 << failures.min(6)).min(Duration::from_secs(30))
}
