//! From bytes that senders post to columns of readings. Pure functions: no clock, no I/O, no global state.
//!
//! The rule for all of them: what is good is kept, what is bad is named with its line and the reason, and
//! only a body in which nothing can be found at all is an error as a whole.

mod encode;
mod inflate;
pub mod json;
pub mod line_protocol;
mod lines;
mod mapping;
pub mod number;
pub mod time;

pub use encode::{asset_levels, signal_text};
pub use inflate::inflate;
pub use mapping::{InfluxMapping, signal_name};
pub use time::{parse_epoch_ms, parse_time};

/// Bounds for every decoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeOptions {
    /// Longest line (or element of an array), in bytes; a longer one is rejected and the rest kept.
    pub max_line_bytes: usize,
}

impl Default for DecodeOptions {
    fn default() -> Self {
        Self { max_line_bytes: 1 << 20 }
    }
}

/// A text from a sender, cut to a length that suits an error message.
#[must_use]
pub fn shorten(text: &str) -> String {
    const MOST: usize = 60;
    let mut short: String = text.chars().take(MOST).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests;
