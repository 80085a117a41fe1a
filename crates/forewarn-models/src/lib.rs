//! Time-to-failure models: what a machine's readings say about when it will fail, with an interval one can
//! trust.
//!
//! Life events cut each asset's history into lives ([`lives_of`]); the readings of a life are put on rows of
//! fixed spacing, features are computed over trailing windows, and a regression is fitted to the failed
//! lives.
//! Cross-validation that never splits a life chooses the algorithm and its settings, and its misses make the
//! prediction interval. Versions are kept as JSON in the lake. [`ModelService`] does all of it for a server;
//! [`Fitted`] does the numeric part alone, for benchmarks.
//!
//! Nothing here depends on names, units of measurement or absolute dates: rename, rescale and shift the
//! readings, and the predictions stay.

mod algorithms;
mod artefact;
mod dataset;
mod error;
mod features;
mod grid;
mod history;
mod interval;
mod lake;
mod lives;
mod predict;
mod registry;
mod remembered;
mod rival;
mod scaler;
mod service;
mod train;
mod training;
mod validate;

#[cfg(test)]
mod tests;

pub use algorithms::Candidate;
pub use artefact::{Statement, Summary};
pub use error::ModelError;
pub use lives::{Life, Lives, Outcome, lives_of};
pub use rival::Comparison;
pub use service::{ModelService, ModelStatus, VersionInfo};
pub use train::{Fitted, LifeReadings, MIN_FAILED_LIVES};
pub use training::TrainReport;
pub use validate::{Metrics, Trial, nasa_score};
