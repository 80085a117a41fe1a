//! A shard: the state of every n-th asset, and the hot loop that readings run through.
//!
//! All state stands in dense vectors: slots (one a signal of an asset), assets, rule instances. A slot knows
//! beforehand which derived signals a reading of it changes and which instances then judge, in order, so the
//! loop looks nothing up and allocates nothing; only a change of a rule's condition does. A sample of several
//! readings is stored whole first; then each of the derived signals of all of them follows once, and each of
//! the instances judges once.

mod attributes;
mod clock;
mod service;
mod settle;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use forewarn_types::{Offset, Quality, ReadingFlags};
use serde::{Deserialize, Serialize};

use crate::detect::Sample;
use crate::dictionary::Dictionary;
use crate::event::Event;
use crate::instance::Instance;
use crate::missing::longer_than_us;
use crate::moment::Moment;
use crate::node::Output;
use crate::program::{Program, RuleWatch};
use crate::running::Running;
use crate::scene::Scene;
use crate::slot::{Clock, NEVER, NO_TIME, Slot};
use crate::state::State;
use crate::waiting::Waiting;
use crate::when::Passed;

/// One asset of the shard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct AssetState {
    /// Its number in the dictionary.
    pub(crate) id: u32,
    /// Running time from which on time alone may change something for one of its rules.
    due: i64,
    /// Whether it stands in [`Shard::armed`].
    armed: bool,
    pub(crate) derived: Vec<u32>,
    pub(crate) instances: Vec<u32>,
    /// The record that says that it is out of service for good: no rule judges it.
    #[serde(default)]
    retired_by: Option<Offset>,
}

/// A derived signal on one asset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct DerivedInstance {
    /// Its place in [`Program::derived`].
    pub(crate) definition: u32,
    pub(crate) slot: u32,
    pub(crate) inputs: Box<[u32]>,
}

/// Readings that are not late come in order of time, but for those judged as of their arrival. A step back by
/// more than this is one of the server's clock.
const CLOCK_SET_BACK_US: i64 = 60_000_000;

/// Every n-th asset.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Shard {
    pub(crate) slots: Vec<Slot>,
    /// Slots by asset and signal.
    #[serde(skip)]
    pub(crate) index: BTreeMap<(u32, u32), u32>,
    pub(crate) assets: Vec<AssetState>,
    pub(crate) instances: Vec<Instance>,
    pub(crate) derived: Vec<DerivedInstance>,
    /// Assets with a running hold, or with an alert whose inputs may go stale: those a tick must look at.
    armed: Vec<u32>,
    /// What waits for the rest of a sample, by asset.
    #[serde(default)]
    pub(crate) settling: BTreeMap<u32, Waiting>,
    /// Deadlines of `missing` rules, in running time, with the instance. A deadline that comes up is
    /// checked against the newest arrival and put back, so that a reading costs nothing here.
    #[serde(skip)]
    deadlines: BinaryHeap<Reverse<(i64, u32)>>,
    /// What the present record has changed.
    #[serde(skip)]
    pub(crate) events: Vec<Event>,
    #[serde(skip)]
    gathered: Gathered,
}

/// A reading on its way through the shard.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    pub(crate) slot: u32,
    pub(crate) time: i64,
    pub(crate) value: f64,
    pub(crate) flags: ReadingFlags,
}

/// The readings of a sample of several, and what follows from all of them.
#[derive(Debug, Default)]
struct Gathered {
    rows: Vec<Row>,
    /// As of [`Slot`].
    derived: Vec<u32>,
    watchers: Vec<u32>,
}

/// Where it stands what follows from a sample.
#[derive(Debug, Clone, Copy)]
enum Follow {
    /// In the slot of its one reading.
    Slot(u32),
    /// In what was gathered from its readings.
    Gathered,
}

impl AssetState {
    pub(crate) fn new(id: u32) -> Self {
        Self { id, due: NEVER, armed: false, derived: Vec::new(), instances: Vec::new(), retired_by: None }
    }
}

impl Shard {
    /// Adds to detectors what a snapshot of an earlier version does not hold.
    pub(crate) fn complete_detectors(&mut self) {
        for instance in &mut self.instances {
            if let State::Detector(episode, detector) = &mut instance.state {
                detector.complete(self.slots[episode.slot as usize].rhythm());
            }
        }
    }

