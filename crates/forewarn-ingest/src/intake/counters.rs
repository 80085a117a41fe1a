//! What has become of all readings since the start, for `/metrics`.

use std::sync::atomic::{AtomicU64, Ordering};

use super::accepted::Accepted;

/// Why the intake refuses a reading that could be decoded.
#[derive(Debug, Clone, Copy)]
pub(super) enum Reason {
    Time,
    Value,
    Series,
}

impl Reason {
    pub(super) const COUNT: usize = 3;
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    accepted: AtomicU64,
    duplicates: AtomicU64,
    late: AtomicU64,
    ahead: AtomicU64,
    rejected: [AtomicU64; Reason::COUNT],
    undecodable: AtomicU64,
}

/// Figures for an operator, since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct IntakeMetrics {
    /// Readings that went into the log.
    pub accepted: u64,
    /// Readings that had been accepted before.
    pub duplicates: u64,
    /// Of the accepted: not newer than their series' newest.
    pub late: u64,
    /// Of the accepted: further ahead of the server's clock than `limits.max_ahead`.
    pub ahead: u64,
    /// Refused for their time: too early or too far in the future.
    pub rejected_time: u64,
    /// Refused for their value: not finite.
    pub rejected_value: u64,
    /// Refused for their series: a bad name, or one series too many.
    pub rejected_series: u64,
    /// Refused since they could not be decoded.
    pub rejected_undecodable: u64,
}

impl Counters {
    /// Counts what was acknowledged.
    pub(super) fn add(&self, accepted: &Accepted) {
        self.accepted.fetch_add(accepted.accepted, Ordering::Relaxed);
        self.duplicates.fetch_add(accepted.duplicates, Ordering::Relaxed);
        self.late.fetch_add(accepted.late, Ordering::Relaxed);
        self.ahead.fetch_add(accepted.ahead, Ordering::Relaxed);
    }

    /// Counts what was refused.
    pub(super) fn reject(&self, by_reason: [u64; Reason::COUNT], undecodable: u64) {
        for (counter, count) in self.rejected.iter().zip(by_reason) {
            counter.fetch_add(count, Ordering::Relaxed);
        }
        self.undecodable.fetch_add(undecodable, Ordering::Relaxed);
    }

    pub(super) fn snapshot(&self) -> IntakeMetrics {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        IntakeMetrics {
            accepted: get(&self.accepted),
            duplicates: get(&self.duplicates),
            late: get(&self.late),
            ahead: get(&self.ahead),
            rejected_time: get(&self.rejected[Reason::Time as usize]),
            rejected_value: get(&self.rejected[Reason::Value as usize]),
            rejected_series: get(&self.rejected[Reason::Series as usize]),
            rejected_undecodable: get(&self.undecodable),
        }
    }
}
