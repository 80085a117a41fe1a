//! The usual gap between the readings of a series, and how much time a reading stands for.
//!
//! A reading after an outage says no more than any other: it stands for a few usual gaps, however long the
//! outage was. So it does not take the place of what was learnt.

use serde::{Deserialize, Serialize};

/// A reading stands for at most this many usual gaps.
const MOST_GAPS: i64 = 10;
/// A gap enters the usual one as at most this many of it …
const CLIP_GAPS: i64 = 3;
/// … and moves it by this part of the difference.
const PART: i64 = 8;
/// A reading in order that is older than the last by more than this, µs, came after the server's clock
/// was set back.
const SET_BACK_US: i64 = 60_000_000;

/// The usual gap, µs; 0 before the second reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct UsualGap(i64);

impl UsualGap {
    /// As it is known of a series from elsewhere.
    pub(crate) const fn of(us: i64) -> Self {
        Self(us)
    }

    /// The usual gap, µs; 0 if it is not known.
    #[must_use]
    pub const fn us(self) -> i64 {
        self.0
    }

    /// Learns the gap before a reading.
    pub fn learn(&mut self, gap_us: i64) {
        if gap_us <= 0 {
            return;
        }
        if self.0 == 0 {
            self.0 = gap_us;
        } else {
            self.0 += (gap_us.min(self.0.saturating_mul(CLIP_GAPS)) - self.0) / PART;
        }
    }

    /// The time that a reading at `time_us` stands for, µs, if the last one was at `last_us`; `None` if
    /// it is not newer, and is not to be learnt.
    #[must_use]
    pub fn stands_for(self, last_us: i64, time_us: i64) -> Option<i64> {
        let gap_us = time_us.saturating_sub(last_us);
        if gap_us < -SET_BACK_US {
            return Some(self.0);
        }
        let most = if self.0 == 0 { i64::MAX } else { self.0.saturating_mul(MOST_GAPS) };
        (gap_us > 0).then_some(gap_us.min(most))
    }
}
