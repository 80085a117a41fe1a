//! Notifications: what became of each message that was to be sent.

use serde::{Deserialize, Serialize};

use crate::alert::AlertId;
use crate::body::JsonBody;
use crate::time::Timestamp;

/// Why a message is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NotificationKind {
    /// Alerts changed.
    Alert,
    /// Alerts are still active and nobody has acknowledged them.
    Repeat,
    /// As `repeat`, to those next in line.
    Escalation,
    /// What was held back in quiet hours.
    Digest,
    /// What came faster than it could be sent.
    Flood,
    /// Somebody tries the channel.
    Test,
}

impl NotificationKind {
    /// The name used in JSON and in the lake.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Alert => "alert",
            Self::Repeat => "repeat",
            Self::Escalation => "escalation",
            Self::Digest => "digest",
            Self::Flood => "flood",
            Self::Test => "test",
        }
    }
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NotificationOutcome {
    /// The other side took it.
    Delivered,
    /// It was given up.
    Failed,
}

impl NotificationOutcome {
    /// The name used in JSON and in the lake.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }
}

/// A message was delivered, or given up: nothing is left to be done about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    /// Names the message: the same after a restart, and sent along as `Idempotency-Key`.
    pub key: String,
    /// Why it was sent.
    pub kind: NotificationKind,
    /// The route that it took; empty for a test of a contact.
    pub route: String,
    /// The contact that the route names.
    pub contact: String,
    /// Who got it, where the contact is a rotation; else the contact.
    pub recipient: String,
    /// How it was sent, such as `webhook`.
    pub channel: String,
    /// What became of it.
    pub outcome: NotificationOutcome,
    /// How often it was tried since the last start.
    pub attempts: u32,
    /// What the other side said.
    pub detail: Option<String>,
    /// The alerts it is about; of a flood the first.
    pub alerts: Vec<AlertId>,
    /// How many alerts it is about.
    pub count: u64,
    /// What it says in one line.
    pub title: String,
    /// When it was due, by the server's clock.
    pub due: Timestamp,
    /// When its fate was known, by the server's clock.
    pub time: Timestamp,
}

impl JsonBody for Notification {
    const NAME: &'static str = "notification";
    const TABLE: Option<&'static str> = Some("notifications");
}
