//! How a rule stands on one asset.

use std::fmt;

use forewarn_types::{AlertId, AlertState, AssetPath, SignalName, Timestamp, format_duration};

/// How a rule stands on an asset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RuleState {
    /// The condition does not hold.
    Normal,
    /// It holds, not yet for long enough.
    Pending,
    /// There is an open alert.
    Alert,
    /// Inputs are missing: whether the condition holds cannot be told now.
    Unknown,
    /// It could not be told at any time so far.
    NeverDecided,
    /// The asset is retired; no rule judges it.
    Retired,
}

impl RuleState {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Normal, Self::Pending, Self::Alert, Self::Unknown, Self::NeverDecided, Self::Retired];

    /// The name used in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Pending => "pending",
            Self::Alert => "alert",
            Self::Unknown => "unknown",
            Self::NeverDecided => "never_decided",
            Self::Retired => "retired",
        }
    }

    /// The state of that name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    pub(crate) const fn of_alert(state: AlertState, unknown: bool) -> Self {
        match (state, unknown) {
            (_, true) => Self::Unknown,
            (AlertState::Pending, false) => Self::Pending,
            (_, false) => Self::Alert,
        }
    }
}

/// The open alert of a rule on an asset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenAlert {
    /// Its id.
    pub id: AlertId,
    /// The state it shows.
    pub state: AlertState,
}

/// How a rule stands on an asset that it matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleOnAsset {
    /// The asset.
    pub asset: AssetPath,
    /// How the rule stands there.
    pub state: RuleState,
    /// The open alert, pending ones included.
    pub alert: Option<OpenAlert>,
    /// The signals it waits for.
    pub waits_for: Vec<Wait>,
    /// What else is to be known.
    pub notes: Vec<String>,
}

/// A signal that a rule waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    /// The signal.
    pub signal: SignalName,
    /// The signal that is computed from it, if the rule does not look at it itself.
    pub computes: Option<SignalName>,
    /// What is wrong with it.
    pub lack: Lack,
    /// The time of its last usable value, if there was one.
    pub last: Option<Timestamp>,
    /// A signal of the asset that may have been meant. The report leaves it open.
    pub meant: Option<SignalName>,
}

/// What is wrong with a signal that a rule waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lack {
    /// No reading of it has arrived on this asset.
    NeverHeard,
    /// Its last value is older than is allowed, µs of event time.
    TooOld {
        /// Its age.
        age_us: i64,
        /// The age allowed.
        tolerance_us: i64,
    },
    /// Its newest reading is of bad quality.
    Bad,
    /// It is computed, and its formula gives no finite number.
    Undefined,
}

impl Lack {
    /// The name used in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NeverHeard => "never_heard",
            Self::TooOld { .. } => "too_old",
            Self::Bad => "bad_quality",
            Self::Undefined => "undefined",
        }
    }
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signal = &self.signal;
        match self.lack {
            Lack::NeverHeard => write!(f, "{signal} was never heard on this asset")?,
            Lack::TooOld { age_us, tolerance_us } => {
                write!(f, "{signal} is {} old, its tolerance is {}", about(age_us), about(tolerance_us))?;
            }
            Lack::Bad => write!(f, "the newest reading of {signal} is of bad quality")?,
            Lack::Undefined => write!(f, "the formula of {signal} gives no finite number")?,
        }
        if let Some(computed) = &self.computes {
            write!(f, " ({computed} is computed from it)")?;
        }
        match &self.meant {
            Some(meant) => write!(f, "; did you mean {meant}?"),
            None => Ok(()),
        }
    }
}

/// A duration in a unit of which there are several, without what is left over.
pub(super) fn about(us: i64) -> String {
    let units = [86_400_000_000, 3_600_000_000, 60_000_000, 1_000_000, 1_000];
    let unit = units.into_iter().find(|unit| us >= unit * 3 || (us >= *unit && us % unit == 0));
    format_duration(unit.map_or(us, |unit| us - us % unit))
}
