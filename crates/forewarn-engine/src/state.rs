//! The state of one rule on one asset, of every kind, and how snapshots hold it.

use serde::{Deserialize, Serialize};

use crate::detect::{Detector, LearnedLimitsVersion2, RateOfChange, RobustZ};
use crate::episode::Episode;
use crate::missing::Missing;
use crate::when::WhenState;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "Stored")]
pub(crate) enum State {
    /// With the slots of the signals of `when`, then of `until`.
    When(Box<[u32]>, WhenState),
    Detector(Episode, Detector),
    Missing(Missing),
}

/// What snapshots hold: those of version 2 have a kind of state for each detector.
#[derive(Deserialize)]
enum Stored {
    When(Box<[u32]>, WhenState),
    Detector(Episode, Detector),
    Missing(Missing),
    LearnedLimits(Episode, Box<LearnedLimitsVersion2>),
    RobustZ(Episode, RobustZ),
    Rate(Episode, RateOfChange),
}

impl From<Stored> for State {
    fn from(stored: Stored) -> Self {
        match stored {
            Stored::When(inputs, when) => Self::When(inputs, when),
            Stored::Detector(episode, detector) => Self::Detector(episode, detector),
            Stored::Missing(missing) => Self::Missing(missing),
            Stored::LearnedLimits(episode, old) => {
                Self::Detector(episode, Detector::LearnedLimits(Box::new((*old).into())))
            }
            Stored::RobustZ(episode, detector) => Self::Detector(episode, Detector::RobustZ(detector)),
            Stored::Rate(episode, detector) => Self::Detector(episode, Detector::Rate(detector)),
        }
    }
}
