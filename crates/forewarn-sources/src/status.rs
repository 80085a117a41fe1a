//! How a source fares, the same for every kind: figures, and the last messages that could not be used.

use std::collections::VecDeque;
use std::sync::Arc;

use forewarn_types::{Clock, Timestamp};
use parking_lot::Mutex;
use tokio::sync::watch;

/// Dead letters that are kept.
const MAX_DEAD_LETTERS: usize = 100;
/// Characters of a dead letter's topic, and of its payload, that are kept.
const MAX_LETTER_CHARS: usize = 1_000;
/// At most one line in the server's log about dead letters in this long.
const LOG_EVERY_US: i64 = 60_000_000;

/// Figures of a source, since the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceStatus {
    /// Which source.
    pub name: String,
    /// Which kind, as the pipeline names it.
    pub kind: &'static str,
    /// Whether the other side is connected, and delivers.
    pub connected: bool,
    /// Why it is not connected; `None` before the first attempt has ended.
    pub problem: Option<String>,
    /// Connections and subscriptions that were lost or refused.
    pub failures: u64,
    /// Messages received, repeated deliveries included.
    pub received: u64,
    /// When the last one was received.
    pub last_received: Option<Timestamp>,
    /// Acknowledgements sent. None are sent where the protocol has none.
    pub acknowledged: u64,
    /// Readings refused; a message that cannot be read counts as one.
    pub refused: u64,
    /// Messages put among the dead letters; of these the newest 100 are kept.
    pub dead_letters: u64,
    /// Messages received that are not durable yet.
    pub waiting: u64,
    /// Messages that the other side still holds for this source; `None` where it does not say.
    pub behind: Option<u64>,
}

impl SourceStatus {
    /// How many messages the source is behind, as far as that is known: those that wait here, and those that
    /// wait at the other side.
    #[must_use]
    pub fn lag(&self) -> u64 {
        self.waiting + self.behind.unwrap_or(0)
    }
}

/// A message as its source shows it to people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Letter<'m> {
    /// Where it came from: its topic, or whatever the protocol has instead.
    pub topic: &'m str,
    /// Its payload, or the beginning of it.
    pub payload: &'m [u8],
    /// Bytes of the whole payload.
    pub payload_bytes: usize,
}

/// A message that could not be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// When it was looked at, by the server's clock.
    pub time: Timestamp,
    /// Where it came from.
    pub topic: String,
    /// What was wrong.
    pub reason: String,
    /// The beginning of its payload, as text.
    pub payload: String,
    /// Bytes of the whole payload.
    pub payload_bytes: usize,
}

/// Lets others look at a source while it runs.
#[derive(Clone)]
pub struct SourceHandle(Arc<Inner>);

struct Inner {
    status: watch::Sender<SourceStatus>,
    dead: Mutex<Dead>,
    clock: Arc<dyn Clock>,
}

struct Dead {
    letters: VecDeque<DeadLetter>,
    logged: Option<Timestamp>,
}

impl std::fmt::Debug for SourceHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("SourceHandle").field(&self.status()).finish()
    }
}

impl SourceHandle {
    /// The status of a source that has not begun.
    #[must_use]
    pub fn new(name: String, kind: &'static str, clock: Arc<dyn Clock>) -> Self {
        let status = SourceStatus {
            name,
            kind,
            connected: false,
            problem: None,
            failures: 0,
            received: 0,
            last_received: None,
            acknowledged: 0,
            refused: 0,
            dead_letters: 0,
            waiting: 0,
            behind: None,
        };
        let dead = Mutex::new(Dead { letters: VecDeque::new(), logged: None });
        Self(Arc::new(Inner { status: watch::Sender::new(status), dead, clock }))
    }

    /// The figures, as of now.
    #[must_use]
    pub fn status(&self) -> SourceStatus {
        self.0.status.borrow().clone()
    }

    /// The figures, and a notice of every change of them.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<SourceStatus> {
        self.0.status.subscribe()
    }

    /// The last messages that could not be used, newest first.
    #[must_use]
    pub fn dead_letters(&self) -> Vec<DeadLetter> {
        self.0.dead.lock().letters.iter().rev().cloned().collect()
    }

    /// The name of the source.
    #[must_use]
    pub fn name(&self) -> String {
        self.0.status.borrow().name.clone()
    }

    /// The other side is connected, and delivers.
    pub fn set_connected(&self) {
        self.0.status.send_modify(|status| {
            status.connected = true;
            status.problem = None;
        });
    }

    /// The other side is away, or refuses.
    pub fn set_lost(&self, problem: String) {
        self.0.status.send_modify(|status| {
            status.connected = false;
            status.problem = Some(problem);
            status.failures += 1;
        });
    }

    /// The source has ended the connection itself.
    pub fn set_closed(&self) {
        self.0.status.send_modify(|status| status.connected = false);
    }

    /// The other side says how many messages it still holds for this source.
    pub fn set_behind(&self, messages: u64) {
        self.0.status.send_modify(|status| status.behind = Some(messages));
    }

    /// An acknowledgement was sent.
    pub fn count_acknowledged(&self) {
        self.0.status.send_modify(|status| status.acknowledged += 1);
    }

    /// A message has arrived.
    pub fn count_received(&self) {
        let now = self.0.clock.now();
        self.0.status.send_modify(|status| {
            status.received += 1;
            status.waiting += 1;
            status.last_received = Some(now);
        });
    }

    /// So many messages are durable, or of no use; `refused` readings were in them.
    pub(crate) fn count_done(&self, messages: u64, refused: u64) {
        self.0.status.send_modify(|status| {
            status.waiting = status.waiting.saturating_sub(messages);
            status.refused += refused;
        });
    }

    /// Keeps a message that could not be used, and mentions it in the server's log if that has not been done
    /// lately.
    pub fn keep_dead_letter(&self, letter: Letter<'_>, reason: String) {
        let time = self.0.clock.now();
        let (topic, payload) = (beginning(letter.topic.as_bytes()), beginning(letter.payload));
        let mut dead = self.0.dead.lock();
        if dead.logged.is_none_or(|last| time.since_us(last) >= LOG_EVERY_US || time < last) {
            dead.logged = Some(time);
            tracing::warn!(
                source = self.name(),
                topic,
                reason,
                "a message cannot be used; GET /v1/sources/{{source}}/dead-letters shows the last ones \
                 (for a minute others are not mentioned here)"
            );
        }
        if dead.letters.len() == MAX_DEAD_LETTERS {
            dead.letters.pop_front();
        }
        let payload_bytes = letter.payload_bytes;
        dead.letters.push_back(DeadLetter { time, topic, reason, payload, payload_bytes });
        drop(dead);
        self.0.status.send_modify(|status| status.dead_letters += 1);
    }
}

/// The first characters of a text that may be none.
fn beginning(bytes: &[u8]) -> String {
    // Four bytes are the most that a character takes.
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(4 * MAX_LETTER_CHARS)]);
    head.chars().take(MAX_LETTER_CHARS).collect()
}
