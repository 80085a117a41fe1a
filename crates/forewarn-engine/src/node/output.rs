//! What every kind of node gives.

use crate::slot::Clock;

/// What a node makes of its inputs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Output {
    /// The value, and the time it is as old as; `None` if the inputs do not give one.
    pub(crate) value: Option<(f64, i64)>,
    /// Event time after which one of the inputs that it rests on is too old.
    pub(crate) expiry: i64,
    /// How far event time has come for it.
    pub(crate) clock: Clock,
}
