//! The read model: what the API answers from without asking the lake. A fold over the log, bounded,
//! snapshotted, and rebuilt from the log after a crash, so that it can never disagree with what was accepted.

mod alerts;
mod shared;
mod snapshot;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use forewarn_types::{
    AssetPath, CommandAction, LifeEvent, LifeEventKind, Offset, Prediction, Quality, ReadingBatch, Record,
    SeriesDef, SeriesId, SignalName, Timestamp,
};
use serde::{Deserialize, Serialize};

pub use alerts::{Alert, AlertFilter, AlertStep, Alerts, Cursor, StateFilter};
pub use shared::SharedState;

/// Most life events kept of one asset; older ones are in the lake's table `life_events`.
pub const MAX_LIFE_EVENTS: usize = 200;
/// Most assets that are known; readings add no more than the bound on series allows, so this one holds back
/// life events only.
pub const MAX_ASSETS: usize = 1_000_000;
/// Most models whose predictions are kept of one asset.
pub const MAX_MODELS: usize = 64;

/// The newest reading of a series.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LastReading {
    /// Its event time.
    pub time: Timestamp,
    /// Its value, in the signal's unit.
    pub value: f64,
    /// How far it may be trusted.
    pub quality: Quality,
    /// The record that held it.
    pub offset: Offset,
}

/// One signal of one asset.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// The number other records name it by.
    pub id: SeriesId,
    /// Its asset.
    pub asset: AssetPath,
    /// Its signal.
    pub signal: SignalName,
    /// Its newest reading.
    pub last: Option<LastReading>,
}

/// What is known about one asset.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Asset {
    /// Its signals, by name.
    pub signals: BTreeMap<SignalName, SeriesId>,
    /// Its newest life events, in the order they were recorded.
    pub lives: VecDeque<(Offset, LifeEvent)>,
    /// The newest prediction of each model about the present life; none once that has ended.
    pub predictions: BTreeMap<String, (Offset, Prediction)>,
}

impl Asset {
    /// Its life events but for those that have been corrected or withdrawn.
    pub fn events(&self) -> impl Iterator<Item = &(Offset, LifeEvent)> {
        self.lives.iter().filter(|(offset, event)| {
            event.event != LifeEventKind::Withdrawn && self.correction_of(*offset).is_none()
        })
    }

    /// The record that has taken the place of the life event at `offset`.
    #[must_use]
    pub fn correction_of(&self, offset: Offset) -> Option<Offset> {
        self.lives.iter().find(|(_, event)| event.corrects == Some(offset)).map(|(by, _)| *by)
    }
}

/// The fold.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct State {
    applied: Offset,
    series: Vec<Series>,
    assets: BTreeMap<AssetPath, Asset>,
    alerts: Alerts,
    holes: u64,
}

impl State {
    /// What the fold has taken in: one past the newest record.
    #[must_use]
    pub const fn applied(&self) -> Offset {
        self.applied
    }

    /// Takes in the record at `offset`. One that has been taken in already is passed over.
    pub fn apply(&mut self, offset: Offset, record: &Record) {
        if offset < self.applied {
            return;
        }
        self.applied = offset.next();
        match record {
            Record::Series(defs) => defs.iter().for_each(|def| self.add_series(def)),
            Record::Readings(batch) => self.add_readings(offset, batch),
            Record::Alert(transition) => self.alerts.apply(offset, transition),
            Record::Command(command) => match &command.action {
                CommandAction::Shelve { until } => self.alerts.note_shelving(command.alert, *until),
                CommandAction::Assign { to } => self.alerts.note_assignment(command.alert, to.clone()),
                CommandAction::Acknowledge | CommandAction::Unshelve | CommandAction::Comment => {}
            },
            Record::Prediction(prediction) => self.add_prediction(offset, prediction),
            Record::LifeEvent(event) => self.add_life_event(offset, event),
            Record::Attributes(_)
            | Record::Origins(_)
            | Record::Tick(_)
            | Record::Definitions(_)
            | Record::JobRun(_)
            | Record::Promotion(_)
            | Record::Notification(_)
            | Record::Quiet(_)
            | Record::Account(_)
            | Record::Audit(_)
            | Record::Resumed(_) => {}
        }
    }

