//! What was said of the pumps before one watches: an alert may have been raised in the history that was
//! imported, and a demo that goes on has alerts and predictions from before it was stopped. A pump that fails
//! is told of as if one had watched all its life.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use forewarn_types::{Prediction, Timestamp};
use serde_json::{Map, Value};

use super::plant::Plant;
use super::sensors::Sensors;

/// For each pump: what was said of it since its last failure.
#[derive(Debug, Default)]
pub(super) struct Past {
    /// The predictions, oldest first.
    pub(super) predicted: BTreeMap<String, Vec<Prediction>>,
    /// When the first alert was raised.
    pub(super) alerted: BTreeMap<String, Timestamp>,
}

impl Past {
    /// Asks the server what was said up to `now`.
    ///
    /// # Errors
    /// The server's refusal.
    pub(super) async fn read(sensors: &Sensors<'_>, now: Timestamp) -> Result<Self> {
        let mut past = Self::default();
        for (pump, asset) in sensors.plant.pumps().iter().enumerate() {
            let since = last_failure(sensors.plant, pump, now).unwrap_or(sensors.plant.start());
            let alerts = format!(
                "SELECT min(time) AS first FROM alert_events WHERE asset = '{asset}' AND time > '{since}' \
                 AND transition IN ('raised', 'reraised')"
            );
            if let Some(first) = sensors.rows(&alerts).await?.first().and_then(|row| row["first"].as_str()) {
                past.alerted.insert(asset.clone(), Timestamp::parse(first)?);
            }
            let predictions = format!(
                "SELECT * FROM predictions WHERE asset = '{asset}' AND made > '{since}' ORDER BY made"
            );
            let predictions: Result<Vec<Prediction>> =
                sensors.rows(&predictions).await?.into_iter().map(prediction).collect();
            past.predicted.insert(asset.clone(), predictions?);
        }
        Ok(past)
    }
}

fn last_failure(plant: &Plant, pump: usize, now: Timestamp) -> Option<Timestamp> {
    plant.lives(pump, now).iter().rev().map(|life| life.fails).find(|fails| *fails <= now)
}

/// A row of the table of predictions. What moved it is of no interest here, and stands there as text.
fn prediction(mut row: Map<String, Value>) -> Result<Prediction> {
    row.insert("contributions".to_owned(), Value::Array(Vec::new()));
    serde_json::from_value(Value::Object(row)).context("a row of the table predictions")
}
