//! The engine as its caller sees it: records in, transitions out.

mod attributes;
mod changes;
mod clocks;
mod detectors;
mod laws;
mod lifecycle;
mod report;
mod samples;
mod service;
mod settle;
mod slow;
mod upgrade;
mod when;

use std::sync::Arc;

use forewarn_types::{
    AlertState, AlertTransition, CommandAction, DefinitionFile, Definitions, Offset, OperatorCommand,
    Quality, ReadingBatch, ReadingFlags, Record, SeriesDef, SeriesId, Timestamp, Transition,
};

use crate::{Actions, Engine, EngineOptions};

/// An engine with a log of its own. Times are seconds.
pub(crate) struct Rig {
    pub(crate) engine: Engine,
    pub(crate) offset: u64,
    pub(crate) problems: Vec<String>,
    series: Vec<(String, String)>,
}

pub(crate) fn definitions(rules: &str) -> Record {
    let text = format!("pipeline: test\n{rules}\n");
    let file = DefinitionFile { path: "test.yaml".to_owned(), text: Arc::from(text) };
    Record::Definitions(Definitions::of(vec![file]))
}

pub(crate) fn series_defs(first: usize, names: &[(&str, &str)]) -> Record {
    let defs = names.iter().enumerate().map(|(index, (asset, signal))| SeriesDef {
        id: SeriesId(u32::try_from(first + index).unwrap()),
        asset: (*asset).into(),
        signal: (*signal).into(),
    });
    Record::Series(defs.collect())
}

impl Rig {
    pub(crate) fn new(rules: &str, series: &[(&str, &str)]) -> Self {
        Self::with_options(EngineOptions::default(), rules, series)
    }

    pub(crate) fn with_options(options: EngineOptions, rules: &str, series: &[(&str, &str)]) -> Self {
        let mut rig =
            Self { engine: Engine::new(options), offset: 0, problems: Vec::new(), series: Vec::new() };
        rig.step(&definitions(rules));
        rig.add_series(series);
        assert_eq!(rig.problems, [""; 0], "the definitions must load");
        rig
    }

    pub(crate) fn add_series(&mut self, names: &[(&str, &str)]) {
        let record = series_defs(self.series.len(), names);
        self.series.extend(names.iter().map(|(asset, signal)| ((*asset).to_owned(), (*signal).to_owned())));
        self.step(&record);
    }

    pub(crate) fn step(&mut self, record: &Record) -> Vec<AlertTransition> {
        let mut actions = Actions::default();
        self.engine.step(Offset(self.offset), record, &mut actions);
        for (index, transition) in actions.transitions.iter().enumerate() {
            assert_eq!((transition.cause, transition.ordinal as usize), (Offset(self.offset), index));
            assert!(!transition.message.is_empty());
        }
        self.offset += 1;
        self.problems.extend(actions.problems);
        actions.transitions
    }

    /// A good reading that arrives `delay` seconds after its time.
    pub(crate) fn read_delayed(
        &mut self,
        asset: &str,
        signal: &str,
        time: i64,
        value: f64,
        delay: i64,
    ) -> Vec<AlertTransition> {
        self.read_flagged(asset, signal, time, value, ReadingFlags::default(), delay)
    }

    /// A good reading that arrives at once.
    pub(crate) fn read(&mut self, asset: &str, signal: &str, time: i64, value: f64) -> Vec<AlertTransition> {
        self.read_delayed(asset, signal, time, value, 0)
    }

    pub(crate) fn read_late(
        &mut self,
        asset: &str,
        signal: &str,
        time: i64,
        value: f64,
    ) -> Vec<AlertTransition> {
        self.read_flagged(asset, signal, time, value, ReadingFlags::new(Quality::Good, true), 0)
    }

    pub(crate) fn read_bad(&mut self, asset: &str, signal: &str, time: i64) -> Vec<AlertTransition> {
        self.read_flagged(asset, signal, time, 0.0, ReadingFlags::new(Quality::Bad, false), 0)
    }

    fn read_flagged(
        &mut self,
        asset: &str,
        signal: &str,
        time: i64,
        value: f64,
        flags: ReadingFlags,
        delay: i64,
    ) -> Vec<AlertTransition> {
        let id =
            self.series.iter().position(|(a, s)| a == asset && s == signal).expect("a series of the rig");
        let mut batch = ReadingBatch::with_capacity(Timestamp::from_secs(time + delay), 1);
        batch.push(SeriesId(u32::try_from(id).unwrap()), Timestamp::from_secs(time), value, flags);
        self.step(&Record::Readings(batch))
    }

    /// Good readings of one time in one record, by the numbers of their series.
    pub(crate) fn read_sample(&mut self, time: i64, values: &[(u32, f64)]) -> Vec<AlertTransition> {
        let time = Timestamp::from_secs(time);
        let mut batch = ReadingBatch::with_capacity(time, values.len());
        for (series, value) in values {
            batch.push(SeriesId(*series), time, *value, ReadingFlags::default());
        }
        self.step(&Record::Readings(batch))
    }

    pub(crate) fn tick(&mut self, now: i64) -> Vec<AlertTransition> {
        self.step(&Record::Tick(Timestamp::from_secs(now)))
    }

    pub(crate) fn command(
        &mut self,
        alert: &AlertTransition,
        action: CommandAction,
        time: i64,
    ) -> Vec<AlertTransition> {
        self.step(&Record::Command(OperatorCommand {
            alert: alert.alert,
            action,
            actor: "kim".to_owned(),
            comment: Some("seen".to_owned()),
            reason: None,
            time: Timestamp::from_secs(time),
        }))
    }
}

/// What matters most of transitions: what, the state after it, when (s).
pub(crate) fn brief(transitions: &[AlertTransition]) -> Vec<(Transition, AlertState, i64)> {
    transitions.iter().map(|one| (one.transition, one.state, one.time.0 / 1_000_000)).collect()
}

/// Transitions without the place in the log of what caused them.
pub(crate) fn placeless(mut transitions: Vec<AlertTransition>) -> Vec<AlertTransition> {
    for transition in &mut transitions {
        transition.cause = Offset(0);
        transition.ordinal = 0;
    }
    transitions
}
