//! How long to wait before the next attempt.

use std::time::Duration;

/// The wait before attempt `failures + 1`: doubled each time, at most 30 s.
pub(crate) fn backoff(failures: u32) -> Duration {
    Duration::from_millis(500).saturating_mul(1 << failures.min(6)).min(Duration::from_secs(30))
}

#[cfg(test)]
mod tests {
    use super::backoff;

    #[test]
    fn attempts_become_rarer_up_to_half_a_minute() {
        let waits: Vec<_> = (0..9).map(|failures| backoff(failures).as_millis()).collect();
        assert_eq!(waits, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
    }
}
