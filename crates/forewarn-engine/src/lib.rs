//! The real-time path: rules, detectors, alert life cycle. Pure.
//!
//! [`Engine::step`] takes the records of the log one by one and says which alerts change. There is no clock,
//! no I/O, no randomness and no concurrency in here: wall-clock time is a record like any other, so the same
//! log gives the same alerts, bit for bit, live, after a crash, in a backtest and in a test.
//!
//! A [sample](samples) runs through a [shard](shard), where [nodes](node) compute signals from others and
//! rules find how their conditions change; the [life cycle](alerts) makes transitions of that and of
//! operators' commands. [`detect`] judges single series.

mod alerts;
mod build;
pub mod detect;
mod dictionary;
mod engine;
mod episode;
mod error;
mod event;
mod inputs;
mod instance;
mod message;
mod missing;
mod moment;
mod node;
mod program;
mod report;
mod running;
mod samples;
mod scene;
mod shard;
mod slot;
mod snapshot;
mod state;
mod waiting;
mod when;
mod words;

#[cfg(test)]
mod tests;

pub use engine::{Actions, Engine, EngineOptions, is_news};
pub use error::EngineError;
pub use report::{Lack, OpenAlert, RuleInForce, RuleOnAsset, RuleState, RulesReport, Wait};
