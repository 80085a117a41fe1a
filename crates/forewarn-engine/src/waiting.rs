//! What of an asset waits for the rest of a sample.

use serde::{Deserialize, Serialize};

/// What of an asset waits for the rest of a sample.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Waiting {
    /// The time of the sample.
    pub(crate) time: i64,
    /// Derived signals, each with the running time until which it waits, in the order in which they follow.
    pub(crate) derived: Vec<(u32, i64)>,
    /// Instances likewise.
    pub(crate) instances: Vec<(u32, i64)>,
}

impl Waiting {
    pub(crate) fn is_empty(&self) -> bool {
        self.derived.is_empty() && self.instances.is_empty()
    }

    pub(crate) fn is_due(&self, now: i64) -> bool {
        self.derived.iter().chain(&self.instances).any(|(_, until)| *until <= now)
    }
}

/// Until when an item waits that has waited before, or begins to.
pub(crate) fn until(list: &[(u32, i64)], index: u32, begin: i64) -> i64 {
    list.iter().find(|(waiting, _)| *waiting == index).map_or(begin, |(_, until)| *until)
}

/// Takes what is due out of a list.
pub(crate) fn take_due(list: &mut Vec<(u32, i64)>, now: Option<i64>) -> Vec<u32> {
    let is_due = |item: &mut (u32, i64)| now.is_none_or(|now| item.1 <= now);
    list.extract_if(.., is_due).map(|(index, _)| index).collect()
}
