//! What a message says about one alert.

use std::sync::Arc;

use forewarn_types::{AlertId, AlertState, AssetPath, Offset, Severity, SignalName, Timestamp, Transition};
use serde::{Deserialize, Serialize};

/// What is said about an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It is active.
    Firing,
    /// Its inputs are missing or bad: whether it still holds is not known.
    Unknown,
    /// Its inputs are back, and it still holds.
    Known,
    /// Its condition is over.
    Resolved,
    /// It should not have been raised.
    Withdrawn,
}

impl Status {
    /// The name used in messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Unknown => "unknown",
            Self::Known => "known",
            Self::Resolved => "resolved",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// Whether nothing more is to be said about the alert.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Resolved | Self::Withdrawn)
    }

    /// What a transition that leads to `state` gives to say, if it does.
    ///
    /// That an alert is over is said only where its condition ended. What operators do is not told.
    pub(crate) const fn of(transition: Transition, state: AlertState) -> Option<Self> {
        match transition {
            Transition::Raised | Transition::Reraised => Some(Self::Firing),
            Transition::Amended if state.is_active() => Some(Self::Firing),
            Transition::Returned | Transition::Normal => Some(Self::Resolved),
            Transition::Unknown => Some(Self::Unknown),
            Transition::Known => Some(Self::Known),
            Transition::Withdrawn => Some(Self::Withdrawn),
            Transition::Acknowledged if matches!(state, AlertState::Normal) => Some(Self::Resolved),
            Transition::Pending
            | Transition::Amended
            | Transition::Acknowledged
            | Transition::Shelved
            | Transition::Unshelved
            | Transition::Suppressed
            | Transition::Unsuppressed
            | Transition::Commented => None,
        }
    }
}

/// What a message says about one alert.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// Which alert.
    pub alert: AlertId,
    /// The transition that it rests on.
    pub offset: Offset,
    /// What is said.
    pub status: Status,
    /// Its severity.
    pub severity: Severity,
    /// Its state.
    pub state: AlertState,
    /// Its rule.
    pub rule: SignalName,
    /// Its asset.
    pub asset: AssetPath,
    /// When the transition happened, in event time.
    pub time: Timestamp,
    /// When the alert's condition began to hold, in event time.
    pub started: Timestamp,
    /// What happened, with numbers.
    pub message: String,
    /// The value that decided.
    pub value: Option<f64>,
    /// The signal that the value is of.
    pub signal: Option<SignalName>,
    /// What is known of its rule.
    pub about: About,
}

/// What a rule says to people.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// The unit of the value.
    pub unit: Option<Arc<str>>,
    /// What the value is held against.
    pub limit: Option<Arc<str>>,
    /// What happens without action.
    pub consequence: Option<Arc<str>>,
    /// What to do.
    pub action: Option<Arc<str>>,
}