    /// The number in the dictionary of the asset that a slot belongs to.
    pub(crate) fn asset_id(&self, slot: u32) -> Option<u32> {
        let slot = self.slots.get(slot as usize)?;
        self.assets.get(slot.asset as usize).map(|asset| asset.id)
    }

    /// Takes one sample through: time passes up to it, it is stored, derived signals follow, rules judge.
    /// Then detectors look at its late readings.
    #[inline]
    pub(crate) fn sample(
        &mut self,
        program: &Program,
        names: &Dictionary,
        moment: Moment,
        mut rows: impl ExactSizeIterator<Item = Row>,
    ) {
        if rows.len() != 1 || program.settles {
            return self.gathered_sample(program, names, moment, rows);
        }
        let Some(row) = rows.next() else { return };
        if !row.value.is_finite() {
            return;
        }
        let Some(asset) = self.slots.get(row.slot as usize).map(|slot| slot.asset) else { return };
        if row.flags.is_late() {
            return self.judge_late(program, names, moment, &row, asset);
        }
        let follow = Follow::Slot(row.slot);
        if self.assets[asset as usize].armed {
            self.advance(program, names, moment, (follow, row.time), asset);
        }
        self.store(&row, moment);
        self.derive(program, follow);
        self.judge(program, names, moment, follow, asset);
    }

    /// A sample of several readings.
    fn gathered_sample(
        &mut self,
        program: &Program,
        names: &Dictionary,
        moment: Moment,
        rows: impl Iterator<Item = Row>,
    ) {
        let Self { slots, gathered, .. } = self;
        gathered.rows.clear();
        gathered.rows.extend(rows.filter(|row| row.value.is_finite() && (row.slot as usize) < slots.len()));
        let Some(first) = gathered.rows.first() else { return };
        let (asset, time) = (slots[first.slot as usize].asset, first.time);
        if program.settles {
            self.settle_before(program, names, moment, (asset, time));
        }
        let Self { slots, instances, derived, gathered, .. } = self;
        gathered.derived.clear();
        gathered.watchers.clear();
        for row in gathered.rows.iter().filter(|row| !row.flags.is_late()) {
            let slot = &slots[row.slot as usize];
            gathered.derived.extend_from_slice(&slot.derived);
            gathered.watchers.extend_from_slice(&slot.watchers);
        }
        gathered.derived.sort_unstable_by_key(|index| derived[*index as usize].definition);
        gathered.derived.dedup();
        gathered.watchers.sort_unstable_by_key(|index| instances[*index as usize].rule);
        gathered.watchers.dedup();
        let rows = std::mem::take(&mut gathered.rows);
        if rows.iter().any(|row| !row.flags.is_late()) {
            if self.assets[asset as usize].armed {
                self.advance(program, names, moment, (Follow::Gathered, time), asset);
            }
            for row in rows.iter().filter(|row| !row.flags.is_late()) {
                self.store(row, moment);
            }
            if program.settles {
                self.put_aside(program, moment, (asset, time));
            }
            self.derive(program, Follow::Gathered);
            self.judge(program, names, moment, Follow::Gathered, asset);
        }
        for row in rows.iter().filter(|row| row.flags.is_late()) {
            self.judge_late(program, names, moment, row, asset);
        }
        self.gathered.rows = rows;
    }

    /// Puts a reading that is not late into its slot.
    #[inline]
    fn store(&mut self, row: &Row, moment: Moment) {
        let slot = &mut self.slots[row.slot as usize];
        if slot.clock.newest.saturating_sub(row.time) > CLOCK_SET_BACK_US {
            let asset = slot.asset;
            return self.set_back(asset, row, moment);
        }
        slot.clock = slot.clock.max(Clock { newest: row.time, ..moment.clock() });
        if row.flags.quality() == Quality::Bad {
            slot.known = false;
        } else {
            slot.take(row.value, row.time);
        }
    }

