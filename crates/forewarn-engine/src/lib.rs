//! The real-time path: rules, detectors, alert life cycle. Pure.
//!
//! [`Engine::step`] takes the records of the log one by one and says which alerts change. There is no clock,
//! no I/O, no randomness and no concurrency in here: wall-clock time is a record like any other, so the same
//! log gives the same alerts, bit for bit, live, after a crash, in a backtest and in a test.
//!
//! A reading runs through a [shard](shard), which finds how the conditions of rules change; the [life
//! cycle](alerts) makes transitions of that and of operators' commands. [`detect`] judges single series.

mod alerts;
mod build;
pub mod detect;
mod dictionary;
mod engine;
mod error;
mod event;
mod instance;
mod message;
mod program;
mod shard;
mod snapshot;
mod when;

#[cfg(test)]
mod tests;

pub use engine::{Actions, Engine, EngineOptions, is_news};
pub use error::EngineError;
