//! Promotions of models: which version predicts from then on, who said so, and why.

use serde::{Deserialize, Serialize};

use crate::body::JsonBody;
use crate::time::Timestamp;

/// A version of a model was put in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promotion {
    /// The model.
    pub model: String,
    /// The version that is in force from here on.
    pub version: String,
    /// The version that was in force before.
    #[serde(default)]
    pub from: Option<String>,
    /// Who or what did it.
    pub actor: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// When, by the server's clock.
    pub time: Timestamp,
}

impl JsonBody for Promotion {
    const NAME: &'static str = "promotion";
    const TABLE: Option<&'static str> = Some("promotions");
}
