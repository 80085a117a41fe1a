//! Bounds of the intake.

use forewarn_types::Timestamp;

/// Bounds on what the intake accepts and remembers.
#[derive(Debug, Clone)]
pub struct IntakeLimits {
    /// How far a reading's time may lie ahead of the server's clock, µs.
    pub max_future_us: i64,
    /// How far it may lie ahead to be judged at its own time, µs.
    pub max_ahead_us: i64,
    /// The earliest time that a reading may have.
    pub min_time: Timestamp,
    /// How many readings back a repetition is recognised. It must exceed what one sender sends between two
    /// acknowledgements: the readings of a request, or of a file that may be imported once more. Each takes
    /// about 25 bytes of memory.
    pub duplicate_window: usize,
}

impl Default for IntakeLimits {
    /// One hour ahead, judged as of its arrival from one minute on, back to 1970; 2,097,152 readings back.
    fn default() -> Self {
        Self {
            max_future_us: 3_600_000_000,
            max_ahead_us: 60_000_000,
            min_time: Timestamp(0),
            duplicate_window: 1 << 21,
        }
    }
}
