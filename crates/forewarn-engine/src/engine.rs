//! The engine: takes records in, gives alert transitions out.

use std::collections::BTreeMap;

use forewarn_types::{
    AlertTransition, DefinitionFile, Definitions, Offset, OperatorCommand, ReadingBatch, Record, SeriesDef,
};
use serde::{Deserialize, Serialize};

use crate::alerts::{Alerts, Fate, Pen};
use crate::build::index_u32;
use crate::dictionary::{Dictionary, Place};
use crate::event::Event;
use crate::program::{Outline, Program};
use crate::shard::{Row, Shard};

/// How an engine is built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineOptions {
    /// Into how many shards assets are divided, from 1. Alerts do not depend on it.
    pub shards: usize,
    /// Most alerts a rule may have open at once; what is beyond becomes a problem, and is raised when there
    /// is room.
    pub max_alerts_per_rule: usize,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self { shards: 1, max_alerts_per_rule: 10_000 }
    }
}

/// What a step brings about. The caller clears it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Actions {
    /// Transitions of alerts, to be appended to the log in this order.
    pub transitions: Vec<AlertTransition>,
    /// What was wrong with the record, for the operator.
    pub problems: Vec<String>,
}

/// The real-time path. It has no clock, does no I/O and throws no dice: the same records give the same
/// transitions.
#[derive(Serialize, Deserialize)]
pub struct Engine {
    pub(crate) options: EngineOptions,
    names: Dictionary,
    pub(crate) shards: Vec<Shard>,
    alerts: Alerts,
    /// The definitions in force, as texts.
    pub(crate) files: Vec<DefinitionFile>,
    #[serde(skip)]
    pub(crate) program: Program,
    #[serde(skip)]
    events: Vec<Event>,
}

impl Engine {
    /// An engine that knows no series and no rule.
    #[must_use]
    pub fn new(options: EngineOptions) -> Self {
        let shards = (0..options.shards.max(1)).map(|_| Shard::default()).collect();
        Self {
            options,
            names: Dictionary::default(),
            shards,
            alerts: Alerts::default(),
            files: Vec::new(),
            program: Program::default(),
            events: Vec::new(),
        }
    }

    /// Takes the record at `offset` in and adds what follows from it to `actions`. Records that concern no
    /// rule are passed over.
    pub fn step(&mut self, offset: Offset, record: &Record, actions: &mut Actions) {
        self.tell_ended(offset, actions);
        match record {
            Record::Readings(batch) => {
                self.readings(batch, actions);
                self.settle(offset, actions);
            }
            Record::Tick(now) => {
                for shard in &mut self.shards {
                    shard.tick(&self.program, &self.names, now.0);
                }
                self.settle(offset, actions);
                let mut pen = Pen {
                    program: &self.program,
                    names: &self.names,
                    cause: offset,
                    transitions: &mut actions.transitions,
                };
                self.alerts.unshelve(*now, &mut pen);
            }
            Record::Series(defs) => self.series(defs, actions),
            Record::Definitions(definitions) => self.definitions(offset, definitions, actions),
            Record::Command(command) => self.command(offset, command, actions),
            Record::Alert(_)
            | Record::JobRun(_)
            | Record::Prediction(_)
            | Record::LifeEvent(_)
            | Record::Promotion(_) => {}
        }
    }

    /// How it was built.
    #[must_use]
    pub fn options(&self) -> &EngineOptions {
        &self.options
    }

    /// How many alerts are open: raised, or pending, or over and not acknowledged.
    #[must_use]
    pub fn open_alerts(&self) -> usize {
        self.alerts.len()
    }

    fn readings(&mut self, batch: &ReadingBatch, actions: &mut Actions) {
        let Self { shards, names, program, .. } = self;
        let mut strangers = 0usize;
        for (number, shard) in shards.iter_mut().enumerate() {
            let columns = batch.series.iter().zip(&batch.time).zip(&batch.value).zip(&batch.flags);
            for (row, (((series, time), value), flags)) in columns.enumerate() {
                let place = names.place(*series);
                if place.shard as usize == number {
                    let row = Row {
                        number: index_u32(row),
                        slot: place.slot,
                        time: *time,
                        value: *value,
                        flags: *flags,
                        arrived: batch.arrived.0,
                    };
                    shard.reading(program, names, &row);
                } else if number == 0 && place == Place::NOWHERE {
                    strangers += 1;
                }
            }
        }
        if strangers > 0 {
            actions.problems.push(format!(
                "{strangers} readings belong to series that the log has not defined; they are \
                 judged by no rule"
            ));
        }
    }

    /// Makes transitions of what the shards found, in an order that does not depend on how many there are.
    fn settle(&mut self, offset: Offset, actions: &mut Actions) {
        for shard in &mut self.shards {
            self.events.append(&mut shard.events);
        }
        if self.events.is_empty() {
            return;
        }
        self.events.sort_by_key(Event::key);
        let mut refused: BTreeMap<u32, usize> = BTreeMap::new();
        let mut pen = Pen {
            program: &self.program,
            names: &self.names,
            cause: offset,
            transitions: &mut actions.transitions,
        };
        for event in self.events.drain(..) {
            let rule = event.rule;
            if !self.alerts.apply(event, self.options.max_alerts_per_rule, &mut pen) {
                *refused.entry(rule).or_default() += 1;
            }
        }
        for (rule, count) in refused {
            actions.problems.push(format!(
                "rule {} has {} open alerts, the most allowed; {count} more are not raised before others end",
                self.program.rules[rule as usize].head.name, self.options.max_alerts_per_rule
            ));
        }
    }

