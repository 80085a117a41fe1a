//! The outbox: what is still to be told, computed from the log.
//!
//! All of it is a function of the records: [`State`] takes one after the other, and time is what ticks say.
//! Its parts, in the order in which an alert passes them: [`alerts`] (does a route match, and is there
//! something to say), [`mute`] (silences, maintenance, shelves), [`groups`] (what is told together, and
//! when), [`lanes`] (what comes faster than it can be sent becomes one message). [`clock`] does what time
//! brings: repeats, escalations, the end of quiet hours. [`why`] says which of these holds an alert back.

mod alerts;
mod clock;
mod fold;
mod groups;
mod lanes;
mod mute;
mod state;
mod why;

pub use fold::{Outbox, OutboxFold};
pub use state::Sent;
pub use why::{Reason, RouteReason};

#[cfg(test)]
pub(crate) use state::State;
