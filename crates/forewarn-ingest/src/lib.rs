//! Sources: decode, validate, append to the log, acknowledge.

pub mod decode;
mod error;
#[cfg(test)]
mod fake_log;
pub mod import;
mod intake;
pub mod mqtt;
mod raw;

pub use error::IngestError;
pub use intake::{Accepted, Intake, IntakeLimits, IntakeMetrics, IntakeState};
pub use raw::{MAX_ERRORS, NO_TIME, RawBatch, Rejected};