    fn series(&mut self, defs: &[SeriesDef], actions: &mut Actions) {
        let shard_count = self.shards.len();
        let mut touched: Vec<u32> = Vec::new();
        for def in defs {
            if def.id.index() < self.names.series.len() {
                continue;
            }
            if def.id.index() > self.names.series.len() {
                actions
                    .problems
                    .push(format!("series {} is defined before those below it; it is passed over", def.id.0));
                continue;
            }
            let id = self.names.intern_asset(&def.asset);
            let signal = self.names.intern_signal(&def.signal);
            let shard = id as usize % shard_count;
            let slot = self.shards[shard].slot(index_u32(id as usize / shard_count), id, signal);
            self.names.series.push(Place { shard: index_u32(shard), slot });
            touched.push(id);
        }
        touched.sort_unstable();
        touched.dedup();
        for id in touched {
            self.instantiate(id, false);
        }
    }

    fn instantiate(&mut self, id: u32, all: bool) {
        let shard_count = self.shards.len();
        let local = index_u32(id as usize / shard_count);
        self.shards[id as usize % shard_count].instantiate(&self.program, &mut self.names, local, all);
    }

    fn definitions(&mut self, offset: Offset, definitions: &Definitions, actions: &mut Actions) {
        let old = std::mem::replace(&mut self.program, Program::load(&definitions.files)).outline();
        self.files.clone_from(&definitions.files);
        actions.problems.extend(self.refused());
        self.carry_over(&old);
        self.tell_ended(offset, actions);
    }

    /// What of the definitions in force no longer loads, a sentence each.
    #[must_use]
    pub fn refused(&self) -> Vec<String> {
        self.program.refused.iter().map(ToString::to_string).collect()
    }

    /// Carries state over from the `old` definitions to those in force. A rule whose condition is the same
    /// keeps its state and its alerts, a derived signal that is computed alike its value; alerts of other
    /// rules end, which the next step tells.
    pub(crate) fn carry_over(&mut self, old: &Outline) {
        let new = self.program.outline();
        let rules: BTreeMap<(&str, &str), u32> = new
            .rules
            .iter()
            .enumerate()
            .map(|(index, rule)| ((&*rule.name, rule.version.as_str()), index_u32(index)))
            .collect();
        let rules: Vec<Option<u32>> =
            old.rules.iter().map(|rule| rules.get(&(&*rule.name, rule.version.as_str())).copied()).collect();
        let derived: BTreeMap<&str, u32> =
            new.derived.iter().enumerate().map(|(index, key)| (key.as_str(), index_u32(index))).collect();
        let derived: Vec<Option<u32>> =
            old.derived.iter().map(|key| derived.get(key.as_str()).copied()).collect();
        self.alerts.retain_rules(&old.rules, &rules, |name| {
            if let Some(refused) = self.program.refused_rule(name) {
                return Fate::Refused(refused.to_string());
            }
            if new.rules.iter().any(|rule| *rule.name == *name) { Fate::Changed } else { Fate::Removed }
        });
        for shard in &mut self.shards {
            shard.retain(&rules, &derived);
        }
        for id in 0..self.names.asset_count() {
            self.instantiate(index_u32(id), true);
        }
        for shard in &mut self.shards {
            shard.rebuild_deadlines(&self.program);
            shard.rebuild_armed(&self.program);
        }
    }

    /// Tells of the alerts that ended with their rules: at once when the definitions change, with the next
    /// record after a restore.
    fn tell_ended(&mut self, offset: Offset, actions: &mut Actions) {
        let mut pen = Pen {
            program: &self.program,
            names: &self.names,
            cause: offset,
            transitions: &mut actions.transitions,
        };
        self.alerts.tell_ended(&mut pen);
    }

    fn command(&mut self, offset: Offset, command: &OperatorCommand, actions: &mut Actions) {
        let mut pen = Pen {
            program: &self.program,
            names: &self.names,
            cause: offset,
            transitions: &mut actions.transitions,
        };
        if let Err(problem) = self.alerts.command(command, self.options.max_alerts_per_rule, &mut pen) {
            actions.problems.push(problem);
        }
    }
}

/// Whether `transition` is not in the log yet, the newest one of which is `newest`: its cause and its
/// ordinal. It is the newest then.
///
/// An engine that goes on from a snapshot decides once more what it has decided before, in the same order.
pub fn is_news(transition: &AlertTransition, newest: &mut Option<(Offset, u32)>) -> bool {
    let key = Some((transition.cause, transition.ordinal));
    let news = key > *newest;
    if news {
        *newest = key;
    }
    news
}
