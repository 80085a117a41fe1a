//! Readings that are to be forgotten: they keep a server busy for as long as a test wants, and give retention
//! something to drop.

use std::time::{SystemTime, UNIX_EPOCH};

use forewarn_tests::readings::reading;

/// 2025-01-01T00:00:00Z.
const FIRST_MS: u64 = 1_735_689_600_000;
/// 2025-07-01T00:00:00Z: before this readings are dropped. Those of the plant are all of 2026.
const BORDER_MS: u64 = 1_751_328_000_000;
const DAY_MS: u64 = 86_400_000;
/// Readings of one request.
const READINGS: u64 = 50;

/// The settings under which they are dropped, whenever this runs.
#[expect(
    clippy::disallowed_methods,
    reason = "retention counts from the machine's clock, which the server reads too"
)]
pub(super) fn settings() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is right").as_millis();
    let days = (u64::try_from(now).expect("a time") - BORDER_MS) / DAY_MS;
    format!(
        "maintenance: {{ file_bytes: 64KB, delete_after: 5s, keep_log: 1us, retain: {{ readings: {days}d }} \
         }}\n"
    )
}

/// The sender of them.
#[derive(Debug, Default)]
pub(super) struct OldReadings {
    /// How many have been sent, whatever became of them.
    pub(super) sent: u64,
}

impl OldReadings {
    /// Sends some once. They are different ones each time.
    pub(super) async fn send(&mut self, http: &reqwest::Client, url: &str) {
        let line =
            |number: u64| format!("{}\n", reading("old/tank", "level", FIRST_MS + number, number % 64));
        let body: String = (self.sent..self.sent + READINGS).map(line).collect();
        self.sent += READINGS;
        // A killed server does not answer.
        let _answer = http.post(format!("{url}/v1/readings")).body(body).send().await;
    }
}
