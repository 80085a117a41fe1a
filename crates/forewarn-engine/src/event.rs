//! What a shard finds: changes of a rule's condition on an asset, before the life cycle of alerts makes
//! transitions of them.

use forewarn_types::{EvidenceValue, Timestamp};
use serde::{Deserialize, Serialize};

/// How the condition of a rule changed on an asset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Change {
    /// It began to hold; the rule's hold runs.
    Pending,
    /// It has held long enough, or a detector sees an onset.
    Onset,
    /// It ended.
    End,
    /// Its inputs went missing or bad.
    Unknown,
    /// Its inputs are back.
    Known,
}

/// One change, with all that a transition needs to be written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Event {
    /// The row of the record that caused it.
    pub(crate) row: u32,
    pub(crate) rule: u32,
    pub(crate) asset: u32,
    pub(crate) change: Change,
    pub(crate) time: i64,
    /// When the condition began to hold.
    pub(crate) started: i64,
    pub(crate) value: Option<f64>,
    pub(crate) score: Option<f64>,
    pub(crate) message: String,
    /// Event time of the first row that counts.
    pub(crate) from: Timestamp,
    pub(crate) values: Vec<EvidenceValue>,
}

impl Event {
    /// The order of transitions within a record: by row, then rule, then asset. Whatever shares all three
    /// stands in the order found.
    pub(crate) const fn key(&self) -> (u32, u32, u32) {
        (self.row, self.rule, self.asset)
    }
}
