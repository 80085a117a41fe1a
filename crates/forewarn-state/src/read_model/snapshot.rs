//! The read model as bytes: what a restart begins with, so that the whole log need not be read again.
//!
//! Indexes are not stored; they are made again from what they index.

use forewarn_types::{AssetPath, LifeEvent, Offset, Prediction, SeriesDef};
use serde::{Deserialize, Serialize};

use super::{Alert, Alerts, LastReading, Series, State};
use crate::StateError;

/// Version of the form below. A snapshot of another version is refused; an older one and the log have to
/// serve.
const VERSION: u32 = 1;
const FOLD: &str = "read_model";

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
    /// [`StateError::Fold`] if it cannot be encoded.
    pub fn to_bytes(&self) -> Result<Vec<u8>, StateError> {
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
        rmp_serde::to_vec(&snapshot).map_err(|error| StateError::written(FOLD, error))
    }

    /// The state that [`State::to_bytes`] wrote.
    ///
    /// # Errors
    /// [`StateError::Fold`] if the bytes are not a snapshot of this version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StateError> {
        let snapshot: Snapshot =
            rmp_serde::from_slice(bytes).map_err(|error| StateError::read(FOLD, error))?;
        if snapshot.version != VERSION {
            let problem =
                format!("it has version {}, and this program reads version {VERSION}", snapshot.version);
            return Err(StateError::read(FOLD, problem));
        }
        let mut state = Self::default();
        for (def, last) in snapshot.series {
            let index = def.id.index();
            state.add_series(&def);
            let series = state
                .series
                .get_mut(index)
                .ok_or_else(|| StateError::read(FOLD, format!("series before {index} are missing")))?;
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
