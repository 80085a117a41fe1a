//! A rule that watches for the silence of one series, on one asset.

use forewarn_types::Timestamp;
use serde::{Deserialize, Serialize};

use crate::detect::Sample;
use crate::event::{Change, Event};
use crate::message;
use crate::moment::Moment;
use crate::program::{Program, RuleWatch};
use crate::scene::Scene;
use crate::slot::{NEVER, NO_TIME};

/// Waits for the readings of one series.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Missing {
    pub(crate) slot: u32,
    /// The series has been reported silent.
    pub(crate) open: bool,
    /// A deadline stands in the shard's queue.
    pub(crate) armed: bool,
    /// Which one, if it is `armed`. Others may stand there from before the clock was set back; they are void.
    #[serde(skip)]
    pub(crate) queued: i64,
    /// Running time of the newest usable reading's arrival, late or not, as silence is about arrival; of
    /// the first one's if none was usable; the smallest number before.
    pub(crate) arrived: i64,
    /// Whether bad readings came while the series was reported silent.
    unknown: bool,
    started: i64,
}

impl Missing {
    pub(crate) const fn new(slot: u32, arrived: i64) -> Self {
        Self { slot, open: false, armed: false, queued: 0, arrived, unknown: false, started: 0 }
    }

    /// Whether `deadline` must be put into the queue. The one that stands there is checked in time, unless
    /// the clock was set back.
    pub(crate) fn must_queue(&mut self, deadline: i64) -> bool {
        let must = !self.armed || deadline < self.queued;
        if must {
            (self.armed, self.queued) = (true, deadline);
        }
        must
    }

    /// The series has spoken, and may be silent until `deadline`. Says whether that must be put into the
    /// queue.
    pub(crate) fn spoke(
        &mut self,
        scene: &Scene<'_>,
        rule: u32,
        (moment, deadline): (Moment, i64),
        events: &mut Vec<Event>,
    ) -> bool {
        self.arrived = moment.arrived;
        if self.open {
            self.end(scene, rule, moment.wall, events);
        }
        self.must_queue(deadline)
    }

    /// It is no longer silent, at `wall` by the wall clock.
    pub(crate) fn end(&mut self, scene: &Scene<'_>, rule: u32, wall: i64, events: &mut Vec<Event>) {
        let time = wall.max(self.started);
        if std::mem::take(&mut self.unknown) {
            events.push(self.event(scene, rule, Change::Known, time));
        }
        self.open = false;
        events.push(self.event(scene, rule, Change::End, time));
    }

    /// The series has sent a bad reading, which is no life: it puts an open alert in doubt, and else only
    /// begins the count, up to `deadline`, if nothing was heard before. So does a reading of what a value is
    /// computed from that gives none. Says whether the deadline must be put into the queue.
    pub(crate) fn muttered(
        &mut self,
        scene: &Scene<'_>,
        rule: u32,
        (moment, deadline): (Moment, i64),
        events: &mut Vec<Event>,
    ) -> bool {
        if self.open && !self.unknown {
            self.unknown = true;
            events.push(self.event(scene, rule, Change::Unknown, moment.wall.max(self.started)));
        }
        if self.arrived != NO_TIME {
            return false;
        }
        self.arrived = moment.arrived;
        self.must_queue(deadline)
    }

    /// The series has been silent since before `started`, by the wall clock, which is past its deadline.
    pub(crate) fn silent(&mut self, scene: &Scene<'_>, rule: u32, started: i64, events: &mut Vec<Event>) {
        self.open = true;
        self.armed = false;
        self.started = started;
        events.push(self.event(scene, rule, Change::Onset, started));
    }

    fn event(&self, scene: &Scene<'_>, rule: u32, change: Change, time: i64) -> Event {
        let last = &scene.slots[self.slot as usize];
        let sample = Sample { time_us: last.time, value: last.value, late: false };
        let message = message::missing(change, scene.signal(self.slot), longer_than_us(scene.program, rule));
        let event = scene.series_event(rule, change, (time, self.started), (self.slot, sample), message);
        // A series that has sent bad readings only has no value to show.
        if last.time == NO_TIME {
            Event { value: None, from: Timestamp(self.started), values: Vec::new(), ..event }
        } else {
            event
        }
    }
}

/// The longest silence that the rule allows.
pub(crate) fn longer_than_us(program: &Program, rule: u32) -> i64 {
    match program.rules[rule as usize].watch {
        RuleWatch::Missing { longer_than_us, .. } => longer_than_us,
        RuleWatch::When(_) | RuleWatch::Detector { .. } => NEVER,
    }
}
