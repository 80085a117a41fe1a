//! Attributes of assets: values of slots that no reading changes. What is computed from them follows at once,
//! and what rests on them is judged anew.

use std::collections::BTreeSet;

use super::{DerivedInstance, Shard};
use crate::dictionary::Dictionary;
use crate::node::Output;
use crate::program::Program;
use crate::running::Running;

impl Shard {
    /// Gives an asset the attributes `numbers`, by signal, and no others. The slots that changed come back.
    pub(crate) fn set_attributes(
        &mut self,
        (asset, id): (u32, u32),
        numbers: &[(u32, f64)],
        time: i64,
        names: &Dictionary,
    ) -> BTreeSet<u32> {
        let mut changed = BTreeSet::new();
        let slots: Vec<u32> =
            self.index.range((asset, 0)..=(asset, u32::MAX)).map(|(_, slot)| *slot).collect();
        for number in slots {
            let slot = &mut self.slots[number as usize];
            let is_gone = !numbers.iter().any(|(signal, _)| *signal == slot.signal);
            if slot.constant && slot.known && is_gone {
                slot.known = false;
                changed.insert(number);
            }
        }
        for &(signal, value) in numbers {
            let number = self.slot(asset, id, signal);
            let slot = &mut self.slots[number as usize];
            let is_same = slot.constant && slot.known && slot.value.to_bits() == value.to_bits();
            if !is_same {
                debug_assert!(names.signal(signal).starts_with(forewarn_types::ATTRIBUTE_PREFIX));
                (slot.constant, slot.known, slot.value, slot.time) = (true, true, value, time);
                changed.insert(number);
            }
        }
        changed
    }

    /// What rests on the `changed` slots of an asset follows.
    pub(crate) fn follow_attributes(
        &mut self,
        program: &Program,
        names: &Dictionary,
        (asset, changed): (u32, &mut BTreeSet<u32>),
        running: &Running,
    ) {
        if changed.is_empty() {
            return;
        }
        let mut derived = self.assets[asset as usize].derived.clone();
        derived.sort_unstable_by_key(|index| self.derived[*index as usize].definition);
        for index in derived {
            let DerivedInstance { definition, slot, inputs } = &self.derived[index as usize];
            if !inputs.iter().any(|input| changed.contains(input)) {
                continue;
            }
            let Output { value, expiry, clock } =
                program.derived[*definition as usize].node.compute(inputs, &self.slots);
            changed.insert(*slot);
            let slot = &mut self.slots[*slot as usize];
            (slot.clock, slot.good_until) = (clock, expiry);
            match value {
                Some((value, time)) => (slot.value, slot.time, slot.known) = (value, time, true),
                None => slot.known = false,
            }
        }
        let instances: BTreeSet<u32> = self.assets[asset as usize]
            .instances
            .iter()
            .copied()
            .filter(|index| {
                let mut rests = false;
                self.instances[*index as usize].for_each_slot(|slot| rests |= changed.contains(&slot));
                rests
            })
            .collect();
        self.judge_anew_some(program, names, running, |number, _| instances.contains(&number));
    }
}
