//! What can go wrong between a sender and the log, sorted by what the caller can do about it.

use forewarn_types::JournalError;

/// Why readings could not be taken in, or a source could not run.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The log did not take the readings. [`IngestError::is_retryable`] says whether trying again can help.
    #[error(transparent)]
    Log(#[from] JournalError),
    /// A snapshot or the log does not fit what is known already.
    #[error("cannot restore what has been taken in: {0}; remove the newest snapshot and restart")]
    Restore(String),
    /// A request without anything in it.
    #[error("the body is empty; send {0}")]
    EmptyBody(&'static str),
    /// A body that is too large, or becomes so when it is unpacked.
    #[error("the body has more than limits.max_body_bytes = {limit} bytes once unpacked; send it in parts")]
    BodyTooLarge {
        /// The limit, bytes.
        limit: usize,
    },
    /// A compressed body that cannot be unpacked.
    #[error(
        "the body cannot be unpacked ({0}); send gzip or deflate data that match the header \
         Content-Encoding, or none"
    )]
    Compression(String),
    /// The mapping of Influx line protocol, or a parameter of its route, makes no sense.
    #[error("line protocol: {0}")]
    Influx(String),
}

impl IngestError {
    /// Whether the same readings may be accepted a little later.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Log(JournalError::Full(_)))
    }
}
