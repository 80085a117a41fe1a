//! The time for which the server has run, told from the wall clock's readings in the log.
//!
//! Silence is counted in it, and so is what ticks add to event time: the server's absence is nobody's
//! silence, and no step of its clock is time. It begins as the wall clock shows, and is behind it by what
//! was lost.

use serde::{Deserialize, Serialize};

use crate::slot::NO_TIME;

/// A server's ticks are closer than this, µs; a test, a backtest and a simulated plant tick as they like.
const LIVE_TICK_US: i64 = 5_000_000;
/// So many ticks of that kind in a row are a server's.
const LIVE_TICKS: u8 = 10;
/// Between two ticks of a server readings arrive at most this long after the first of them, µs. More is a
/// step of its clock, or the server stood still.
const LIVE_ARRIVAL_US: i64 = 10_000_000;
/// Readings and ticks read the clock side by side, so that the log may have them in another order. A step
/// back by less than this is passed over, µs: running time stands still until the clock has caught up.
const DISORDER_US: i64 = 60_000_000;

/// The time for which the server has run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Running {
    /// What the wall clock showed last.
    wall: i64,
    /// The running time then.
    now: i64,
    /// All time that did not count so far.
    lost: i64,
    last_tick: i64,
    /// How many of the last ticks were as close as a server's.
    close_ticks: u8,
}

impl Default for Running {
    fn default() -> Self {
        Self { wall: NO_TIME, now: NO_TIME, lost: 0, last_tick: NO_TIME, close_ticks: 0 }
    }
}

impl Running {
    /// As of when the wall clock shows `wall`, with nothing lost so far.
    pub(crate) fn since(wall: i64) -> Self {
        Self { wall, now: wall, last_tick: wall, ..Self::default() }
    }

    /// Whether it has not begun.
    pub(crate) const fn is_unset(&self) -> bool {
        self.wall == NO_TIME
    }

    /// The running time.
    pub(crate) const fn now(&self) -> i64 {
        self.now
    }

    /// What the wall clock showed last; [`NO_TIME`] before it showed anything.
    pub(crate) const fn wall(&self) -> i64 {
        self.wall
    }

    /// All time that did not count so far.
    pub(crate) const fn lost(&self) -> i64 {
        self.lost
    }

    /// What the wall clock would show at the running time `time`, were nothing lost since.
    pub(crate) const fn wall_at(&self, time: i64) -> i64 {
        time.saturating_add(self.wall.saturating_sub(self.now))
    }

    /// A tick: the wall clock shows `wall`.
    pub(crate) fn tick(&mut self, wall: i64) {
        let is_close = (0..=LIVE_TICK_US).contains(&wall.saturating_sub(self.last_tick));
        self.close_ticks = if is_close { (self.close_ticks + 1).min(LIVE_TICKS) } else { 0 };
        self.last_tick = wall;
        self.pass(wall, i64::MAX);
    }

    /// Readings arrive, and the wall clock shows `wall`.
    pub(crate) fn arrival(&mut self, wall: i64) {
        let most = if self.close_ticks == LIVE_TICKS { LIVE_ARRIVAL_US } else { i64::MAX };
        self.pass(wall, most);
    }

    /// The server runs again, or its clock was set: it shows `wall`.
    pub(crate) fn resume(&mut self, wall: i64) {
        self.pass(wall, 0);
        self.wall = wall;
        self.last_tick = wall;
    }

    fn pass(&mut self, wall: i64, most: i64) {
        if self.is_unset() {
            *self = Self { last_tick: self.last_tick, close_ticks: self.close_ticks, ..Self::since(wall) };
            return;
        }
        let passed = wall.saturating_sub(self.wall);
        if passed < 0 {
            if passed < -DISORDER_US {
                self.wall = wall;
            }
            return;
        }
        self.wall = wall;
        self.now = self.now.saturating_add(passed.min(most));
        self.lost = self.lost.saturating_add(passed.saturating_sub(most).max(0));
    }
}
