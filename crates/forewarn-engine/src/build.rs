//! Which rules and derived signals an asset has: decided when a series or the definitions are new, never in
//! the hot loop.

use std::collections::{BTreeMap, BTreeSet};

use crate::detect::Detector;
use crate::dictionary::Dictionary;
use crate::episode::Episode;
use crate::instance::Instance;
use crate::missing::Missing;
use crate::program::{CompiledRule, Program, RuleWatch};
use crate::shard::{AssetState, DerivedInstance, Shard};
use crate::slot::{NO_SLOT, NO_TIME, Slot};
use crate::state::State;
use crate::when::WhenState;

impl Shard {
    /// The place of a signal of an asset, which is added if it is new. `asset` is the number within the
    /// shard, `id` that in the dictionary.
    pub(crate) fn slot(&mut self, asset: u32, id: u32, signal: u32) -> u32 {
        if asset as usize >= self.assets.len() {
            self.assets.push(AssetState::new(id));
        }
        if let Some(slot) = self.find_slot(asset, signal) {
            return slot;
        }
        let slot = index_u32(self.slots.len());
        self.slots.push(Slot::new(asset, signal));
        self.index.insert((asset, signal), slot);
        slot
    }

    /// Builds anew what snapshots do not hold of slots.
    pub(crate) fn rebuild_index(&mut self, program: &Program) {
        for one in &self.derived {
            self.slots[one.slot as usize].computed = true;
        }
        // Each stands after what it rests on.
        let mut derived: Vec<&DerivedInstance> = self.derived.iter().collect();
        derived.sort_by_key(|one| one.definition);
        for DerivedInstance { definition, slot, inputs } in derived {
            if let Some(definition) = program.derived.get(*definition as usize) {
                let expiry = definition.node.compute(inputs, &self.slots).expiry;
                self.slots[*slot as usize].good_until = expiry;
            }
        }
        self.index =
            self.slots.iter().zip(0..).map(|(slot, number)| ((slot.asset, slot.signal), number)).collect();
    }

    /// Gives an asset the derived signals and rules that it has the signals for, and lines up who judges
    /// after which reading: for the signals that gained something, or, after [`Shard::retain`], for `all`
    /// that anyone looks at. An asset may have many thousands of signals that appear one by one, so the work
    /// must not grow with those that nothing rests on.
    pub(crate) fn instantiate(
        &mut self,
        program: &Program,
        names: &mut Dictionary,
        (asset, now): (u32, i64),
        all: bool,
    ) {
        let mut touched = BTreeSet::new();
        let path = names.asset(self.assets[asset as usize].id).clone();
        for (index, definition) in
            program.derived.iter().enumerate().filter(|(_, definition)| definition.assets.matches(&path))
        {
            let definition_index = index_u32(index);
            let exists = |derived: &u32| self.derived[*derived as usize].definition == definition_index;
            if self.assets[asset as usize].derived.iter().any(exists) {
                continue;
            }
            let inputs: Option<Box<[u32]>> = definition
                .node
                .signals()
                .iter()
                .map(|signal| self.find_named(names, asset, signal))
                .collect();
            if let Some(inputs) = inputs {
                touched.extend(inputs.iter().copied());
                let signal = names.intern_signal(&definition.name);
                let slot = self.slot(asset, self.assets[asset as usize].id, signal);
                self.assets[asset as usize].derived.push(index_u32(self.derived.len()));
                self.slots[slot as usize].computed = true;
                self.derived.push(DerivedInstance { definition: definition_index, slot, inputs });
            }
        }
        for (index, rule) in program.rules.iter().enumerate().filter(|(_, rule)| rule.assets.matches(&path)) {
            if let RuleWatch::Missing { signal, expected: true, .. } = &rule.watch {
                let signal = names.intern_signal(signal);
                self.slot(asset, self.assets[asset as usize].id, signal);
            }
            self.instantiate_rule(names, (asset, now), (index_u32(index), rule), &mut touched);
        }
        if all {
            let AssetState { instances, derived, .. } = &self.assets[asset as usize];
            for index in instances {
                self.instances[*index as usize].for_each_slot(|slot| _ = touched.insert(slot));
            }
            for index in derived {
                touched.extend(self.derived[*index as usize].inputs.iter().copied());
            }
        }
        touched.remove(&NO_SLOT);
        if !touched.is_empty() {
            self.line_up(asset, touched);
        }
    }

