//! Whether the log takes readings, for those who must know before they try.

use forewarn_types::JournalError;

/// Whether the log takes readings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogHealth {
    /// It does.
    Ok,
    /// It has no room, and says why. It takes readings again by itself once it has.
    Full(String),
    /// It has failed, and says why. It takes nothing more until it is opened again.
    Failed(String),
    /// Another server has taken over the lake that the log feeds, and this one takes nothing more.
    TakenOver(String),
}

impl LogHealth {
    /// What a sender of readings is answered, unless all is well.
    #[must_use]
    pub fn problem(self) -> Option<JournalError> {
        match self {
            Self::Ok => None,
            Self::Full(reason) => Some(JournalError::Full(reason)),
            Self::Failed(reason) => Some(JournalError::Stopped(reason)),
            Self::TakenOver(reason) => Some(JournalError::TakenOver(reason)),
        }
    }
}