    /// Lets running time pass: holds elapse, inputs go stale, silences are found.
    pub(crate) fn tick(&mut self, program: &Program, names: &Dictionary, running: &Running) {
        self.settle_due(program, names, running);
        let now = running.now();
        let mut index = 0;
        while index < self.armed.len() {
            let asset = self.armed[index];
            if self.assets[asset as usize].due <= now {
                self.wait(program, names, asset, now);
            }
            if self.assets[asset as usize].due == NEVER {
                self.assets[asset as usize].armed = false;
                self.armed.swap_remove(index);
            } else {
                index += 1;
            }
        }
        while let Some(Reverse((deadline, instance))) = self.deadlines.peek().copied() {
            if deadline >= now {
                break;
            }
            self.deadlines.pop();
            self.check_silence(program, names, (deadline, instance), running);
        }
    }

    /// Builds the queue of deadlines anew from the state of the instances.
    pub(crate) fn rebuild_deadlines(&mut self, program: &Program) {
        self.deadlines.clear();
        let missing =
            self.instances.iter().filter(|instance| matches!(instance.state, State::Missing(_))).count();
        self.deadlines.reserve(missing);
        for (index, instance) in self.instances.iter_mut().enumerate() {
            let State::Missing(missing) = &mut instance.state else { continue };
            missing.armed = !missing.open && missing.arrived != NO_TIME;
            if missing.armed {
                let deadline = missing.arrived.saturating_add(longer_than_us(program, instance.rule));
                missing.queued = deadline;
                self.deadlines.push(Reverse((deadline, u32::try_from(index).unwrap_or(u32::MAX))));
            }
        }
    }

    /// Finds out anew which assets a tick must look at, after instances came or went.
    pub(crate) fn rebuild_armed(&mut self, program: &Program) {
        self.armed.clear();
        self.armed.reserve(self.assets.len());
        for index in 0..self.assets.len() {
            let asset = u32::try_from(index).unwrap_or(u32::MAX);
            self.assets[index].due = self.due(program, asset, NO_TIME);
            self.assets[index].armed = self.assets[index].due != NEVER;
            if self.assets[index].armed {
                self.armed.push(asset);
            }
        }
    }

    /// The rules that watch what was stored or derived judge.
    fn judge(&mut self, program: &Program, names: &Dictionary, moment: Moment, follow: Follow, asset: u32) {
        let Self { slots, assets, instances, armed, deadlines, events, gathered, .. } = self;
        let state = &mut assets[asset as usize];
        if state.retired_by.is_some() {
            return;
        }
        let scene = Scene { program, names, slots: &*slots, asset: state.id, row: moment.number };
        for &index in watchers(follow, slots, gathered) {
            let instance = &mut instances[index as usize];
            let number = instance.rule;
            if let State::When(inputs, when) = &mut instance.state {
                let RuleWatch::When(rule) = &program.rules[number as usize].watch else { continue };
                let clock = Clock::latest(inputs, slots);
                let at = clock.newest;
                when.judge(rule, inputs, slots, at, &mut |step| {
                    events.push(scene.when_event(number, rule, inputs, step));
                });
                if !when.is_idle() {
                    arm(state, clock.running_time(when.due(rule, inputs, slots, at)), asset, armed);
                }
                continue;
            }
            let Some(slot) = instance.slot() else { continue };
            let source = &slots[slot as usize];
            if let State::Missing(missing) = &mut instance.state {
                let deadline = moment.arrived.saturating_add(longer_than_us(program, number));
                let queue = if source.known {
                    missing.spoke(&scene, number, (moment, deadline), events)
                } else {
                    missing.muttered(&scene, number, (moment, deadline), events)
                };
                if queue {
                    deadlines.push(Reverse((deadline, index)));
                }
            } else if source.known {
                let sample = Sample { time_us: source.clock.newest, value: source.value, late: false };
                if instance.detect(&scene, sample, events) {
                    arm(state, source.clock.running_time(source.stale_after()), asset, armed);
                }
            } else {
                instance.doubt(&scene, source.clock.newest, events);
            }
        }
    }

