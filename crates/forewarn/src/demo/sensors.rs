//! The plant's sensors and its maintenance crew: they send readings and life events to the server over HTTP.

use std::collections::HashSet;

use anyhow::{Context as _, Result, bail};
use forewarn_ingest::RawBatch;
use forewarn_types::{LifeEventKind, Quality, Timestamp};
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::plant::{Plant, SIGNALS, STEP_US};
use crate::client::Client;
use crate::output::complain;

/// Steps that one request of the import carries: four days.
const STEPS_A_REQUEST: i64 = 4 * 96;

/// Sends what a plant's sensors read.
pub(super) struct Sensors<'a> {
    /// Where to.
    pub(super) client: &'a Client,
    /// The plant.
    pub(super) plant: &'a Plant,
}

/// Something that happened to a pump.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Event {
    /// When.
    pub(super) time: Timestamp,
    /// Which pump.
    pub(super) asset: String,
    /// What.
    pub(super) kind: LifeEventKind,
}

impl Sensors<'_> {
    /// The newest reading's time, if there is any.
    ///
    /// # Errors
    /// The server's refusal.
    pub(super) async fn newest(&self) -> Result<Option<Timestamp>> {
        let rows = self.rows("SELECT max(time) AS newest FROM readings").await?;
        let newest = rows.first().and_then(|row| row["newest"].as_str());
        newest.map(|text| Timestamp::parse(text).context("the newest reading's time")).transpose()
    }

    /// Sends everything from `from` up to and with `until`. `progress` is told the share done. Gives the
    /// count of readings stored.
    ///
    /// # Errors
    /// The server's refusal.
    pub(super) async fn import(
        &self,
        from: Timestamp,
        until: Timestamp,
        progress: impl Fn(f64),
    ) -> Result<u64> {
        let first = from.max(self.plant.start());
        let mut step = first.0.div_euclid(STEP_US) * STEP_US;
        let end = until.0 + 1;
        let whole = (end - step) as f64;
        let mut stored = 0;
        while step < end {
            let next = step + STEPS_A_REQUEST * STEP_US;
            stored += self.send((step..next.min(end)).step_by(usize::try_from(STEP_US)?)).await?;
            step = next;
            progress(1.0 - (end - step).max(0) as f64 / whole);
        }
        Ok(stored)
    }

    /// Sends what the sensors read at `time`.
    ///
    /// # Errors
    /// The server's refusal.
    pub(super) async fn step(&self, time: Timestamp) -> Result<()> {
        self.send(std::iter::once(time.0)).await.map(drop)
    }

    /// Records what happened after `after`, up to and with `until`, and gives it.
    ///
    /// # Errors
    /// The server's refusal.
    pub(super) async fn record(&self, after: Timestamp, until: Timestamp) -> Result<Vec<Event>> {
        let events: Vec<Event> = self.events(until).into_iter().filter(|event| event.time > after).collect();
        for event in &events {
            self.post(event).await?;
        }
        Ok(events)
    }

    /// Records what happened up to and with `until` and is not on record yet, and gives it: at the first
    /// start that is everything, later what happened in a step that was cut short.
    ///
    /// # Errors
    /// The server's refusal.
    pub(super) async fn record_missing(&self, until: Timestamp) -> Result<Vec<Event>> {
        let rows = self.rows("SELECT asset, event, time FROM life_events").await?;
        let known: HashSet<[String; 3]> = rows
            .iter()
            .map(|row| ["asset", "event", "time"].map(|key| row[key].as_str().unwrap_or_default().to_owned()))
            .collect();
        let mut missing = self.events(until);
        missing.retain(|event| {
            !known.contains(&[event.asset.clone(), event.kind.as_str().to_owned(), event.time.to_string()])
        });
        for event in &missing {
            self.post(event).await?;
        }
        Ok(missing)
    }

    /// All events of all pumps up to and with `until`, in order of time.
    fn events(&self, until: Timestamp) -> Vec<Event> {
        let mut events = Vec::new();
        for (pump, asset) in self.plant.pumps().iter().enumerate() {
            for life in self.plant.lives(pump, until.plus_us(1)) {
                events.push(Event {
                    time: life.installed,
                    asset: asset.clone(),
                    kind: LifeEventKind::Installed,
                });
                if life.fails <= until {
                    events.push(Event {
                        time: life.fails,
                        asset: asset.clone(),
                        kind: LifeEventKind::Failed,
                    });
                }
            }
        }
        events.sort_by(|a, b| (a.time, &a.asset).cmp(&(b.time, &b.asset)));
        events
    }

    async fn post(&self, event: &Event) -> Result<()> {
        let body = json!({ "event": event.kind.as_str(), "time": event.time.to_string(),
            "actor": "maintenance crew", "new_asset": true });
        self.client.post(&["v1", "assets", &event.asset, "life-events"], &body).await.map(drop)
    }

    async fn send(&self, steps: impl Iterator<Item = i64>) -> Result<u64> {
        let mut batch = RawBatch::default();
        for time in steps.map(Timestamp) {
            for (pump, asset) in self.plant.pumps().iter().enumerate() {
                let Some(values) =
                    self.plant.life_at(pump, time).and_then(|life| self.plant.sample(pump, time, life))
                else {
                    continue;
                };
                for (signal, value) in SIGNALS.iter().zip(values) {
                    batch.push(asset, signal, time.0, value, Quality::Good, 0);
                }
            }
        }
        if batch.is_empty() {
            return Ok(0);
        }
        let mut body = Vec::new();
        batch.write_ndjson(&mut body);
        let request = self
            .client
            .request(Method::POST, &["v1", "readings"])?
            .header("content-type", "application/x-ndjson")
            .body(body);
        let answer = self.client.send_patiently(request, complain).await?;
        if answer["rejected_total"] != 0 {
            bail!("the server refused readings: {}", answer["rejected"]);
        }
        answer["accepted"].as_u64().context("the server's answer holds no count")
    }

    /// The rows of a query, by the names of their columns.
    ///
    /// # Errors
    /// The server's refusal.
    pub(super) async fn rows(&self, query: &str) -> Result<Vec<Map<String, Value>>> {
        let answer = self.client.post(&["v1", "sql"], &json!({ "query": query })).await?;
        let columns: Vec<&str> =
            answer["columns"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let row = |row: &Value| {
            let cells = row.as_array().cloned().unwrap_or_default();
            columns.iter().map(|name| (*name).to_owned()).zip(cells).collect()
        };
        Ok(answer["rows"].as_array().into_iter().flatten().map(row).collect())
    }
}
