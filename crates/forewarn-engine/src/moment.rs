//! When a sample arrived, by each of the clocks that something goes by.

use crate::running::Running;
use crate::slot::{Clock, NO_TIME};

/// What is common to the readings of a sample.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    /// What the sample goes by in its record.
    pub(crate) number: u32,
    /// When it arrived, by the wall clock.
    pub(crate) wall: i64,
    /// When it arrived, in running time.
    pub(crate) arrived: i64,
    /// All time that did not count so far.
    pub(crate) lost: i64,
}

impl Moment {
    /// That of a tick.
    pub(crate) fn of_tick(running: &Running) -> Self {
        Self { number: 0, wall: running.wall(), arrived: running.now(), lost: running.lost() }
    }

    /// The clock of a series of which no reading has been heard before.
    pub(crate) const fn clock(self) -> Clock {
        Clock { newest: NO_TIME, arrived: self.arrived, lost: self.lost }
    }
}
