//! Waiting for the rest of a sample whose values come in separate records (`settle` of a rule or signal).
//!
//! Readings are stored as they come. What is to settle and lacks a value of the sample's time is put aside,
//! with all that rests on it. It follows once the last value is there, or before a reading of another time
//! is stored, or when it has waited for long enough.

use std::collections::BTreeMap;

use super::{DerivedInstance, Follow, Shard};
use crate::dictionary::Dictionary;
use crate::moment::Moment;
use crate::program::{Program, RuleWatch};
use crate::running::Running;
use crate::slot::Slot;
use crate::state::State;
use crate::waiting::{Waiting, take_due, until};

impl Shard {
    /// What waits for the rest of an earlier sample of the asset does so no longer: its values are about to
    /// be replaced by those of `time`.
    pub(super) fn settle_before(
        &mut self,
        program: &Program,
        names: &Dictionary,
        moment: Moment,
        (asset, time): (u32, i64),
    ) {
        let Some(waiting) = self.settling.get(&asset) else { return };
        let now = if waiting.time == time { Some(moment.arrived) } else { None };
        self.settle(program, names, moment, (asset, now));
    }

    /// Takes out of what follows from a sample what is to wait for the rest of it, and adds what waited for
    /// this part.
    pub(super) fn put_aside(&mut self, program: &Program, moment: Moment, (asset, time): (u32, i64)) {
        let Self { slots, assets, instances, derived, gathered, settling, .. } = self;
        let before = settling.remove(&asset).unwrap_or(Waiting { time, derived: vec![], instances: vec![] });
        gathered.derived.extend(before.derived.iter().map(|(index, _)| *index));
        gathered.derived.sort_unstable_by_key(|index| derived[*index as usize].definition);
        gathered.derived.dedup();
        gathered.watchers.extend(before.instances.iter().map(|(index, _)| *index));
        gathered.watchers.sort_unstable_by_key(|index| instances[*index as usize].rule);
        gathered.watchers.dedup();

        let sample = Sample { slots, derived, of_asset: &assets[asset as usize].derived, time };
        let mut after = Waiting { time, derived: Vec::new(), instances: Vec::new() };
        // Slots of what waits: what rests on them waits as long at least.
        let mut open: BTreeMap<u32, i64> = BTreeMap::new();
        gathered.derived.retain(|index| {
            let one = &derived[*index as usize];
            let settle_us = program.derived[one.definition as usize].settle_us;
            let own = (settle_us > 0 && !sample.has_all(&one.inputs))
                .then(|| until(&before.derived, *index, moment.arrived.saturating_add(settle_us)));
            let wait = own.max(one.inputs.iter().filter_map(|slot| open.get(slot).copied()).max());
            after.derived.extend(wait.map(|until| (*index, until)));
            open.extend(wait.map(|until| (one.slot, until)));
            wait.is_none()
        });
        gathered.watchers.retain(|index| {
            let instance = &instances[*index as usize];
            let own = match (&instance.state, &program.rules[instance.rule as usize].watch) {
                (State::When(inputs, _), RuleWatch::When(rule))
                    if rule.settle_us > 0 && !sample.has_all(inputs) =>
                {
                    let begin = moment.arrived.saturating_add(rule.settle_us);
                    Some(until(&before.instances, *index, begin))
                }
                _ => None,
            };
            let mut wait = own;
            instance.for_each_slot(|slot| wait = wait.max(open.get(&slot).copied()));
            after.instances.extend(wait.map(|until| (*index, until)));
            wait.is_none()
        });
        if !after.is_empty() {
            settling.insert(asset, after);
        }
    }

    /// What has waited for long enough by now follows without the rest of its sample.
    pub(super) fn settle_due(&mut self, program: &Program, names: &Dictionary, running: &Running) {
        let now = running.now();
        let due = self.settling.iter().filter(|(_, waiting)| waiting.is_due(now));
        let due: Vec<u32> = due.map(|(asset, _)| *asset).collect();
        for asset in due {
            self.settle(program, names, Moment::of_tick(running), (asset, Some(now)));
        }
    }

    /// Nothing waits any longer: the definitions are about to change.
    pub(crate) fn settle_all(&mut self, program: &Program, names: &Dictionary, running: &Running) {
        while let Some(asset) = self.settling.keys().next().copied() {
            self.settle(program, names, Moment::of_tick(running), (asset, None));
        }
    }

    /// Computes and judges what waits on an asset: what is due at `now`, or all of it.
    #[cold]
    fn settle(
        &mut self,
        program: &Program,
        names: &Dictionary,
        moment: Moment,
        (asset, now): (u32, Option<i64>),
    ) {
        let Some(waiting) = self.settling.get_mut(&asset) else { return };
        self.gathered.derived = take_due(&mut waiting.derived, now);
        self.gathered.watchers = take_due(&mut waiting.instances, now);
        if waiting.is_empty() {
            self.settling.remove(&asset);
        }
        self.derive(program, Follow::Gathered);
        self.judge(program, names, moment, Follow::Gathered, asset);
    }
}

/// A sample of an asset, as far as it is there.
struct Sample<'a> {
    slots: &'a [Slot],
    derived: &'a [DerivedInstance],
    /// The derived signals of the asset.
    of_asset: &'a [u32],
    time: i64,
}

impl Sample<'_> {
    /// Whether it has a value of each of `inputs`, or of all that a derived one is computed from.
    fn has_all(&self, inputs: &[u32]) -> bool {
        inputs.iter().all(|input| {
            let Some(slot) = self.slots.get(*input as usize) else { return false };
            let mut derived = self.of_asset.iter().map(|index| &self.derived[*index as usize]);
            match derived.find(|one| one.slot == *input) {
                Some(one) => self.has_all(&one.inputs),
                None => slot.clock.newest == self.time,
            }
        })
    }
}
