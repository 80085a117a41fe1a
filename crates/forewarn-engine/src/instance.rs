//! One rule on one asset: what it looks at, and what a reading and passing time do to it.

use serde::{Deserialize, Serialize};

use crate::detect::{Sample, Subject};
use crate::episode::Episode;
use crate::event::Event;
use crate::program::RuleWatch;
use crate::scene::Scene;
use crate::slot::{Clock, Slot};
use crate::state::State;
use crate::when::Passed;

/// One rule on one asset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Instance {
    pub(crate) rule: u32,
    /// Number of the asset within its shard.
    pub(crate) asset: u32,
    pub(crate) state: State,
}

impl Instance {
    /// The slots the rule looks at.
    pub(crate) fn for_each_slot(&self, mut look: impl FnMut(u32)) {
        match &self.state {
            State::When(inputs, _) => inputs.iter().for_each(|slot| look(*slot)),
            State::Detector(..) | State::Missing(_) => self.slot().into_iter().for_each(look),
        }
    }

    /// The slot of a rule on one series.
    pub(crate) fn slot(&self) -> Option<u32> {
        match &self.state {
            State::When(..) => None,
            State::Detector(episode, _) => Some(episode.slot),
            State::Missing(missing) => Some(missing.slot),
        }
    }

    /// Lets time without a reading pass: an expression rule's holds elapse and its inputs go stale, a
    /// detector's open alert falls into doubt. `passed` says how much, by the clock of what the rule
    /// watches and the usual gap between its readings.
    pub(crate) fn advance(
        &mut self,
        scene: &Scene<'_>,
        passed: impl FnOnce(Clock, i64) -> Passed,
        events: &mut Vec<Event>,
    ) {
        let number = self.rule;
        if let State::When(inputs, when) = &mut self.state {
            let RuleWatch::When(rule) = &scene.program.rules[number as usize].watch else { return };
            let passed = passed(Clock::latest(inputs, scene.slots), Slot::latest_rhythm(inputs, scene.slots));
            when.advance(rule, inputs, scene.slots, passed, &mut |step| {
                events.push(scene.when_event(number, rule, inputs, step));
            });
        } else if let Some(slot) = self.doubtful_slot().map(|slot| &scene.slots[slot as usize])
            && slot.stale_after() < passed(slot.clock, slot.rhythm()).to
        {
            self.doubt(scene, slot.stale_after(), events);
        }
    }

    /// The slot of a detector whose alert is open and not in doubt: silence would put it there.
    pub(crate) fn doubtful_slot(&self) -> Option<u32> {
        match &self.state {
            State::Detector(Episode { slot, open: true, unknown: false, .. }, _) => Some(*slot),
            State::When(..) | State::Detector(..) | State::Missing(_) => None,
        }
    }

    /// A detector judges a usable reading. Says whether its alert is open, so that silence would put it in
    /// doubt.
    pub(crate) fn detect(&mut self, scene: &Scene<'_>, sample: Sample, events: &mut Vec<Event>) -> bool {
        let rule = &scene.program.rules[self.rule as usize];
        let (State::Detector(episode, detector), RuleWatch::Detector { params, .. }) =
            (&mut self.state, &rule.watch)
        else {
            return false;
        };
        let about = || {
            let signal = scene.signal(episode.slot);
            Subject { signal, unit: scene.unit(signal), sample }
        };
        let usual = if episode.open { None } else { detector.usual() };
        let (verdict, words) = detector.judge(params, sample, about);
        if verdict.onset || verdict.clear || episode.unknown {
            episode.follow(scene, self.rule, sample, (verdict, words, usual), events);
        }
        episode.open && !episode.unknown
    }

    /// A detector's series sent a bad reading, or none for too long: an open alert is in doubt.
    pub(crate) fn doubt(&mut self, scene: &Scene<'_>, time: i64, events: &mut Vec<Event>) {
        if let State::Detector(episode, _) = &mut self.state {
            episode.doubt(scene, self.rule, time, events);
        }
    }
}
