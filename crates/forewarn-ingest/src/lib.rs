//! The way of readings into the log: decode, admit, append, acknowledge.

pub mod decode;
mod error;
mod intake;
mod raw;
mod unit;

pub use error::IngestError;
pub use intake::{Accepted, Held, Intake, IntakeLimits, IntakeMetrics, IntakeState, SenderAhead, Unsure};
pub use raw::{MAX_ERRORS, NO_TIME, NameOrigin, RawBatch, Rejected, Writable};
pub use unit::TimeUnit;
