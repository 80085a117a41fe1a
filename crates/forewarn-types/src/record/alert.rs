//! Transitions of alerts, and what they rest on.

use serde::{Deserialize, Serialize};

use crate::alert::{AlertId, AlertState, Severity, Transition};
use crate::body::JsonBody;
use crate::name::{AssetPath, SignalName};
use crate::offset::Offset;
use crate::time::Timestamp;

/// One step in an alert's life, as the log and the table `alert_events` hold it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlertTransition {
    /// Which alert.
    pub alert: AlertId,
    /// The rule that raised it.
    pub rule: SignalName,
    /// The asset it concerns.
    pub asset: AssetPath,
    /// The rule's severity.
    pub severity: Severity,
    /// What happened.
    pub transition: Transition,
    /// The state after it.
    pub state: AlertState,
    /// Whether the state is in doubt since inputs are missing or bad.
    pub unknown: bool,
    /// When it happened, in event time.
    pub time: Timestamp,
    /// When the alert's condition began to hold, in event time.
    pub started: Timestamp,
    /// The value that decided, if there is one.
    #[serde(default, deserialize_with = "crate::exact::optional")]
    pub value: Option<f64>,
    /// The detector's score, where 1 is the limit, if the rule has one.
    #[serde(default, deserialize_with = "crate::exact::optional")]
    pub score: Option<f64>,
    /// What happened, for a person to read, with numbers.
    pub message: String,
    /// Who did it, if a person did.
    pub actor: Option<String>,
    /// What that person said.
    pub comment: Option<String>,
    /// The record that caused this transition. With `ordinal` it names the transition uniquely within the
    /// log.
    pub cause: Offset,
    /// The place of this transition among those that `cause` caused, from 0.
    pub ordinal: u32,
    /// What it rests on.
    pub evidence: Evidence,
}

/// What an alert transition rests on: enough to fetch the rows and judge again.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Fingerprint of the rule's condition.
    pub rule_version: String,
    /// Event time of the first row that counts.
    pub from: Timestamp,
    /// Event time of the last row that counts.
    pub to: Timestamp,
    /// The values the rule saw.
    pub values: Vec<EvidenceValue>,
}

/// One input of a rule at the moment of a transition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EvidenceValue {
    /// The signal's name.
    pub signal: SignalName,
    /// Its event time.
    pub time: Timestamp,
    /// Its value.
    #[serde(deserialize_with = "crate::exact::number")]
    pub value: f64,
}

impl JsonBody for AlertTransition {
    const NAME: &'static str = "alert";
    const TABLE: Option<&'static str> = Some("alert_events");
}
