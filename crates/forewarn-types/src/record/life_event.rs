//! What happens to machines: the labels that training needs.

use serde::{Deserialize, Serialize};

use crate::body::JsonBody;
use crate::name::AssetPath;
use crate::offset::Offset;
use crate::time::Timestamp;

/// What happened to a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LifeEventKind {
    /// Put into service: a life begins.
    Installed,
    /// Made good: a life ends unfailed, a new one begins.
    Repaired,
    /// Failed: the life ends.
    Failed,
    /// Taken out of service: the life ends unfailed.
    Retired,
    /// Nothing: an event that was recorded by mistake is taken back.
    Withdrawn,
}

impl LifeEventKind {
    /// The name used in JSON and in the lake.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Installed => "installed",
            Self::Repaired => "repaired",
            Self::Failed => "failed",
            Self::Retired => "retired",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// The kind of that name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Installed, Self::Repaired, Self::Failed, Self::Retired, Self::Withdrawn]
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }
}

/// A label that training needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LifeEvent {
    /// The asset.
    pub asset: AssetPath,
    /// What happened.
    pub event: LifeEventKind,
    /// When, in event time.
    pub time: Timestamp,
    /// Who says so.
    pub actor: Option<String>,
    /// A remark.
    pub comment: Option<String>,
    /// Which event of the asset, by its record, this one takes the place of: that one counts no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub corrects: Option<Offset>,
}

impl JsonBody for LifeEvent {
    const NAME: &'static str = "life_event";
    const TABLE: Option<&'static str> = Some("life_events");
}
