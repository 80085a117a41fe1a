//! The system's clock: the one place where the program asks the machine what time it is.

use forewarn_types::{Clock, Timestamp};

/// The machine's clock, UTC.
#[derive(Debug, Default)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that is injected everywhere else")]
    fn now(&self) -> Timestamp {
        Timestamp::from(chrono::Utc::now())
    }
}
