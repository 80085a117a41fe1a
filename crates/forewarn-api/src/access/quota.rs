//! How much an API token may ask for: requests and readings a second, and event streams.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

use forewarn_types::{Timestamp, TokenLimits};
use parking_lot::Mutex;

/// A bucket that fills at a steady rate up to what a second gives. It may be overdrawn by one request; the
/// next one waits until it is filled again.
#[derive(Debug)]
struct Bucket {
    left: f64,
    at: Timestamp,
}

impl Bucket {
    const fn full(rate: f64, now: Timestamp) -> Self {
        Self { left: rate, at: now }
    }

    /// Takes `wanted`; if the bucket is empty, the seconds until it is not.
    fn take(&mut self, rate: f64, wanted: f64, now: Timestamp) -> Result<(), u32> {
        let passed_s = now.since_us(self.at).max(0) as f64 / 1e6;
        self.left = (self.left + passed_s * rate).min(rate.max(1.0));
        self.at = self.at.max(now);
        if self.left <= 0.0 {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is bounded")]
            let seconds = ((-self.left / rate).clamp(0.0, 3_600.0) as u32) + 1;
            return Err(seconds);
        }
        self.left -= wanted;
        Ok(())
    }
}

/// What one token has used.
#[derive(Debug)]
pub(crate) struct Quota {
    limits: TokenLimits,
    requests: Mutex<Bucket>,
    rows: Mutex<Bucket>,
    streams: AtomicU32,
    /// When its use was last put on record, µs.
    noted_us: AtomicI64,
}

/// A place for an event stream, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct StreamPlace(Arc<Quota>);

impl Drop for StreamPlace {
    fn drop(&mut self) {
        self.0.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Quota {
    fn new(limits: TokenLimits, now: Timestamp) -> Self {
        let bucket = |rate: Option<f64>| Mutex::new(Bucket::full(rate.unwrap_or(1.0).max(1.0), now));
        let (requests, rows) = (bucket(limits.requests_per_s), bucket(limits.rows_per_s));
        Self { limits, requests, rows, streams: AtomicU32::new(0), noted_us: AtomicI64::new(i64::MIN) }
    }

    /// Counts a request; refused, the seconds to wait.
    pub(crate) fn request(&self, now: Timestamp) -> Result<(), u32> {
        self.limits.requests_per_s.map_or(Ok(()), |rate| self.requests.lock().take(rate, 1.0, now))
    }

    /// Counts readings; refused, the seconds to wait.
    pub(crate) fn rows(&self, rows: usize, now: Timestamp) -> Result<(), u32> {
        self.limits.rows_per_s.map_or(Ok(()), |rate| self.rows.lock().take(rate, rows as f64, now))
    }

    /// Whether the token's use now is to be put on record: the one on record is `every_us` old or older.
    pub(crate) fn uses(&self, on_record: Option<Timestamp>, every_us: i64, now: Timestamp) -> bool {
        let last = self.noted_us.load(Ordering::Relaxed).max(on_record.map_or(i64::MIN, |time| time.0));
        if now.0.saturating_sub(last) < every_us {
            return false;
        }
        self.noted_us.swap(now.0, Ordering::Relaxed) != now.0
    }

    /// A place for an event stream; refused, how many there may be.
    pub(crate) fn stream(self: &Arc<Self>) -> Result<StreamPlace, u32> {
        let most = self.limits.streams.unwrap_or(u32::MAX);
        let open = self.streams.fetch_add(1, Ordering::Relaxed);
        let place = StreamPlace(Arc::clone(self));
        if open >= most { Err(most) } else { Ok(place) }
    }
}

/// What all tokens have used, by their ids.
#[derive(Debug, Default)]
pub(crate) struct Quotas(HashMap<String, Arc<Quota>>);

impl Quotas {
    /// What the token `id` has used. `valid` tells of other tokens whether they still exist.
    pub(crate) fn of(
        &mut self,
        id: &str,
        limits: TokenLimits,
        now: Timestamp,
        valid: impl Fn(&str) -> bool,
    ) -> Arc<Quota> {
        if let Some(quota) = self.0.get(id) {
            return Arc::clone(quota);
        }
        self.0.retain(|id, _| valid(id));
        let quota = Arc::new(Quota::new(limits, now));
        self.0.insert(id.to_owned(), Arc::clone(&quota));
        quota
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_gets_what_its_limits_allow() {
        let limits = TokenLimits { requests_per_s: Some(2.0), rows_per_s: Some(100.0), streams: Some(1) };
        let quota = Arc::new(Quota::new(limits, Timestamp(0)));
        let request = |us| quota.request(Timestamp(us));
        assert_eq!([request(0), request(0), request(0)], [Ok(()), Ok(()), Err(1)]);
        assert_eq!([request(500_000), request(500_000)], [Ok(()), Err(1)]);
        assert_eq!(quota.rows(1_000, Timestamp(0)), Ok(()), "one request may overdraw");
        assert_eq!(quota.rows(1, Timestamp(1_000_000)), Err(9));
        assert_eq!(quota.rows(1, Timestamp(9_100_000)), Ok(()));
        let place = quota.stream().unwrap();
        assert_eq!(quota.stream().unwrap_err(), 1);
        drop(place);
        assert!(quota.stream().is_ok());
        let free = Arc::new(Quota::new(TokenLimits::default(), Timestamp(0)));
        assert!(
            (0..1_000).all(|_| free.request(Timestamp(0)).is_ok() && free.rows(9_999, Timestamp(0)).is_ok())
        );
    }
}