    /// A late reading: detectors judge it against the present state, nothing else changes but that the series
    /// has spoken. One that only repeats the present value at its time says nothing at all.
    #[cold]
    fn judge_late(&mut self, program: &Program, names: &Dictionary, moment: Moment, row: &Row, asset: u32) {
        let present = &self.slots[row.slot as usize];
        if (present.time, present.value) == (row.time, row.value)
            || row.flags.quality() == Quality::Bad
            || self.assets[asset as usize].retired_by.is_some()
        {
            return;
        }
        let Self { slots, assets, instances, armed, deadlines, events, .. } = self;
        let scene =
            Scene { program, names, slots: &*slots, asset: assets[asset as usize].id, row: moment.number };
        for &index in &*slots[row.slot as usize].watchers {
            let instance = &mut instances[index as usize];
            if instance.slot() != Some(row.slot) {
                continue;
            }
            let number = instance.rule;
            if let State::Missing(missing) = &mut instance.state {
                let deadline = moment.arrived.saturating_add(longer_than_us(program, number));
                if missing.spoke(&scene, number, (moment, deadline), events) {
                    deadlines.push(Reverse((deadline, index)));
                }
                continue;
            }
            let sample = Sample { time_us: row.time, value: row.value, late: true };
            if instance.detect(&scene, sample, events) {
                let source = &slots[row.slot as usize];
                arm(
                    &mut assets[asset as usize],
                    source.clock.running_time(source.stale_after()),
                    asset,
                    armed,
                );
            }
        }
    }

    /// Computes the derived signals that follow from a sample and puts the results into their slots.
    #[inline]
    fn derive(&mut self, program: &Program, follow: Follow) {
        let count = match follow {
            Follow::Slot(slot) => self.slots[slot as usize].derived.len(),
            Follow::Gathered => self.gathered.derived.len(),
        };
        for place in 0..count {
            let index = match follow {
                Follow::Slot(slot) => self.slots[slot as usize].derived[place],
                Follow::Gathered => self.gathered.derived[place],
            };
            let DerivedInstance { definition, slot, inputs } = &self.derived[index as usize];
            let Output { value, expiry, clock } =
                program.derived[*definition as usize].node.compute(inputs, &self.slots);
            let slot = &mut self.slots[*slot as usize];
            slot.clock = clock;
            slot.good_until = expiry;
            match value {
                Some((value, time)) => slot.take(value, time),
                None => slot.known = false,
            }
        }
    }

    /// Lets event time pass up to a sample that is about to be stored, for the rules that watch it.
    #[cold]
    fn advance(
        &mut self,
        program: &Program,
        names: &Dictionary,
        moment: Moment,
        (follow, time): (Follow, i64),
        asset: u32,
    ) {
        let Self { slots, assets, instances, events, gathered, .. } = self;
        let scene =
            Scene { program, names, slots: &*slots, asset: assets[asset as usize].id, row: moment.number };
        for &index in watchers(follow, slots, gathered) {
            instances[index as usize].advance(
                &scene,
                |clock, rhythm| Passed::up_to(time, clock, rhythm, moment.lost),
                events,
            );
        }
    }

    /// Lets time pass for all rules of an asset, up to the running time `now`.
    #[cold]
    fn wait(&mut self, program: &Program, names: &Dictionary, asset: u32, now: i64) {
        let Self { slots, assets, instances, events, .. } = self;
        let state = &assets[asset as usize];
        let scene = Scene { program, names, slots: &*slots, asset: state.id, row: 0 };
        for &index in &state.instances {
            let passed = |clock: Clock, _| Passed {
                at: clock.newest,
                to: clock.event_time(now),
                inclusive: true,
                lost: 0,
            };
            instances[index as usize].advance(&scene, passed, events);
        }
        self.assets[asset as usize].due = self.due(program, asset, now);
    }

    /// Running time after `now` from which on time alone may change something for a rule of the asset.
    fn due(&self, program: &Program, asset: u32, now: i64) -> i64 {
        let instances =
            self.assets[asset as usize].instances.iter().map(|index| &self.instances[*index as usize]);
        let dues = instances.filter_map(|instance| {
            match (&instance.state, &program.rules[instance.rule as usize].watch) {
                (State::When(inputs, when), RuleWatch::When(rule)) => {
                    let clock = Clock::latest(inputs, &self.slots);
                    Some(clock.running_time(when.due(rule, inputs, &self.slots, clock.event_time(now))))
                }
                _ => instance
                    .doubtful_slot()
                    .map(|slot| &self.slots[slot as usize])
                    .map(|slot| slot.clock.running_time(slot.stale_after())),
            }
        });
        dues.min().unwrap_or(NEVER)
    }