    /// Drops the instances of rules and the derived signals that are gone or changed and renumbers the
    /// others: `rules` and `derived` give each old number its new one, `watches` says whether a new rule
    /// watches an asset. [`Shard::instantiate`] then makes the new ones and lines all of them up.
    pub(crate) fn retain(
        &mut self,
        rules: &[Option<u32>],
        derived: &[Option<u32>],
        watches: impl Fn(u32, u32) -> bool,
    ) {
        for slot in &mut self.slots {
            slot.derived = Box::default();
            slot.watchers = Box::default();
        }
        self.settling.clear();
        let old = std::mem::take(&mut self.instances);
        self.assets.iter_mut().for_each(|asset| asset.instances.clear());
        for mut instance in old {
            if let Some(rule) = rules.get(instance.rule as usize).copied().flatten()
                && watches(rule, self.assets[instance.asset as usize].id)
            {
                instance.rule = rule;
                self.assets[instance.asset as usize].instances.push(index_u32(self.instances.len()));
                self.instances.push(instance);
            }
        }
        let old = std::mem::take(&mut self.derived);
        self.assets.iter_mut().for_each(|asset| asset.derived.clear());
        for mut one in old {
            let slot = &mut self.slots[one.slot as usize];
            if let Some(definition) = derived.get(one.definition as usize).copied().flatten() {
                one.definition = definition;
                self.assets[slot.asset as usize].derived.push(index_u32(self.derived.len()));
                self.derived.push(one);
            } else {
                slot.known = false;
                slot.computed = false;
            }
        }
    }

    /// Gives an asset a rule, or the rule the signals that are new; `touched` gets those that the rule then
    /// looks at.
    fn instantiate_rule(
        &mut self,
        names: &Dictionary,
        (asset, now): (u32, i64),
        (number, rule): (u32, &CompiledRule),
        touched: &mut BTreeSet<u32>,
    ) {
        let inputs: Box<[u32]> = rule
            .signals()
            .iter()
            .map(|signal| self.find_named(names, asset, signal).unwrap_or(NO_SLOT))
            .collect();
        let existing = self.assets[asset as usize]
            .instances
            .iter()
            .find(|index| self.instances[**index as usize].rule == number);
        if let Some(index) = existing {
            if let State::When(known, _) = &mut self.instances[*index as usize].state
                && *known != inputs
            {
                touched.extend(inputs.iter().copied());
                *known = inputs;
            }
            return;
        }
        // An expression begins as soon as it could be decided by one of its signals, as `a > 1 || b > 1` can.
        let Some(slot) = inputs.iter().copied().find(|slot| *slot != NO_SLOT) else { return };
        touched.extend(inputs.iter().copied());
        let state = match &rule.watch {
            RuleWatch::When(_) => State::When(inputs, WhenState::new()),
            RuleWatch::Detector { params, .. } => State::Detector(Episode::new(slot), Detector::new(params)),
            RuleWatch::Missing { expected, longer_than_us, .. } => {
                // A rule that is new to a series that has spoken starts counting at its newest reading.
                let arrived = self.slots[slot as usize].clock.arrived;
                let mut missing = Missing::new(slot, arrived);
                if *expected && arrived == NO_TIME && now != NO_TIME {
                    missing.arrived = now;
                    let deadline = now.saturating_add(*longer_than_us);
                    missing.must_queue(deadline);
                    self.expect(deadline, index_u32(self.instances.len()));
                }
                State::Missing(missing)
            }
        };
        self.assets[asset as usize].instances.push(index_u32(self.instances.len()));
        self.instances.push(Instance { rule: number, asset, state });
    }

    /// Works out for the `touched` slots of an asset, and for what derived ones among them rest on, which
    /// derived signals a reading changes and which instances judge then.
    fn line_up(&mut self, asset: u32, mut touched: BTreeSet<u32>) {
        let Self { slots, assets, instances, derived, .. } = self;
        let state = &mut assets[asset as usize];
        state.derived.sort_unstable_by_key(|index| derived[*index as usize].definition);
        state.instances.sort_unstable_by_key(|index| instances[*index as usize].rule);
        let mut direct: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for &index in &state.instances {
            instances[index as usize].for_each_slot(|slot| direct.entry(slot).or_default().push(index));
        }
        // Each derived signal stands after those it rests on, so one way back finds them all.
        for one in state.derived.iter().rev().map(|index| &derived[*index as usize]) {
            if touched.contains(&one.slot) {
                touched.extend(one.inputs.iter().copied());
            }
        }
        for slot in touched {
            let mut changed = vec![slot];
            let mut follow = Vec::new();
            for &index in &state.derived {
                let one = &derived[index as usize];
                if one.inputs.iter().any(|input| changed.contains(input)) {
                    changed.push(one.slot);
                    follow.push(index);
                }
            }
            let mut watchers: Vec<u32> =
                changed.iter().filter_map(|slot| direct.get(slot)).flatten().copied().collect();
            watchers.sort_unstable_by_key(|index| instances[*index as usize].rule);
            watchers.dedup();
            slots[slot as usize].derived = follow.into_boxed_slice();
            slots[slot as usize].watchers = watchers.into_boxed_slice();
        }
    }

    fn find_named(&self, names: &Dictionary, asset: u32, signal: &str) -> Option<u32> {
        self.find_slot(asset, names.signal_number(signal)?)
    }

    fn find_slot(&self, asset: u32, signal: u32) -> Option<u32> {
        self.index.get(&(asset, signal)).copied()
    }
}

/// Counts of series are `u32`, so every index here is one.
pub(crate) fn index_u32(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
