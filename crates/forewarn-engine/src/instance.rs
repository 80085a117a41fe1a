//! One rule on one asset: its state, and what a reading does to it.

use forewarn_types::{EvidenceValue, Timestamp};
use serde::{Deserialize, Serialize};

use crate::detect::{Judgement, LearnedLimits, RateOfChange, RobustZ};
use crate::dictionary::Dictionary;
use crate::event::{Change, Event};
use crate::message;
use crate::program::{CompiledRule, Program, RuleWatch, WhenRule};
use crate::shard::{Clock, NO_TIME, Slot};
use crate::when::{Passed, Step, WhenState};

/// One rule on one asset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Instance {
    pub(crate) rule: u32,
    /// Number of the asset within its shard.
    pub(crate) asset: u32,
    pub(crate) state: State,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum State {
    /// With the slots of the signals of `when`, then of `until`.
    When(Box<[u32]>, WhenState),
    LearnedLimits(Episode, Box<LearnedLimits>),
    RobustZ(Episode, RobustZ),
    Rate(Episode, RateOfChange),
    Missing(Missing),
}

/// What is common to the detectors of one series.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Episode {
    pub(crate) slot: u32,
    open: bool,
    /// Whether the last reading was bad, or is stale, while the episode is open.
    unknown: bool,
    started: i64,
    /// The newest change told: a tick may run ahead of the next reading, and times must not run backwards.
    told: i64,
}

impl Episode {
    pub(crate) const fn new(slot: u32) -> Self {
        Self { slot, open: false, unknown: false, started: 0, told: i64::MIN }
    }
}

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
    /// Wall-clock time of the newest usable reading's arrival, late or not, as silence is about arrival; of
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
    fn must_queue(&mut self, deadline: i64) -> bool {
        let must = !self.armed || deadline < self.queued;
        if must {
            (self.armed, self.queued) = (true, deadline);
        }
        must
    }
}

/// What the rules of an asset may look at while they judge a row.
pub(crate) struct Scene<'a> {
    pub(crate) program: &'a Program,
    pub(crate) names: &'a Dictionary,
    pub(crate) slots: &'a [Slot],
    /// The asset's number in the dictionary.
    pub(crate) asset: u32,
    pub(crate) row: u32,
}

/// A usable reading of one slot.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) slot: u32,
    pub(crate) time: i64,
    pub(crate) value: f64,
    pub(crate) late: bool,
}

impl Scene<'_> {
    fn signal(&self, slot: u32) -> &str {
        self.names.signal(self.slots[slot as usize].signal)
    }

    fn unit(&self, signal: &str) -> String {
        self.program.unit(self.names.asset(self.asset), signal)
    }

    fn evidence(&self, slot: u32) -> EvidenceValue {
        let slot = &self.slots[slot as usize];
        EvidenceValue {
            signal: self.names.signal(slot.signal).clone(),
            time: Timestamp(slot.time),
            value: slot.value,
        }
    }

    /// The event of a step of an expression rule, with all inputs that are known at its time.
    pub(crate) fn when_event(&self, rule: u32, watch: &WhenRule, inputs: &[u32], step: Step) -> Event {
        let mut slots: Vec<u32> = Vec::with_capacity(inputs.len());
        for slot in inputs {
            let known = self
                .slots
                .get(*slot as usize)
                .is_some_and(|slot| slot.is_known_at(step.time, watch.tolerance_us));
            if known && !slots.contains(slot) {
                slots.push(*slot);
            }
        }
        let values: Vec<EvidenceValue> = slots.iter().map(|slot| self.evidence(*slot)).collect();
        let words: Vec<(&str, f64, String)> =
            values.iter().map(|value| (&*value.signal, value.value, self.unit(&value.signal))).collect();
        Event {
            row: self.row,
            rule,
            asset: self.asset,
            change: step.change,
            time: step.time,
            started: step.started,
            value: values.first().map(|value| value.value),
            score: None,
            message: message::when(step.change, &watch.when_source, &words),
            from: Timestamp(values.iter().map(|value| value.time.0).fold(step.started, i64::min)),
            values,
        }
    }

    fn detector_event(
        &self,
        rule: u32,
        change: Change,
        time: i64,
        started: i64,
        sample: Sample,
        message: String,
    ) -> Event {
        let value = EvidenceValue {
            signal: self.signal(sample.slot).into(),
            time: Timestamp(sample.time),
            value: sample.value,
        };
        Event {
            row: self.row,
            rule,
            asset: self.asset,
            change,
            time,
            started,
            value: Some(sample.value),
            score: None,
            message,
            from: Timestamp(started.min(sample.time)),
            values: vec![value],
        }
    }
}

