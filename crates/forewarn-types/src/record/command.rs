//! What operators do to alerts, and in which state of an alert they may do it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::alert::{AlertId, AlertState};
use crate::body::JsonBody;
use crate::time::Timestamp;

/// What an operator does to an alert.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "lowercase")]
pub enum CommandAction {
    /// Seen, being dealt with.
    Acknowledge,
    /// Hide until a time.
    Shelve {
        /// When it is shown again.
        until: Timestamp,
    },
    /// Show again.
    Unshelve,
    /// Leave a remark only.
    Comment,
    /// Give it to a person.
    Assign {
        /// To whom; `None`: to no one any more.
        to: Option<String>,
    },
}

impl CommandAction {
    /// The name used in JSON and in the lake.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Acknowledge => "acknowledge",
            Self::Shelve { .. } => "shelve",
            Self::Unshelve => "unshelve",
            Self::Comment => "comment",
            Self::Assign { .. } => "assign",
        }
    }
}

/// An operator's action on an alert; it takes effect when the engine reads it from the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OperatorCommand {
    /// Which alert.
    pub alert: AlertId,
    /// What to do.
    pub action: CommandAction,
    /// Who does it.
    pub actor: String,
    /// What they say.
    pub comment: Option<String>,
    /// `true`, `nuisance`, `maintenance` or `test`: whether the alert was right.
    pub reason: Option<String>,
    /// When, by the server's clock.
    pub time: Timestamp,
}

impl JsonBody for OperatorCommand {
    const NAME: &'static str = "command";
    const TABLE: Option<&'static str> = Some("commands");
}

/// Why the state of an alert does not allow an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotAllowed {
    /// The alert is over.
    Over,
    /// The rule's `for` has not passed yet.
    NotRaised,
    /// It has been acknowledged, and there was no new onset since.
    Acknowledged,
    /// There is no shelf to take it from.
    NotShelved,
}

impl fmt::Display for NotAllowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Over => "the alert is over",
            Self::NotRaised => "the alert is not raised yet",
            Self::Acknowledged => "the alert has been acknowledged already",
            Self::NotShelved => "the alert is not shelved",
        })
    }
}

impl AlertState {
    /// Whether operators may do `action` to an alert that shows this state. The API asks before it takes a
    /// command, the engine again before it carries the command out, as the state may have changed meanwhile.
    ///
    /// # Errors
    /// What stands against it.
    pub const fn allows(self, action: &CommandAction) -> Result<(), NotAllowed> {
        match (action, self) {
            (
                CommandAction::Acknowledge,
                Self::Unacknowledged | Self::Returned | Self::Shelved | Self::Suppressed | Self::OutOfService,
            )
            | (
                CommandAction::Shelve { .. },
                Self::Unacknowledged
                | Self::Acknowledged
                | Self::Returned
                | Self::Shelved
                | Self::Suppressed
                | Self::OutOfService,
            )
            | (CommandAction::Unshelve, Self::Shelved)
            | (CommandAction::Comment, _)
            | (
                CommandAction::Assign { .. },
                Self::Pending
                | Self::Unacknowledged
                | Self::Acknowledged
                | Self::Returned
                | Self::Shelved
                | Self::Suppressed
                | Self::OutOfService,
            ) => Ok(()),
            (CommandAction::Acknowledge, Self::Acknowledged) => Err(NotAllowed::Acknowledged),
            (CommandAction::Acknowledge | CommandAction::Shelve { .. }, Self::Pending) => {
                Err(NotAllowed::NotRaised)
            }
            (
                CommandAction::Acknowledge | CommandAction::Shelve { .. } | CommandAction::Assign { .. },
                Self::Normal,
            ) => Err(NotAllowed::Over),
            (CommandAction::Unshelve, _) => Err(NotAllowed::NotShelved),
        }
    }
}

#[cfg(test)]
mod tests;
