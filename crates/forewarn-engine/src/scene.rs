//! What the rules of an asset may look at while they judge, and the events they make of it.

use forewarn_types::{EvidenceValue, Timestamp};

use crate::detect::Sample;
use crate::dictionary::Dictionary;
use crate::event::{Change, Event};
use crate::message;
use crate::program::{Program, WhenRule};
use crate::slot::Slot;
use crate::when::Step;

/// What the rules of an asset may look at while they judge a row.
pub(crate) struct Scene<'a> {
    pub(crate) program: &'a Program,
    pub(crate) names: &'a Dictionary,
    pub(crate) slots: &'a [Slot],
    /// The asset's number in the dictionary.
    pub(crate) asset: u32,
    pub(crate) row: u32,
}

impl Scene<'_> {
    pub(crate) fn signal(&self, slot: u32) -> &str {
        self.names.signal(self.slots[slot as usize].signal)
    }

    pub(crate) fn unit(&self, signal: &str) -> String {
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
        let value = |slot: &u32| {
            let value = self.evidence(*slot);
            // An attribute is as good as when it was given.
            let is_constant = self.slots[*slot as usize].constant;
            EvidenceValue { time: if is_constant { Timestamp(step.started) } else { value.time }, ..value }
        };
        let values: Vec<EvidenceValue> = slots.iter().map(value).collect();
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

    /// The event of a rule on one series; `sample` is the reading it is about.
    pub(crate) fn series_event(
        &self,
        rule: u32,
        change: Change,
        (time, started): (i64, i64),
        (slot, sample): (u32, Sample),
        message: String,
    ) -> Event {
        let value = EvidenceValue {
            signal: self.signal(slot).into(),
            time: Timestamp(sample.time_us),
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
            from: Timestamp(started.min(sample.time_us)),
            values: vec![value],
        }
    }
}
