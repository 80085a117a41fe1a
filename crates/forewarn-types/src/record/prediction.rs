//! Predictions of models.

use serde::{Deserialize, Serialize};

use crate::body::JsonBody;
use crate::name::{AssetPath, SignalName};
use crate::time::Timestamp;

/// A model version's statement about one asset at one time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// The model.
    pub model: String,
    /// Its version.
    pub version: String,
    /// The asset.
    pub asset: AssetPath,
    /// Event time of the newest reading it rests on.
    pub time: Timestamp,
    /// When it was made, by the server's clock.
    pub made: Timestamp,
    /// Unit of the quantiles: `hours`, `days`, `cycles`.
    pub unit: String,
    /// Time to failure: lower end of the interval.
    #[serde(deserialize_with = "crate::exact::number")]
    pub p05: f64,
    /// Time to failure: the point prediction.
    #[serde(deserialize_with = "crate::exact::number")]
    pub p50: f64,
    /// Time to failure: upper end of the interval.
    #[serde(deserialize_with = "crate::exact::number")]
    pub p95: f64,
    /// The target's cap, in `unit`: at `p50` near it, failure is "at least this far".
    #[serde(deserialize_with = "crate::exact::number")]
    pub cap: f64,
    /// Which signals moved the prediction most, largest first.
    pub contributions: Vec<Contribution>,
    /// Whether the inputs lie outside what the model was trained on.
    pub out_of_distribution: bool,
    /// When the present life of the asset began.
    pub life_started: Timestamp,
    /// Event time of the oldest reading it rests on: from the readings from here to `time`, and the beginning
    /// of the life, the same version predicts the same again. Older records do not say.
    #[serde(default)]
    pub from: Option<Timestamp>,
    /// The share of truths that the interval from `p05` to `p95` is made to hold, such as 0.9. Older records
    /// do not say.
    #[serde(default, deserialize_with = "crate::exact::optional")]
    pub coverage: Option<f64>,
}

/// A signal's part in a prediction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Contribution {
    /// The signal's name, or `age`.
    pub signal: SignalName,
    /// Signed shift of the prediction, in its unit: negative brings failure closer.
    #[serde(deserialize_with = "crate::exact::number")]
    pub weight: f64,
}

impl JsonBody for Prediction {
    const NAME: &'static str = "prediction";
    const TABLE: Option<&'static str> = Some("predictions");
}
