//! Who sends times that lie ahead of the server's clock, for an operator.

use std::collections::BTreeMap;

use forewarn_types::{Timestamp, format_duration};
use serde::Serialize;

/// Most senders that are named.
pub(super) const MAX_SENDERS: usize = 100;

/// How long a sender is named after its last such reading, µs.
const NAMED_US: i64 = 600_000_000;

/// A sender whose clock runs ahead of the server's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SenderAhead {
    /// The asset that it sends readings of.
    pub asset: String,
    /// One of the signals.
    pub signal: String,
    /// How far the newest such reading lay ahead of its arrival, µs.
    pub ahead_us: i64,
    /// When it arrived.
    pub last: Timestamp,
}

impl SenderAhead {
    /// How far ahead it is, in words.
    #[must_use]
    pub fn ahead(&self) -> String {
        about(self.ahead_us)
    }
}

/// A duration in whole hours, minutes or seconds.
fn about(us: i64) -> String {
    let unit = [3_600_000_000, 60_000_000].into_iter().find(|unit| us >= 2 * unit).unwrap_or(1_000_000);
    format_duration((us + unit / 2) / unit * unit)
}

/// Those that were heard of lately, by asset.
#[derive(Debug, Default)]
pub(super) struct Senders(BTreeMap<Box<str>, SenderAhead>);

impl Senders {
    /// A reading of `asset` lay ahead by `ahead_us` when it arrived.
    pub(super) fn note(&mut self, asset: &str, signal: &str, ahead_us: i64, now: Timestamp) {
        self.forget(now);
        if !self.0.contains_key(asset) {
            if self.0.len() >= MAX_SENDERS {
                return;
            }
            tracing::warn!(
                asset,
                signal,
                ahead = about(ahead_us),
                "a sender's times lie ahead of the server's clock; they are judged as if they had the time \
                 of their arrival. Set the clock or the time zone of the sender, or of the server, right"
            );
        }
        let sender = SenderAhead { asset: asset.to_owned(), signal: signal.to_owned(), ahead_us, last: now };
        self.0.insert(asset.into(), sender);
    }

    /// Those of the last ten minutes.
    pub(super) fn list(&mut self, now: Timestamp) -> Vec<SenderAhead> {
        self.forget(now);
        self.0.values().cloned().collect()
    }

    fn forget(&mut self, now: Timestamp) {
        self.0.retain(|_, sender| now.since_us(sender.last) <= NAMED_US);
    }
}
