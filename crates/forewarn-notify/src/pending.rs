//! A message that is still to be sent.

use forewarn_types::{AlertId, NotificationKind, Severity, Timestamp, fingerprint};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

use crate::item::Item;

/// Most alerts that a message lists; of the others it says how many there are.
pub(crate) const MAX_ITEMS: usize = 1_000;

/// A message that is still to be sent. It never changes: what comes later is a message of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pending {
    /// Names the message.
    pub key: String,
    /// Why it is sent.
    pub kind: NotificationKind,
    /// The route it takes.
    pub route: String,
    /// The contact that is to get it.
    pub contact: String,
    /// What its alerts have in common.
    pub group: Vec<(String, String)>,
    /// What it says about each alert.
    pub items: Vec<Item>,
    /// How many alerts it is about beside those in `items`.
    pub more: u64,
    /// When it became due, by the server's clock.
    pub time: Timestamp,
    /// The rule whose messages it counts among.
    pub(crate) lane: String,
}

impl Pending {
    /// How many alerts it is about.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.items.len() as u64 + self.more
    }

    /// The worst severity in it.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.items.iter().map(|item| item.severity).max().unwrap_or(Severity::Warning)
    }

    /// The alerts it lists.
    pub fn alerts(&self) -> impl Iterator<Item = AlertId> {
        self.items.iter().map(|item| item.alert)
    }

    /// The key of a message. It is made of nothing but what the log gives, so that a replay makes the same;
    /// `number` tells messages apart that are alike in all else.
    pub(crate) fn key(
        route: &str,
        contact: &str,
        kind: NotificationKind,
        group: &str,
        items: &[Item],
        number: u64,
    ) -> String {
        let mut text = format!("{route}\n{contact}\n{}\n{group}\n{number}\n", kind.as_str());
        for item in items {
            let _ = writeln!(text, "{} {} {}", item.alert, item.offset, item.status.as_str());
        }
        let first = fingerprint(text.as_bytes());
        text.push_str(&first);
        format!("{first}{}", fingerprint(text.as_bytes()))
    }
}