impl Instance {
    /// The slots the rule looks at.
    pub(crate) fn for_each_slot(&self, mut look: impl FnMut(u32)) {
        match &self.state {
            State::When(inputs, _) => inputs.iter().for_each(|slot| look(*slot)),
            _ => self.slot().into_iter().for_each(look),
        }
    }

    /// The slot of a rule on one series.
    pub(crate) fn slot(&self) -> Option<u32> {
        match &self.state {
            State::When(..) => None,
            State::LearnedLimits(episode, _) | State::RobustZ(episode, _) | State::Rate(episode, _) => {
                Some(episode.slot)
            }
            State::Missing(missing) => Some(missing.slot),
        }
    }

    /// Lets time without a reading pass: an expression rule's holds elapse and its inputs go stale, a
    /// detector's open alert falls into doubt. `passed` says how much, by the clock of what the rule watches.
    pub(crate) fn advance(
        &mut self,
        scene: &Scene<'_>,
        passed: impl FnOnce(Clock) -> Passed,
        events: &mut Vec<Event>,
    ) {
        let number = self.rule;
        if let State::When(inputs, when) = &mut self.state {
            let RuleWatch::When(rule) = &scene.program.rules[number as usize].watch else { return };
            let passed = passed(Clock::latest(inputs, scene.slots));
            when.advance(rule, inputs, scene.slots, passed, &mut |step| {
                events.push(scene.when_event(number, rule, inputs, step));
            });
        } else if let Some(slot) = self.doubtful_slot().map(|slot| &scene.slots[slot as usize])
            && slot.stale_after() < passed(slot.clock).to
        {
            self.doubt(scene, slot.stale_after(), events);
        }
    }

    /// The slot of a detector whose alert is open and not in doubt: silence would put it there.
    pub(crate) fn doubtful_slot(&self) -> Option<u32> {
        self.episode().filter(|episode| episode.open && !episode.unknown).map(|episode| episode.slot)
    }

    fn episode(&self) -> Option<&Episode> {
        match &self.state {
            State::LearnedLimits(episode, _) | State::RobustZ(episode, _) | State::Rate(episode, _) => {
                Some(episode)
            }
            State::When(..) | State::Missing(_) => None,
        }
    }

    /// A detector judges a usable reading. Says whether its alert is open, so that silence would put it in
    /// doubt.
    pub(crate) fn detect(&mut self, scene: &Scene<'_>, sample: Sample, events: &mut Vec<Event>) -> bool {
        let rule = &scene.program.rules[self.rule as usize];
        let Sample { time, value, late, .. } = sample;
        let (episode, judgement, message) = match (&mut self.state, &rule.watch) {
            (State::LearnedLimits(episode, detector), RuleWatch::LearnedLimits { tolerance, .. }) => {
                let (judgement, stray) = detector.judge(time, value, late);
                let message = judgement.onset.then(|| {
                    let signal = scene.signal(sample.slot);
                    message::learned_limits(signal, &scene.unit(signal), value, &stray, *tolerance)
                });
                (episode, judgement, message)
            }
            (State::RobustZ(episode, detector), RuleWatch::RobustZ { baseline, above, .. }) => {
                let before = detector.clone();
                let judgement = detector.step(*baseline, *above, time, value, late);
                let message = judgement.onset.then(|| {
                    let signal = scene.signal(sample.slot);
                    message::robust_z(signal, &scene.unit(signal), value, &before, *above)
                });
                (episode, judgement, message)
            }
            (State::Rate(episode, detector), RuleWatch::Rate { above_per_s, .. }) => {
                let before = detector.clone();
                let judgement = detector.step(*above_per_s, time, value, late);
                let message = judgement.onset.then(|| {
                    let signal = scene.signal(sample.slot);
                    message::rate(signal, &scene.unit(signal), value, time, &before, *above_per_s)
                });
                (episode, judgement, message)
            }
            _ => return false,
        };
        if judgement.onset || judgement.clear || episode.unknown {
            episode.follow(scene, self.rule, sample, judgement, message, events);
        }
        episode.open && !episode.unknown
    }

    /// A detector's series sent a bad reading, or none for too long: an open alert is in doubt.
    pub(crate) fn doubt(&mut self, scene: &Scene<'_>, time: i64, events: &mut Vec<Event>) {
        let (State::LearnedLimits(episode, _) | State::RobustZ(episode, _) | State::Rate(episode, _)) =
            &mut self.state
        else {
            return;
        };
        if !episode.open || episode.unknown {
            return;
        }
        episode.unknown = true;
        let time = episode.tell_at(time);
        let slot = &scene.slots[episode.slot as usize];
        let sample = Sample { slot: episode.slot, time: slot.time, value: slot.value, late: false };
        let signal = scene.signal(episode.slot);
        let message = message::detector(Change::Unknown, signal, slot.value, &scene.unit(signal));
        events.push(scene.detector_event(self.rule, Change::Unknown, time, episode.started, sample, message));
    }

