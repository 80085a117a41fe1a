//! Alerts and their life cycle, after ISA-18.2 (IEC 62682): what an alert is and which states it takes.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::fingerprint::fingerprint_128;
use crate::time::Timestamp;

/// How bad it is; ordered from the mildest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth a look.
    Warning,
    /// To be planned.
    Minor,
    /// To be done soon.
    Major,
    /// To be done now.
    Critical,
}

impl Severity {
    /// `warning`, `minor`, `major` or `critical`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Minor => "minor",
            Self::Major => "major",
            Self::Critical => "critical",
        }
    }

    /// The severity of that name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Warning, Self::Minor, Self::Major, Self::Critical]
            .into_iter()
            .find(|severity| severity.as_str() == text)
    }
}

/// The state of an alert: those of ISA-18.2, and `pending` while a rule's `for` runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AlertState {
    /// The condition holds, `for` has not passed yet; no notification is sent.
    Pending,
    /// Active, not acknowledged yet.
    Unacknowledged,
    /// Active, an operator has seen it.
    Acknowledged,
    /// No longer active, but not acknowledged (ISA-18.2: returned to normal, unacknowledged).
    Returned,
    /// Over.
    Normal,
    /// Hidden by an operator until a given time.
    Shelved,
    /// Suppressed by design: another condition makes it meaningless.
    Suppressed,
    /// The asset is out of service.
    OutOfService,
}

impl AlertState {
    /// The name used in JSON and in the lake.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Unacknowledged => "unacknowledged",
            Self::Acknowledged => "acknowledged",
            Self::Returned => "returned",
            Self::Normal => "normal",
            Self::Shelved => "shelved",
            Self::Suppressed => "suppressed",
            Self::OutOfService => "out-of-service",
        }
    }

    /// The state of that name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        use AlertState::{
            Acknowledged, Normal, OutOfService, Pending, Returned, Shelved, Suppressed, Unacknowledged,
        };
        [Pending, Unacknowledged, Acknowledged, Returned, Normal, Shelved, Suppressed, OutOfService]
            .into_iter()
            .find(|state| state.as_str() == text)
    }

    /// Whether the condition that raised the alert still holds (an operator's acknowledgement does not end
    /// it).
    #[must_use]
    pub const fn is_active(self) -> bool {
        matches!(self, Self::Unacknowledged | Self::Acknowledged | Self::Shelved | Self::Suppressed)
    }
}

/// What happened to an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transition {
    /// The condition began to hold; `for` runs.
    Pending,
    /// The alert is active.
    Raised,
    /// A new onset while the alert is open: it loses its acknowledgement and notifies again.
    Reraised,
    /// An operator has seen it.
    Acknowledged,
    /// The condition ended before anyone acknowledged it.
    Returned,
    /// It is over (also: a pending alert whose condition ended within `for`).
    Normal,
    /// An operator hid it for a while.
    Shelved,
    /// It is shown again.
    Unshelved,
    /// Another condition made it meaningless.
    Suppressed,
    /// That condition ended.
    Unsuppressed,
    /// Its inputs went missing or bad: its state is no longer known.
    Unknown,
    /// Its inputs are back.
    Known,
    /// A re-run over the complete history added or corrected it.
    Amended,
    /// A re-run over the complete history found that it should not have been raised.
    Withdrawn,
    /// An operator left a remark.
    Commented,
}

impl Transition {
    /// The name used in JSON and in the lake.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Raised => "raised",
            Self::Reraised => "reraised",
            Self::Acknowledged => "acknowledged",
            Self::Returned => "returned",
            Self::Normal => "normal",
            Self::Shelved => "shelved",
            Self::Unshelved => "unshelved",
            Self::Suppressed => "suppressed",
            Self::Unsuppressed => "unsuppressed",
            Self::Unknown => "unknown",
            Self::Known => "known",
            Self::Amended => "amended",
            Self::Withdrawn => "withdrawn",
            Self::Commented => "commented",
        }
    }
}

/// Names one alert: a fingerprint of rule, asset and start, so that a replay gives the same alert the same
/// id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AlertId(pub u128);

impl AlertId {
    /// The id of the alert of `rule` on `asset` that began at `start` (the time its condition began to hold).
    #[must_use]
    pub fn derive(rule: &str, asset: &str, start: Timestamp) -> Self {
        let time = start.0.to_le_bytes();
        let bytes = rule.bytes().chain([0]).chain(asset.bytes()).chain([0]).chain(time);
        Self(fingerprint_128(bytes))
    }

    /// Reads the 32 hexadecimal digits that [`fmt::Display`] writes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
            u128::from_str_radix(text, 16).ok().map(Self)
        } else {
            None
        }
    }
}

impl fmt::Display for AlertId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl Serialize for AlertId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for AlertId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("an alert id is 32 hexadecimal digits"))
    }
}
