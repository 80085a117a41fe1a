//! Who guesses passwords has to wait: longer after each wrong one, for the user that is tried and for the
//! address that tries.
//!
//! An attempt counts as wrong from its beginning, so that many at once get no further than one after another;
//! a right one is taken off again.

use std::collections::HashMap;

use forewarn_types::Timestamp;

/// Wrong passwords that may come without a pause.
const FREE: u32 = 5;
/// The pause after the first one beyond, doubled by each further one.
const FIRST_PAUSE_US: i64 = 1_000_000;
/// The longest pause for a user: whoever guesses must not shut them out for long.
const USER_PAUSE_US: i64 = 30_000_000;
/// The longest pause for an address.
const ADDRESS_PAUSE_US: i64 = 900_000_000;
/// Wrong ones are forgotten so long after the last.
const FORGET_US: i64 = 1_800_000_000;
/// Most names and addresses that are remembered.
const MAX_KNOWN: usize = 10_000;

#[derive(Debug, Clone, Copy)]
struct Wrong {
    count: u32,
    last: Timestamp,
}

impl Wrong {
    /// How long to wait until the next attempt, µs.
    fn pause_us(self, longest_us: i64, now: Timestamp) -> i64 {
        let Some(beyond) = self.count.checked_sub(FREE) else { return 0 };
        let pause_us = FIRST_PAUSE_US.saturating_mul(1 << beyond.min(20)).min(longest_us);
        (pause_us - now.since_us(self.last)).clamp(0, longest_us)
    }
}

/// Wrong passwords by user and by address.
#[derive(Debug, Default)]
pub(crate) struct Attempts(HashMap<(bool, String), Wrong>);

impl Attempts {
    /// Begins an attempt to log in as `user` from `address`.
    ///
    /// # Errors
    /// After how many seconds to try again.
    pub(crate) fn begin(&mut self, user: &str, address: &str, now: Timestamp) -> Result<(), u32> {
        let keys =
            [((true, user.to_owned()), USER_PAUSE_US), ((false, address.to_owned()), ADDRESS_PAUSE_US)];
        let pause = |(key, longest): &((bool, String), i64)| {
            self.0.get(key).map_or(0, |wrong| wrong.pause_us(*longest, now))
        };
        let pause_us = keys.iter().map(pause).max().unwrap_or(0);
        if pause_us > 0 {
            return Err(u32::try_from(pause_us.div_euclid(1_000_000) + 1).unwrap_or(u32::MAX));
        }
        for (key, _) in keys {
            self.make_room(now);
            let wrong = self.0.entry(key).or_insert(Wrong { count: 0, last: now });
            if now.since_us(wrong.last) > FORGET_US {
                wrong.count = 0;
            }
            *wrong = Wrong { count: wrong.count.saturating_add(1), last: now };
        }
        Ok(())
    }

    /// The attempt was right.
    pub(crate) fn right(&mut self, user: &str, address: &str) {
        self.0.remove(&(true, user.to_owned()));
        self.0.remove(&(false, address.to_owned()));
    }

    fn make_room(&mut self, now: Timestamp) {
        if self.0.len() < MAX_KNOWN {
            return;
        }
        self.0.retain(|_, wrong| now.since_us(wrong.last) <= FORGET_US);
        while self.0.len() >= MAX_KNOWN {
            let oldest = self.0.iter().min_by_key(|(_, wrong)| wrong.last).map(|(key, _)| key.clone());
            let Some(oldest) = oldest else { return };
            self.0.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1_000_000;

    #[test]
    fn pauses_grow_for_the_user_and_for_the_address() {
        let mut attempts = Attempts::default();
        for _ in 0..FREE {
            attempts.begin("anna", "10.0.0.1", Timestamp(0)).unwrap();
        }
        assert_eq!(attempts.begin("anna", "10.0.0.2", Timestamp(0)), Err(2), "the user waits");
        assert_eq!(attempts.begin("bert", "10.0.0.1", Timestamp(0)), Err(2), "the address waits");
        assert_eq!(attempts.begin("bert", "10.0.0.2", Timestamp(0)), Ok(()), "others do not");
        assert_eq!(attempts.begin("anna", "10.0.0.1", Timestamp(S)), Ok(()));
        assert_eq!(attempts.begin("anna", "10.0.0.1", Timestamp(S)), Err(3), "twice as long");
        attempts.right("anna", "10.0.0.1");
        assert_eq!(attempts.begin("anna", "10.0.0.1", Timestamp(S)), Ok(()));
    }

    #[test]
    fn nobody_is_shut_out_for_long_and_memory_is_bounded() {
        let mut attempts = Attempts::default();
        let mut now = 0;
        for address in 0..40 {
            let mut pause = attempts.begin("anna", &address.to_string(), Timestamp(now));
            while let Err(seconds) = pause {
                assert!(seconds <= 31, "{seconds}");
                now += i64::from(seconds) * S;
                pause = attempts.begin("anna", &address.to_string(), Timestamp(now));
            }
        }
        for count in 0..30_000 {
            let _ = attempts.begin(&count.to_string(), &format!("a{count}"), Timestamp(now));
        }
        assert!(attempts.0.len() <= MAX_KNOWN);
    }
}