    /// The series of a `missing` rule has spoken, at wall-clock time `arrived`, and may be silent until
    /// `deadline`. Says whether that must be put into the queue.
    pub(crate) fn spoke(
        &mut self,
        scene: &Scene<'_>,
        arrived: i64,
        deadline: i64,
        events: &mut Vec<Event>,
    ) -> bool {
        let State::Missing(missing) = &mut self.state else { return false };
        missing.arrived = arrived;
        if missing.open {
            let Missing { slot, started, .. } = *missing;
            if std::mem::take(&mut missing.unknown) {
                events.push(missing_event(
                    scene,
                    self.rule,
                    slot,
                    Change::Known,
                    arrived.max(started),
                    started,
                ));
            }
            missing.open = false;
            events.push(missing_event(scene, self.rule, slot, Change::End, arrived.max(started), started));
        }
        missing.must_queue(deadline)
    }

    /// The series of a `missing` rule has sent a bad reading, which is no life: it puts an open alert in
    /// doubt, and else only begins the count if nothing was heard before and it has a `deadline` for that.
    /// Says whether that must be put into the queue.
    pub(crate) fn muttered(
        &mut self,
        scene: &Scene<'_>,
        arrived: i64,
        deadline: Option<i64>,
        events: &mut Vec<Event>,
    ) -> bool {
        let State::Missing(missing) = &mut self.state else { return false };
        if missing.open && !missing.unknown {
            missing.unknown = true;
            let Missing { slot, started, .. } = *missing;
            events.push(missing_event(
                scene,
                self.rule,
                slot,
                Change::Unknown,
                arrived.max(started),
                started,
            ));
        }
        let Some(deadline) = deadline.filter(|_| missing.arrived == NO_TIME) else { return false };
        missing.arrived = arrived;
        missing.must_queue(deadline)
    }

    /// The series of a `missing` rule has been silent since before `started`, which is past its deadline.
    pub(crate) fn silent(&mut self, scene: &Scene<'_>, started: i64, events: &mut Vec<Event>) {
        let State::Missing(missing) = &mut self.state else { return };
        missing.open = true;
        missing.armed = false;
        missing.started = started;
        let slot = missing.slot;
        events.push(missing_event(scene, self.rule, slot, Change::Onset, started, started));
    }
}

impl Episode {
    /// The time to tell of what happened at `time`.
    fn tell_at(&mut self, time: i64) -> i64 {
        self.told = self.told.max(time);
        self.told
    }

    /// Turns a judgement into changes.
    fn follow(
        &mut self,
        scene: &Scene<'_>,
        rule: u32,
        sample: Sample,
        judgement: Judgement,
        message: Option<String>,
        events: &mut Vec<Event>,
    ) {
        let signal = scene.signal(sample.slot);
        let time = self.tell_at(sample.time);
        let mut tell = |change, started, message: Option<String>| {
            let message = message
                .unwrap_or_else(|| message::detector(change, signal, sample.value, &scene.unit(signal)));
            let event = scene.detector_event(rule, change, time, started, sample, message);
            events.push(Event { score: judgement.score, ..event });
        };
        if self.unknown && !sample.late {
            self.unknown = false;
            tell(Change::Known, self.started, None);
        }
        if judgement.onset {
            if !self.open {
                self.started = sample.time;
            }
            self.open = true;
            tell(Change::Onset, self.started, message);
        }
        if judgement.clear {
            self.open = false;
            self.unknown = false;
            tell(Change::End, self.started, None);
        }
    }
}

fn missing_event(scene: &Scene<'_>, rule: u32, slot: u32, change: Change, time: i64, started: i64) -> Event {
    let last = &scene.slots[slot as usize];
    let sample = Sample { slot, time: last.time, value: last.value, late: false };
    let longer_than_us = match &scene.program.rules[rule as usize] {
        CompiledRule { watch: RuleWatch::Missing { longer_than_us, .. }, .. } => *longer_than_us,
        _ => 0,
    };
    let event = scene.detector_event(
        rule,
        change,
        time,
        started,
        sample,
        message::missing(change, scene.signal(slot), longer_than_us),
    );
    // A series that has sent bad readings only has no value to show.
    if last.time == NO_TIME {
        Event { value: None, from: Timestamp(started), values: Vec::new(), ..event }
    } else {
        event
    }
}
