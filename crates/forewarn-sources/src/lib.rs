//! Sources that connect, listen or poll: MQTT today; what the HTTP API receives comes in by itself.
//!
//! Each kind of source implements one trait, [`Source`]: how to talk to the other side, and how to read a
//! message. All the rest is shared. The *pump* takes the messages that have gathered as one batch through
//! the intake, and tries again while the log is full. Only when a batch is durable does it hand the
//! *receipts* of its messages back to the source, which then acknowledges them. A message that cannot be
//! read is kept as a *dead letter* and acknowledged: the sender would send it again for ever.
//!
//! To add a kind, write its folder and add a line to the list in `kinds.rs`.

mod error;
mod kinds;
mod mqtt;
mod pump;
mod retry;
mod source;
mod sources;
mod stage;
mod status;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use error::SourceError;
pub use source::{Delivery, Link, Source};
pub use sources::{SourceHandles, Sources, check};
pub use status::{DeadLetter, Letter, SourceHandle, SourceStatus};
