//! The episodes of a detector on one series: from its verdicts to changes of an alert.

use serde::{Deserialize, Serialize};

use crate::detect::{Sample, Verdict};
use crate::event::{Change, Event};
use crate::message;
use crate::scene::Scene;

/// What is common to the detectors of one series.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Episode {
    pub(crate) slot: u32,
    pub(crate) open: bool,
    /// Whether the last reading was bad, or is stale, while the episode is open.
    pub(crate) unknown: bool,
    started: i64,
    /// The newest change told: a tick may run ahead of the next reading, and times must not run backwards.
    told: i64,
    /// The level that was usual before the episode, and the value it began with.
    #[serde(default)]
    before: Option<(f64, f64)>,
}

impl Episode {
    pub(crate) const fn new(slot: u32) -> Self {
        Self { slot, open: false, unknown: false, started: 0, told: i64::MIN, before: None }
    }

    /// The time to tell of what happened at `time`.
    fn tell_at(&mut self, time: i64) -> i64 {
        self.told = self.told.max(time);
        self.told
    }

    /// Turns a verdict into changes; an onset comes with its `words`.
    pub(crate) fn follow(
        &mut self,
        scene: &Scene<'_>,
        rule: u32,
        sample: Sample,
        (verdict, words, usual): (Verdict, Option<String>, Option<f64>),
        events: &mut Vec<Event>,
    ) {
        let (signal, before) = (scene.signal(self.slot), self.before);
        let (slot, time) = (self.slot, self.tell_at(sample.time_us));
        let mut tell = |change, started, words: Option<String>| {
            let message = words.unwrap_or_else(|| {
                message::detector(change, signal, sample.value, &scene.unit(signal), before)
            });
            let event = scene.series_event(rule, change, (time, started), (slot, sample), message);
            events.push(Event { score: verdict.score, ..event });
        };
        if self.unknown && !sample.late {
            self.unknown = false;
            tell(Change::Known, self.started, None);
        }
        if verdict.onset {
            if !self.open {
                self.started = sample.time_us;
                self.before = usual.map(|usual| (usual, sample.value));
            }
            self.open = true;
            tell(Change::Onset, self.started, words);
        }
        if verdict.clear {
            self.open = false;
            self.unknown = false;
            tell(Change::End, self.started, None);
        }
    }

    /// The series sent a bad reading, or none for too long: an open alert is in doubt from `time` on.
    pub(crate) fn doubt(&mut self, scene: &Scene<'_>, rule: u32, time: i64, events: &mut Vec<Event>) {
        if !self.open || self.unknown {
            return;
        }
        self.unknown = true;
        let time = self.tell_at(time);
        let slot = &scene.slots[self.slot as usize];
        let sample = Sample { time_us: slot.time, value: slot.value, late: false };
        let signal = scene.signal(self.slot);
        let message = message::detector(Change::Unknown, signal, slot.value, &scene.unit(signal), None);
        let times = (time, self.started);
        events.push(scene.series_event(rule, Change::Unknown, times, (self.slot, sample), message));
    }
}

#[cfg(test)]
impl Episode {
    pub(crate) const fn forget_level(&mut self) {
        self.before = None;
    }
}
