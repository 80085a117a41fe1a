//! What the intake answers to a sender.

use serde::Serialize;

use crate::Rejected;

/// What became of a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Accepted {
    /// Readings that are now in the log.
    pub accepted: u64,
    /// Readings that had been accepted before, exactly so.
    pub duplicates: u64,
    /// Of the accepted: not newer than their series' newest.
    pub late: u64,
    /// Of the accepted: further ahead of the server's clock than `limits.max_ahead`. They are judged as if
    /// they had the time of their arrival.
    pub ahead: u64,
    /// The first [`MAX_ERRORS`](crate::MAX_ERRORS) refusals, in order of line.
    pub rejected: Vec<Rejected>,
    /// How many refusals there were in all.
    pub rejected_total: u64,
}