    /// Judges open alerts of the `changed` rules by the last values, as the definitions are other ones
    /// now; and what is not open, as if a reading had come.
    pub(crate) fn judge_anew(
        &mut self,
        program: &Program,
        names: &Dictionary,
        changed: &[bool],
        running: &Running,
    ) {
        let is_changed = |rule: u32| changed.get(rule as usize).is_some_and(|changed| *changed);
        self.judge_anew_some(program, names, running, |_, rule| is_changed(rule));
    }

    /// The same for the instances that `which` picks, by their number and their rule's.
    fn judge_anew_some(
        &mut self,
        program: &Program,
        names: &Dictionary,
        running: &Running,
        which: impl Fn(u32, u32) -> bool,
    ) {
        if running.is_unset() {
            return;
        }
        let Self { slots, assets, instances, armed, deadlines, events, .. } = self;
        for (number, instance) in (0u32..).zip(instances) {
            if !which(number, instance.rule) {
                continue;
            }
            let state = &mut assets[instance.asset as usize];
            let scene = Scene { program, names, slots: &*slots, asset: state.id, row: 0 };
            let rule_number = instance.rule;
            match (&mut instance.state, &program.rules[rule_number as usize].watch) {
                (State::When(inputs, when), RuleWatch::When(rule)) => {
                    let clock = Clock::latest(inputs, slots);
                    if clock.newest == NO_TIME {
                        continue;
                    }
                    let at = clock.event_time(running.now());
                    when.judge_anew(rule, inputs, slots, at, &mut |step| {
                        events.push(scene.when_event(rule_number, rule, inputs, step));
                    });
                    let due = clock.running_time(when.due(rule, inputs, slots, at));
                    arm(state, due, instance.asset, armed);
                }
                (State::Missing(missing), RuleWatch::Missing { longer_than_us, .. }) => {
                    let deadline = missing.arrived.saturating_add(*longer_than_us);
                    if missing.open && running.now() <= deadline {
                        missing.end(&scene, rule_number, running.wall(), events);
                        if missing.must_queue(deadline) {
                            deadlines.push(Reverse((deadline, number)));
                        }
                    }
                }
                // A detector's next reading tells.
                _ => {}
            }
        }
    }

    /// A deadline of an instance has come up.
    fn check_silence(
        &mut self,
        program: &Program,
        names: &Dictionary,
        (queued, index): (i64, u32),
        running: &Running,
    ) {
        let Self { slots, assets, instances, deadlines, events, .. } = self;
        let instance = &mut instances[index as usize];
        let State::Missing(missing) = &mut instance.state else { return };
        if !missing.armed || missing.queued != queued {
            return;
        }
        let deadline = missing.arrived.saturating_add(longer_than_us(program, instance.rule));
        if deadline < running.now() {
            let asset = assets[instance.asset as usize].id;
            let scene = Scene { program, names, slots, asset, row: 0 };
            missing.silent(&scene, instance.rule, running.wall_at(deadline), events);
        } else {
            missing.queued = deadline;
            deadlines.push(Reverse((deadline, index)));
        }
    }
}

/// The instances that judge what was stored, by rule.
#[inline]
fn watchers<'a>(follow: Follow, slots: &'a [Slot], gathered: &'a Gathered) -> &'a [u32] {
    match follow {
        Follow::Slot(slot) => &slots[slot as usize].watchers,
        Follow::Gathered => &gathered.watchers,
    }
}

/// Has ticks look at the asset from the running time `due` on.
fn arm(state: &mut AssetState, due: i64, asset: u32, armed: &mut Vec<u32>) {
    state.due = state.due.min(due);
    if state.due != NEVER && !state.armed {
        state.armed = true;
        armed.push(asset);
    }
}

#[cfg(test)]
impl Shard {
    /// Forgets at which levels episodes began, and all of learnt limits.
    pub(crate) fn forget_what_version_2_lacks(&mut self) {
        for instance in &mut self.instances {
            if let State::Detector(episode, detector) = &mut instance.state {
                episode.forget_level();
                if let crate::detect::Detector::LearnedLimits(limits) = detector {
                    **limits = crate::detect::LearnedLimits::default();
                    *episode = crate::episode::Episode::new(episode.slot);
                }
            }
        }
    }

    /// How many assets a tick looks at.
    pub(crate) fn armed_count(&self) -> usize {
        self.armed.len()
    }
}
