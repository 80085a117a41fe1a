//! What is said of a message that was not taken.

use std::time::Duration;

/// A message that was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub(crate) struct Refusal {
    /// What went wrong.
    pub(crate) text: String,
    /// The other side asks not to be tried again before so long.
    pub(crate) after: Option<Duration>,
}

impl Refusal {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), after: None }
    }
}
