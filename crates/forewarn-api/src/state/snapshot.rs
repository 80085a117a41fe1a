//! The read model as bytes: what a restart begins with, so that the whole log need not be read again.
//!
//! Indexes are not stored; they are made again from what they index.

use forewarn_types::{AssetPath, LifeEvent, Offset, Prediction, SeriesDef};
use serde::{Deserialize, Serialize};

use super::{Alert, Alerts, LastReading, Series, State};
use crate::ApiError;

/// Version of the form below. A snapshot of another version is refused; an older one and the log have to
/// serve.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Snapshot {
    version: u32,
    applied: Offset,
    holes: u64,
    series: Vec<(SeriesDef, Option<LastReading>)>,
    alerts: Vec<Alert>,
    lives: Vec<(AssetPath, Vec<(Offset, LifeEvent)>)>,
    predictions: Vec<(Offset, Prediction)>,
}

impl State {
    /// The state as bytes.
    ///
    /// # Errors
    /// [`ApiError::Snapshot`] if it cannot be encoded.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ApiError> {
        let def = |series: &Series| SeriesDef {
            id: series.id,
            asset: series.asset.clone(),
            signal: series.signal.clone(),
        };
        let snapshot = Snapshot {
            version: VERSION,
            applied: self.applied,
            holes: self.holes,
            series: self.series.iter().map(|series| (def(series), series.last)).collect(),
            alerts: self.alerts.iter().cloned().collect(),
            lives: self
                .assets
                .iter()
                .map(|(path, asset)| (path.clone(), asset.lives.iter().cloned().collect()))
                .collect(),
            predictions: self.assets.values().flat_map(|asset| asset.predictions.values().cloned()).collect(),
        };
        rmp_serde::to_vec(&snapshot).map_err(|error| ApiError::Snapshot(error.to_string()))
    }

    /// The state that [`State::to_bytes`] wrote.
    ///
    /// # Errors
    /// [`ApiError::Snapshot`] if the bytes are not a snapshot of this version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ApiError> {
        let snapshot: Snapshot =
            rmp_serde::from_slice(bytes).map_err(|error| ApiError::Snapshot(error.to_string()))?;
        if snapshot.version != VERSION {
            return Err(ApiError::Snapshot(format!(
                "it has version {}, this program reads version {VERSION}",
                snapshot.version
            )));
        }
        let mut state = Self::default();
        for (def, last) in snapshot.series {
            let index = def.id.index();
            state.add_series(&def);
            let series = state
                .series
                .get_mut(index)
                .ok_or_else(|| ApiError::Snapshot(format!("series before {index} are missing")))?;
            series.last = last;
        }
        for (path, lives) in snapshot.lives {
            state.assets.entry(path).or_default().lives = lives.into();
        }
        for (offset, prediction) in snapshot.predictions {
            state.add_prediction(offset, &prediction);
        }
        state.alerts = Alerts::from_parts(snapshot.alerts);
        state.applied = snapshot.applied;
        state.holes = snapshot.holes;
        Ok(state)
    }
}
