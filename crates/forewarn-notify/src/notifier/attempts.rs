//! When a message may be tried again.

use std::time::Duration;

use tokio::time::Instant;

/// How long after the first failure a message is tried again; each further one doubles it.
const FIRST: Duration = Duration::from_millis(500);
/// The longest time between two attempts, unless the other side asks for more.
const MOST: Duration = Duration::from_mins(5);

/// The attempts to send a message.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    count: u32,
    state: State,
}

#[derive(Debug, Default)]
enum State {
    /// Never tried.
    #[default]
    New,
    /// Under way.
    UnderWay,
    /// Failed; to be tried again.
    Waits(Instant),
    /// Done; its record is on its way to the outbox.
    Finished,
}

impl Attempts {
    /// Whether it may be tried at `now`.
    pub(super) fn may_try(&self, now: Instant) -> bool {
        match self.state {
            State::New => true,
            State::Waits(next) => next <= now,
            State::UnderWay | State::Finished => false,
        }
    }

    /// When it may be tried again, if it waits.
    pub(super) const fn next(&self) -> Option<Instant> {
        match self.state {
            State::Waits(next) => Some(next),
            _ => None,
        }
    }

    /// Begins an attempt; gives its number, from 1.
    pub(super) const fn begin(&mut self) -> u32 {
        self.count += 1;
        self.state = State::UnderWay;
        self.count
    }

    /// Nothing is left to be done.
    pub(super) fn finish(&mut self) {
        self.state = State::Finished;
    }

    /// It failed at `now`; the other side asks not to be tried again before `after`.
    pub(super) fn fail(&mut self, now: Instant, after: Option<Duration>) {
        self.state = State::Waits(now + pause(self.count, fastrand::f64()).max(after.unwrap_or_default()));
    }
}

/// How long to wait after so many attempts: twice as long each time, and by chance (`luck`, 0 to 1) up to
/// half less, so that what failed together is not tried again together.
pub(super) fn pause(attempts: u32, luck: f64) -> Duration {
    let doubled = FIRST.saturating_mul(1 << attempts.saturating_sub(1).min(20)).min(MOST);
    doubled.mul_f64(1.0 - luck.clamp(0.0, 1.0) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_bound_and_are_spread() {
        let seconds = |attempts, luck| pause(attempts, luck).as_secs_f64();
        assert_eq!([1, 2, 3, 4].map(|attempts| seconds(attempts, 0.0)), [0.5, 1.0, 2.0, 4.0]);
        assert_eq!(seconds(4, 1.0), 2.0);
        assert_eq!([20, 100, u32::MAX].map(|attempts| seconds(attempts, 0.0)), [300.0; 3]);
    }

    #[test]
    fn the_other_side_is_left_alone_for_as_long_as_it_asks() {
        let now = Instant::now();
        let mut attempts = Attempts::default();
        assert!(attempts.may_try(now));
        attempts.begin();
        assert!(!attempts.may_try(now), "it is under way");
        attempts.fail(now, Some(Duration::from_mins(1)));
        assert!(!attempts.may_try(now + Duration::from_secs(59)));
        assert!(attempts.may_try(now + Duration::from_mins(1)));
        attempts.finish();
        assert!(!attempts.may_try(now + Duration::from_hours(1)));
    }
}
