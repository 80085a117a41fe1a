//! The engine: takes records in, gives alert transitions out.

use std::collections::BTreeMap;

use forewarn_types::{
    ATTRIBUTE_PREFIX, AlertTransition, Attributes, DefinitionFile, Definitions, LifeEvent, LifeEventKind,
    Offset, OperatorCommand, ReadingBatch, Record, SeriesDef,
};
use serde::{Deserialize, Serialize};

use crate::alerts::{Alerts, Fate, TransitionWriter};
use crate::build::index_u32;
use crate::dictionary::{Dictionary, Place};
use crate::event::Event;
use crate::moment::Moment;
use crate::program::{Outline, Program, RuleHead, RuleWatch};
use crate::running::Running;
use crate::samples::Samples;
use crate::shard::{Row, Shard};
use crate::slot::NO_TIME;

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
    pub(crate) names: Dictionary,
    pub(crate) shards: Vec<Shard>,
    pub(crate) alerts: Alerts,
    /// The definitions in force, as texts.
    pub(crate) files: Vec<DefinitionFile>,
    #[serde(default)]
    pub(crate) running: Running,
    #[serde(skip)]
    pub(crate) program: Program,
    #[serde(skip)]
    events: Vec<Event>,
    #[serde(skip)]
    samples: Samples,
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
            running: Running::default(),
            program: Program::default(),
            events: Vec::new(),
            samples: Samples::default(),
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
                let first = self.running.is_unset();
                self.running.tick(now.0);
                for shard in self.shards.iter_mut().filter(|_| first) {
                    shard.begin_to_expect(&self.program, self.running.now());
                }
                for shard in &mut self.shards {
                    shard.tick(&self.program, &self.names, &self.running);
                }
                self.settle(offset, actions);
                let mut writer = TransitionWriter {
                    program: &self.program,
                    names: &self.names,
                    cause: offset,
                    transitions: &mut actions.transitions,
                };
                self.alerts.unshelve(*now, &mut writer);
            }
            Record::Series(defs) => self.series(defs, actions),
            Record::Definitions(definitions) => self.definitions(offset, definitions, actions),
            Record::Command(command) => self.command(offset, command, actions),
            Record::Resumed(resumed) => self.running.resume(resumed.now.0),
            Record::LifeEvent(event) => self.life_event(offset, event, actions),
            Record::Attributes(attributes) => self.attributes(offset, attributes, actions),
            Record::Alert(_)
            | Record::Origins(_)
            | Record::JobRun(_)
            | Record::Prediction(_)
            | Record::Promotion(_)
            | Record::Account(_)
            | Record::Audit(_)
            | Record::Notification(_)
            | Record::Quiet(_) => {}
        }
    }

    /// A snapshot of an earlier version does not say for how long the server has run: as long as readings
    /// arrived, by the clock.
    pub(crate) fn begin_running(&mut self) {
        let slots = self.shards.iter().flat_map(|shard| &shard.slots);
        if self.running.is_unset()
            && let Some(newest) = slots.map(|slot| slot.clock.arrived).max().filter(|time| *time != NO_TIME)
        {
            self.running = Running::since(newest);
            self.shards.iter_mut().for_each(Shard::complete_detectors);
        }
    }

    /// Finds again what is not in a snapshot of the dictionary.
    pub(crate) fn rebuild_assets(&mut self) {
        let Self { names, shards, .. } = self;
        names.rebuild_assets(|place| {
            let shard = shards.get(place.shard as usize);
            shard.and_then(|shard| shard.asset_id(place.slot)).unwrap_or(u32::MAX)
        });
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
        let Self { shards, names, program, samples, running, .. } = self;
        if !batch.is_empty() {
            running.arrival(batch.arrived.0);
        }
        samples.arrange(batch, names);
        let mut undefined = 0usize;
        for (number, shard) in shards.iter_mut().enumerate() {
            let mut at = 0;
            while at < batch.len() {
                let place = names.place(batch.series[samples.row(at)]);
                let end = end_of_sample(batch, names, samples, at);
                if place.shard as usize == number {
                    let rows = (at..end).map(|at| row(batch, names, samples.row(at)));
                    let moment = Moment {
                        number: samples.number(at),
                        wall: batch.arrived.0,
                        arrived: running.now(),
                        lost: running.lost(),
                    };
                    shard.sample(program, names, moment, rows);
                } else if number == 0 && place == Place::NOWHERE {
                    undefined += end - at;
                }
                at = end;
            }
        }
        if undefined > 0 {
            actions.problems.push(format!(
                "{undefined} readings belong to series that the log has not defined; they are \
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
        let mut writer = TransitionWriter {
            program: &self.program,
            names: &self.names,
            cause: offset,
            transitions: &mut actions.transitions,
        };
        for event in self.events.drain(..) {
            let rule = event.rule;
            if !self.alerts.apply(event, self.options.max_alerts_per_rule, &mut writer) {
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
            if def.id.index() < self.names.series_count() {
                continue;
            }
            if def.id.index() > self.names.series_count() {
                actions
                    .problems
                    .push(format!("series {} is defined before those below it; it is passed over", def.id.0));
                continue;
            }
            let id = self.names.intern_asset(&def.asset);
            let signal = self.names.intern_signal(&def.signal);
            let shard = id as usize % shard_count;
            let slot = self.shards[shard].slot(index_u32(id as usize / shard_count), id, signal);
            self.names.push_series(Place { shard: index_u32(shard), slot }, id);
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
        let now = self.running.now();
        self.shards[id as usize % shard_count].instantiate(&self.program, &mut self.names, (local, now), all);
    }

    fn definitions(&mut self, offset: Offset, definitions: &Definitions, actions: &mut Actions) {
        for shard in &mut self.shards {
            shard.settle_all(&self.program, &self.names, &self.running);
        }
        self.settle(offset, actions);
        let old = std::mem::replace(&mut self.program, Program::load(&definitions.files)).outline();
        self.files.clone_from(&definitions.files);
        actions.problems.extend(self.refused());
        self.carry_over(&old);
        self.tell_ended(offset, actions);
        let changed: Vec<bool> = self
            .program
            .rules
            .iter()
            .map(|rule| {
                old.rules.iter().any(|old| rule.head.continues(old) && old.version != rule.head.version)
            })
            .collect();
        for shard in &mut self.shards {
            shard.judge_anew(&self.program, &self.names, &changed, &self.running);
        }
        self.settle(offset, actions);
    }

    /// What of the definitions in force no longer loads, a sentence each.
    #[must_use]
    pub fn refused(&self) -> Vec<String> {
        self.program.refused.iter().map(ToString::to_string).collect()
    }

    /// Carries state over from the `old` definitions to those in force. A rule that watches the same
    /// signals in the same way keeps its state and its alerts on the assets that it goes on to watch, a
    /// derived signal that is computed alike its value; other alerts end, which the next step tells.
    pub(crate) fn carry_over(&mut self, old: &Outline) {
        let new = self.program.outline();
        let numbers: BTreeMap<&str, u32> =
            new.rules.iter().enumerate().map(|(index, rule)| (&*rule.name, index_u32(index))).collect();
        let continues = |old: &RuleHead| {
            let number = numbers.get(&*old.name).copied()?;
            new.rules[number as usize].continues(old).then_some(number)
        };
        let rules: Vec<Option<u32>> = old.rules.iter().map(continues).collect();
        let derived: BTreeMap<&str, u32> =
            new.derived.iter().enumerate().map(|(index, key)| (key.as_str(), index_u32(index))).collect();
        let derived: Vec<Option<u32>> =
            old.derived.iter().map(|key| derived.get(key.as_str()).copied()).collect();
        let Self { program, names, .. } = self;
        let watches = |rule: u32, asset: u32| program.rules[rule as usize].assets.matches(names.asset(asset));
        self.alerts.retain_rules(&old.rules, &rules, watches, |name, continues| {
            if let Some(refused) = program.refused_rule(name) {
                return Fate::Refused(refused.to_string());
            }
            match (continues, numbers.contains_key(name)) {
                (true, _) => Fate::Unwatched,
                (false, true) => Fate::Changed,
                (false, false) => Fate::Removed,
            }
        });
        for shard in &mut self.shards {
            shard.retain(&rules, &derived, watches);
        }
        self.add_expected_assets();
        for id in 0..self.names.asset_count() {
            self.instantiate(index_u32(id), true);
        }
        for shard in &mut self.shards {
            shard.rebuild_deadlines(&self.program);
            shard.rebuild_armed(&self.program);
        }
    }

    /// Adds the assets that rules expect by name, so that their silence is told though they never spoke.
    fn add_expected_assets(&mut self) {
        let Self { program, names, shards, .. } = self;
        for rule in &program.rules {
            let RuleWatch::Missing { signal, expected: true, .. } = &rule.watch else { continue };
            if !rule.assets.is_path() {
                continue;
            }
            let id = names.intern_asset(&rule.assets.as_str().into());
            let (signal, count) = (names.intern_signal(signal), shards.len());
            shards[id as usize % count].slot(index_u32(id as usize / count), id, signal);
        }
    }

    /// A machine was retired, which ends its alerts on record and keeps rules from it, or is in service
    /// again: installed, repaired, or not retired after all.
    fn life_event(&mut self, offset: Offset, event: &LifeEvent, actions: &mut Actions) {
        let Some(id) = self.names.asset_number(&event.asset) else { return };
        let count = self.shards.len();
        let (shard, place) = (id as usize % count, index_u32(id as usize / count));
        let before = self.shards[shard].retired_by(place);
        // An event that takes the place of another one undoes it first.
        let undone = before.is_some() && event.corrects == before;
        let now = match event.event {
            LifeEventKind::Retired => Some(offset),
            LifeEventKind::Installed | LifeEventKind::Repaired => None,
            LifeEventKind::Failed | LifeEventKind::Withdrawn if undone => None,
            LifeEventKind::Failed | LifeEventKind::Withdrawn => before,
        };
        self.shards[shard].set_retired(place, now);
        if now.is_some() && before.is_none() {
            let mut writer = TransitionWriter {
                program: &self.program,
                names: &self.names,
                cause: offset,
                transitions: &mut actions.transitions,
            };
            self.alerts.retire(id, event, self.options.max_alerts_per_rule, &mut writer);
        }
    }

    /// An asset has other attributes: rules that use them judge anew, by the newest values.
    fn attributes(&mut self, offset: Offset, attributes: &Attributes, actions: &mut Actions) {
        let id = self.names.intern_asset(&attributes.asset);
        let count = self.shards.len();
        let (shard, asset) = (id as usize % count, index_u32(id as usize / count));
        let numbers = attributes.attributes.iter().filter_map(|(name, value)| Some((name, value.number()?)));
        let numbers: Vec<(u32, f64)> = numbers
            .map(|(name, value)| {
                (self.names.intern_signal(&format!("{ATTRIBUTE_PREFIX}{name}").as_str().into()), value)
            })
            .collect();
        let mut changed =
            self.shards[shard].set_attributes((asset, id), &numbers, attributes.time.0, &self.names);
        self.instantiate(id, true);
        let Self { shards, program, names, running, .. } = self;
        shards[shard].follow_attributes(program, names, (asset, &mut changed), running);
        self.settle(offset, actions);
    }

    /// Writes the end of alerts that ended with their rules: at once when the definitions change, with
    /// the next record after a restore.
    fn tell_ended(&mut self, offset: Offset, actions: &mut Actions) {
        let mut writer = TransitionWriter {
            program: &self.program,
            names: &self.names,
            cause: offset,
            transitions: &mut actions.transitions,
        };
        self.alerts.tell_ended(self.running.wall(), &mut writer);
    }

    fn command(&mut self, offset: Offset, command: &OperatorCommand, actions: &mut Actions) {
        let mut writer = TransitionWriter {
            program: &self.program,
            names: &self.names,
            cause: offset,
            transitions: &mut actions.transitions,
        };
        if let Err(problem) = self.alerts.command(command, self.options.max_alerts_per_rule, &mut writer) {
            actions.problems.push(problem);
        }
    }
}

/// Where the sample ends that begins with the row judged as the `at`-th: its rows are of one asset and time.
#[inline]
fn end_of_sample(batch: &ReadingBatch, names: &Dictionary, samples: &Samples, at: usize) -> usize {
    let first = samples.row(at);
    let mut end = at + 1;
    while end < batch.len() {
        let next = samples.row(end);
        if batch.time[next] != batch.time[first]
            || names.asset_of(batch.series[next]) != names.asset_of(batch.series[first])
        {
            break;
        }
        end += 1;
    }
    end
}

#[inline]
fn row(batch: &ReadingBatch, names: &Dictionary, row: usize) -> Row {
    Row {
        slot: names.place(batch.series[row]).slot,
        // A time that lies ahead of now is not believed.
        time: if batch.flags[row].is_ahead() { batch.arrived.0 } else { batch.time[row] },
        value: batch.value[row],
        flags: batch.flags[row],
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
