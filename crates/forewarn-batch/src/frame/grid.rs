//! The time grid: steps of equal length, counted from 1970 on.

use std::ops::Range;

/// Steps of equal length. Step 0 begins with 1970, UTC, and each includes its start and not its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Grid {
    every_us: i64,
}

impl Grid {
    /// Steps of `every_us`, which is above zero.
    pub(super) const fn new(every_us: i64) -> Self {
        Self { every_us: if every_us > 0 { every_us } else { 1 } }
    }

    /// The step in which `time` lies.
    pub(super) const fn step_of(self, time: i64) -> i64 {
        time.div_euclid(self.every_us)
    }

    /// The start of a step.
    pub(super) const fn start_of(self, step: i64) -> i64 {
        step.saturating_mul(self.every_us)
    }

    /// The steps that end after `from` and not after `to`. Of stretches that follow on one another, each step
    /// belongs to one: that in which the last of its readings is known.
    pub(super) const fn ending_within(self, from: i64, to: i64) -> Range<i64> {
        self.step_of(from)..self.step_of(to)
    }

    /// How many steps lie within `length_us`.
    pub(super) const fn steps_in(self, length_us: i64) -> i64 {
        length_us.div_euclid(self.every_us)
    }
}
