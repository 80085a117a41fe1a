//! A lake and a log in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use forewarn_types::{
    AssetPath, BoxFuture, Journal, JournalError, LifeEventKind, Offset, Prediction, Promotion, Record,
    SeriesId, SeriesTable, SignalName, Timestamp,
};
use parking_lot::{Mutex, RwLock};

use crate::ModelError;
use crate::history::{Extent, GoodReadings, History, LifeEventRow, Predicted};

/// Time, value, and which [`Memory::add`] brought it.
type Reading = (i64, f64, Offset);

/// Holds everything, and counts the readings it has handed out.
pub(super) struct Memory {
    pub(super) series: Arc<RwLock<SeriesTable>>,
    pub(super) objects: Mutex<BTreeMap<String, Vec<u8>>>,
    pub(super) handed_out: Mutex<usize>,
    /// More readings than this are refused.
    pub(super) most: Mutex<usize>,
    readings: Mutex<BTreeMap<SeriesId, Vec<Reading>>>,
    added: Mutex<Offset>,
    events: Mutex<Vec<LifeEventRow>>,
    records: Mutex<Vec<Record>>,
}

impl Memory {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            series: Arc::new(RwLock::new(SeriesTable::new(1_000))),
            objects: Mutex::default(),
            handed_out: Mutex::default(),
            most: Mutex::new(usize::MAX),
            readings: Mutex::default(),
            added: Mutex::default(),
            events: Mutex::default(),
            records: Mutex::default(),
        })
    }

    pub(super) fn add(&self, asset: &str, signal: &str, readings: &[(i64, f64)]) {
        let (id, _) = self.series.write().intern(asset, signal).unwrap();
        let mut added = self.added.lock();
        self.readings
            .lock()
            .entry(id)
            .or_default()
            .extend(readings.iter().map(|&(time, value)| (time, value, *added)));
        *added = added.next();
    }

    /// Forgets the readings outside the range, both ends of which stay.
    pub(super) fn keep(&self, from: i64, to: i64) {
        self.readings
            .lock()
            .values_mut()
            .for_each(|readings| readings.retain(|(time, ..)| (from..=to).contains(time)));
    }

    pub(super) fn event(&self, asset: &str, time: i64, event: LifeEventKind) {
        self.events.lock().push(LifeEventRow { asset: asset.into(), time, event });
    }

    /// Takes a life event back.
    pub(super) fn withdraw(&self, asset: &str, time: i64) {
        self.events.lock().retain(|event| *event.asset != *asset || event.time != time);
    }

    pub(super) fn promotions(&self) -> Vec<Promotion> {
        let promotion = |record: &Record| {
            if let Record::Promotion(promotion) = record { Some(promotion.clone()) } else { None }
        };
        self.records.lock().iter().filter_map(promotion).collect()
    }

    pub(super) fn predictions(&self) -> Vec<Prediction> {
        let prediction = |record: &Record| {
            if let Record::Prediction(prediction) = record { Some(prediction.clone()) } else { None }
        };
        self.records.lock().iter().filter_map(prediction).collect()
    }
}

impl Journal for Memory {
    fn append(&self, record: Record) -> BoxFuture<'_, Result<Offset, JournalError>> {
        let mut records = self.records.lock();
        records.push(record);
        let offset = Offset(records.len() as u64 - 1);
        Box::pin(async move { Ok(offset) })
    }
}

fn ready<T: Send + 'static>(value: T) -> BoxFuture<'static, Result<T, ModelError>> {
    Box::pin(async move { Ok(value) })
}

impl History for Memory {
    fn life_events(&self, to: Timestamp) -> BoxFuture<'_, Result<Vec<LifeEventRow>, ModelError>> {
        let mut events: Vec<LifeEventRow> =
            self.events.lock().iter().filter(|event| event.time < to.0).cloned().collect();
        events.sort_by_key(|event| event.time);
        ready(events)
    }

    fn extents(
        &self,
        signals: &[SignalName],
        from: Timestamp,
        to: Timestamp,
        since: Offset,
    ) -> BoxFuture<'_, Result<Vec<Extent>, ModelError>> {
        let table = self.series.read();
        let mut found: BTreeMap<AssetPath, Extent> = BTreeMap::new();
        for (id, readings) in self.readings.lock().iter() {
            let def = table.def(*id).unwrap();
            let wanted = |time: i64, at: Offset| {
                signals.contains(&def.signal) && (from.0..to.0).contains(&time) && at >= since
            };
            for &(time, _, newest) in readings.iter().filter(|(time, _, at)| wanted(*time, *at)) {
                let asset = def.asset.clone();
                let extent =
                    found.entry(asset.clone()).or_insert(Extent { asset, first: time, last: time, newest });
                extent.first = extent.first.min(time);
                extent.last = extent.last.max(time);
                extent.newest = extent.newest.max(newest);
            }
        }
        ready(found.into_values().collect())
    }

    fn readings(
        &self,
        series: &[SeriesId],
        from: Timestamp,
        to: Timestamp,
    ) -> BoxFuture<'_, Result<Vec<GoodReadings>, ModelError>> {
        let all = self.readings.lock();
        let pick = |&id: &SeriesId| {
            let mut rows: Vec<Reading> =
                all[&id].iter().copied().filter(|(time, ..)| (from.0..to.0).contains(time)).collect();
            rows.sort_by_key(|row| row.0);
            GoodReadings {
                id,
                time: rows.iter().map(|row| row.0).collect(),
                value: rows.iter().map(|row| row.1).collect(),
            }
        };
        let found: Vec<GoodReadings> = series.iter().map(pick).collect();
        let count = found.iter().map(|readings| readings.time.len()).sum::<usize>();
        if count > *self.most.lock() {
            return Box::pin(async move { Err(ModelError::TooLarge(format!("{count} readings"))) });
        }
        *self.handed_out.lock() += count;
        ready(found)
    }

    fn newest_predictions(&self, model: &str) -> BoxFuture<'_, Result<Vec<Predicted>, ModelError>> {
        let mut newest: BTreeMap<AssetPath, Predicted> = BTreeMap::new();
        for Prediction { asset, version, time, life_started, .. } in
            self.predictions().into_iter().filter(|made| made.model == model)
        {
            newest.insert(
                asset.clone(),
                Predicted { asset, version, time: time.0, life_started: life_started.0 },
            );
        }
        ready(newest.into_values().collect())
    }

    fn promoted(&self, model: &str) -> BoxFuture<'_, Result<Option<String>, ModelError>> {
        let newest = self.promotions().into_iter().rfind(|promotion| promotion.model == model);
        ready(newest.map(|promotion| promotion.version))
    }

    fn put(&self, path: String, bytes: Vec<u8>, if_absent: bool) -> BoxFuture<'_, Result<(), ModelError>> {
        let mut objects = self.objects.lock();
        if !(if_absent && objects.contains_key(&path)) {
            objects.insert(path, bytes);
        }
        ready(())
    }

    fn get(&self, path: String) -> BoxFuture<'_, Result<Option<Vec<u8>>, ModelError>> {
        ready(self.objects.lock().get(&path).cloned())
    }

    fn list(&self, folder: String) -> BoxFuture<'_, Result<Vec<String>, ModelError>> {
        ready(
            self.objects
                .lock()
                .keys()
                .filter(|path| path.starts_with(&format!("{folder}/")))
                .cloned()
                .collect(),
        )
    }
}
