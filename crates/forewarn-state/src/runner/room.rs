//! How much room the log has, and when it is scarce.

use forewarn_types::Record;

use crate::Logged;

/// Less room than this is scarce for any alerts, in a log that is not small itself.
const SCARCE_BYTES: u64 = 256 << 20;
/// How much sooner it is scarce for what the clock or new definitions may bring about, as that may concern
/// every asset at once.
const ALL_AT_ONCE: u64 = 4;
/// About what the alerts on one reading may take.
const READING_ALERTS_BYTES: u64 = 2 << 10;

/// How much of its room the log has used.
#[derive(Debug, Clone, Copy)]
pub struct LogRoom {
    /// Bytes in use.
    pub used_bytes: u64,
    /// Bytes that it may use.
    pub max_bytes: u64,
}

impl LogRoom {
    /// Whether it should be trimmed soon, for which it waits for snapshots.
    #[must_use]
    pub const fn is_pressed(self) -> bool {
        self.used_bytes > self.max_bytes / 2
    }

    /// Whether the alerts on `records` may find none.
    #[must_use]
    pub fn is_scarce(self, records: &[Logged]) -> bool {
        let (mut readings, mut at_once) = (0, false);
        for (_, record) in records {
            match record.as_ref() {
                Record::Readings(batch) => readings += batch.len() as u64,
                Record::Tick(_) | Record::Definitions(_) => at_once = true,
                _ => {}
            }
        }
        let free = self.max_bytes.saturating_sub(self.used_bytes);
        let least = SCARCE_BYTES.min(self.max_bytes / 8) * if at_once { ALL_AT_ONCE } else { 1 };
        // Other readings may take the rest of the room meanwhile.
        free < least || free.min(self.max_bytes / 16) < readings * READING_ALERTS_BYTES
    }
}
