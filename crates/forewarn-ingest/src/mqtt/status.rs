//! What an operator can see of a subscription: figures, and the last messages that were of no use.

use std::collections::VecDeque;
use std::sync::Arc;

use forewarn_types::Timestamp;
use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::watch;

/// Dead letters that are kept.
const MAX_DEAD_LETTERS: usize = 100;
/// Characters of a dead letter's payload that are kept.
const MAX_PAYLOAD_CHARS: usize = 200;
/// At most one line in the server's log about dead letters in this long.
const LOG_EVERY_US: i64 = 60_000_000;

/// Figures of a subscription, since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct MqttStatus {
    /// Which subscription.
    pub client_id: String,
    /// Whether the broker is connected.
    pub connected: bool,
    /// Whether it delivers: it has confirmed the subscription, or kept it from an earlier connection.
    pub subscribed: bool,
    /// Messages received, repeated deliveries included.
    pub received: u64,
    /// Acknowledgements sent.
    pub acked: u64,
    /// Messages of no use, acknowledged all the same.
    pub rejected: u64,
    /// Connections lost or refused.
    pub failures: u64,
}

/// A message of no use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeadLetter {
    /// When it was looked at, by the server's clock.
    pub time: Timestamp,
    /// Its topic.
    pub topic: String,
    /// What was wrong.
    pub reason: String,
    /// The beginning of its payload.
    pub payload: String,
}

/// Lets others look at a running subscription.
#[derive(Clone)]
pub struct MqttHandle(Arc<Inner>);

struct Inner {
    client_id: String,
    status: watch::Sender<MqttStatus>,
    dead: Mutex<Dead>,
}

struct Dead {
    letters: VecDeque<DeadLetter>,
    logged: Option<Timestamp>,
}

impl MqttHandle {
    pub(super) fn new(client_id: &str) -> Self {
        Self(Arc::new(Inner {
            client_id: client_id.to_owned(),
            status: watch::Sender::new(MqttStatus {
                client_id: client_id.to_owned(),
                ..MqttStatus::default()
            }),
            dead: Mutex::new(Dead { letters: VecDeque::new(), logged: None }),
        }))
    }

    /// The figures, as of now.
    #[must_use]
    pub fn status(&self) -> MqttStatus {
        self.0.status.borrow().clone()
    }

    /// The figures, and word of every change of them.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<MqttStatus> {
        self.0.status.subscribe()
    }

    /// The last messages of no use, oldest first.
    #[must_use]
    pub fn dead_letters(&self) -> Vec<DeadLetter> {
        self.0.dead.lock().letters.iter().cloned().collect()
    }

    pub(super) fn client_id(&self) -> &str {
        &self.0.client_id
    }

    pub(super) fn set_connected(&self, connected: bool) {
        self.0.status.send_modify(|status| status.connected = connected);
    }

    pub(super) fn set_subscribed(&self, subscribed: bool) {
        self.0.status.send_modify(|status| status.subscribed = subscribed);
    }

    pub(super) fn count_received(&self) {
        self.0.status.send_modify(|status| status.received += 1);
    }

    pub(super) fn count_acked(&self) {
        self.0.status.send_modify(|status| status.acked += 1);
    }

    pub(super) fn count_failure(&self) {
        self.0.status.send_modify(|status| status.failures += 1);
    }

    pub(super) fn count_rejected(&self, count: u64) {
        self.0.status.send_modify(|status| status.rejected += count);
    }

    /// Keeps one message of no use, and mentions it in the server's log if that has not been done lately.
    pub(super) fn keep_dead_letter(&self, now: Timestamp, topic: &str, reason: String, payload: &[u8]) {
        // Four bytes are the most that a character takes.
        let beginning = String::from_utf8_lossy(&payload[..payload.len().min(4 * MAX_PAYLOAD_CHARS)]);
        let payload = beginning.chars().take(MAX_PAYLOAD_CHARS).collect();
        let mut dead = self.0.dead.lock();
        if dead.logged.is_none_or(|last| now.since_us(last) >= LOG_EVERY_US || now < last) {
            dead.logged = Some(now);
            let rejected = self.0.status.borrow().rejected;
            tracing::warn!(source = %self.0.client_id, topic, reason, rejected, "an MQTT message is of no use (others are only counted for a minute)");
        }
        if dead.letters.len() == MAX_DEAD_LETTERS {
            dead.letters.pop_front();
        }
        dead.letters.push_back(DeadLetter { time: now, topic: topic.to_owned(), reason, payload });
    }
}