    /// All assets, by path.
    #[must_use]
    pub const fn assets(&self) -> &BTreeMap<AssetPath, Asset> {
        &self.assets
    }

    /// One asset.
    #[must_use]
    pub fn asset(&self, path: &str) -> Option<&Asset> {
        self.assets.get(path)
    }

    /// One series.
    #[must_use]
    pub fn series(&self, id: SeriesId) -> Option<&Series> {
        self.series.get(id.index())
    }

    /// How many series there are.
    #[must_use]
    pub fn series_count(&self) -> usize {
        self.series.len()
    }

    /// All alerts that are kept.
    #[must_use]
    pub const fn alerts(&self) -> &Alerts {
        &self.alerts
    }

    /// How many series or readings could not be placed since records before them are missing: 0 unless the
    /// log lost records.
    #[must_use]
    pub const fn holes(&self) -> u64 {
        self.holes
    }

    /// The newest prediction about `asset`: of `model`, or the one made last.
    #[must_use]
    pub fn prediction(&self, asset: &str, model: Option<&str>) -> Option<&(Offset, Prediction)> {
        let predictions = &self.assets.get(asset)?.predictions;
        match model {
            Some(model) => predictions.get(model),
            None => predictions.values().max_by_key(|(offset, _)| *offset),
        }
    }

    fn add_series(&mut self, def: &SeriesDef) {
        match def.id.index() {
            index if index < self.series.len() => {}
            index if index == self.series.len() => {
                self.assets
                    .entry(Arc::clone(&def.asset))
                    .or_default()
                    .signals
                    .insert(Arc::clone(&def.signal), def.id);
                self.series.push(Series {
                    id: def.id,
                    asset: Arc::clone(&def.asset),
                    signal: Arc::clone(&def.signal),
                    last: None,
                });
            }
            _ => self.holes += 1,
        }
    }

    fn add_readings(&mut self, offset: Offset, batch: &ReadingBatch) {
        for row in batch.rows() {
            let Some(series) = self.series.get_mut(row.series.index()) else {
                self.holes += 1;
                continue;
            };
            if series.last.is_none_or(|last| row.time > last.time) {
                series.last = Some(LastReading {
                    time: row.time,
                    value: row.value,
                    quality: row.flags.quality(),
                    offset,
                });
            }
        }
    }

    fn add_prediction(&mut self, offset: Offset, prediction: &Prediction) {
        let Some(asset) = self.room_for(&prediction.asset) else { return };
        // The life may have ended while the model was thinking.
        if asset.events().any(|(_, event)| ends(event, prediction)) {
            return;
        }
        if asset.predictions.len() >= MAX_MODELS && !asset.predictions.contains_key(&prediction.model) {
            // The model that has been silent longest makes room: most likely it is no longer defined.
            let oldest = asset
                .predictions
                .iter()
                .min_by_key(|(_, (offset, _))| *offset)
                .map(|(model, _)| model.clone());
            oldest.and_then(|model| asset.predictions.remove(&model));
        }
        asset.predictions.insert(prediction.model.clone(), (offset, prediction.clone()));
    }

    fn add_life_event(&mut self, offset: Offset, event: &LifeEvent) {
        let Some(asset) = self.room_for(&event.asset) else { return };
        if event.event != LifeEventKind::Withdrawn {
            asset.predictions.retain(|_, (_, prediction)| !ends(event, prediction));
        }
        asset.lives.push_back((offset, event.clone()));
        if asset.lives.len() > MAX_LIFE_EVENTS {
            asset.lives.pop_front();
        }
        // What was recorded of a name that was misspelt is taken back: there is no such asset.
        if asset.signals.is_empty() && asset.events().next().is_none() {
            self.assets.remove(&event.asset);
        }
    }

    fn room_for(&mut self, path: &AssetPath) -> Option<&mut Asset> {
        if self.assets.len() >= MAX_ASSETS && !self.assets.contains_key(path) {
            return None;
        }
        Some(self.assets.entry(Arc::clone(path)).or_default())
    }
}

/// Whether `event` ends the life that `prediction` speaks about: whatever happens to a machine after a life
/// began ends it.
fn ends(event: &LifeEvent, prediction: &Prediction) -> bool {
    prediction.life_started < event.time
}
