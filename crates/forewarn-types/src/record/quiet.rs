//! Silences and maintenance windows: which alerts are not told, and until when.

use serde::{Deserialize, Serialize};

use crate::alert::Severity;
use crate::body::JsonBody;
use crate::time::Timestamp;

/// Why alerts are not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum QuietKind {
    /// Somebody does not want to hear of them for a while.
    Silence,
    /// Work is done on the assets.
    Maintenance,
}

impl QuietKind {
    /// The name used in JSON and in the lake.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Silence => "silence",
            Self::Maintenance => "maintenance",
        }
    }
}

/// Hours that come back every week.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Weekly {
    /// The days on which the hours begin; 0 is Monday.
    pub days: Vec<u8>,
    /// Minute of the day at which they begin.
    pub from_minute: u16,
    /// Minute of the day at which they end; if not after the beginning, on the day after.
    pub to_minute: u16,
    /// IANA name of the time zone of both.
    pub timezone: String,
}

/// A silence or a maintenance window was set, or taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quiet {
    /// Its id.
    pub id: String,
    /// Which of the two.
    pub kind: QuietKind,
    /// Whether it is taken back here.
    pub removed: bool,
    /// Selectors of assets; empty: all.
    pub assets: Vec<String>,
    /// Patterns of rules' names; empty: all.
    pub rules: Vec<String>,
    /// Severities; empty: all.
    pub severities: Vec<Severity>,
    /// When it begins.
    pub from: Timestamp,
    /// When it ends; `None`: when it is taken back.
    pub until: Option<Timestamp>,
    /// Within that time it holds in these hours only.
    pub weekly: Option<Weekly>,
    /// Who set it or took it back.
    pub actor: Option<String>,
    /// Why.
    pub comment: Option<String>,
    /// When, by the server's clock.
    pub time: Timestamp,
}

impl JsonBody for Quiet {
    const NAME: &'static str = "quiet";
    const TABLE: Option<&'static str> = Some("silences");
}
