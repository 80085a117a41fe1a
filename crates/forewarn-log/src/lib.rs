//! The durable log: what Forewarn has accepted, in order, on disk.
//!
//! Everything that enters the system becomes a [`Record`] here before anyone is told that it was accepted,
//! and every stage works off the log by itself, at its own pace, from its own offset. The [`Log`] trait is
//! all that stages see; [`LocalLog`] keeps the records in segment files of one directory.

mod buffers;
mod cache;
mod checkpoints;
mod crash;
mod disk;
mod error;
mod follow;
mod frame;
mod group;
mod health;
mod identity;
mod inspect;
mod local;
mod memory;
mod options;
mod payload;
mod queue;
mod read;
mod segment;
mod shared;
#[cfg(test)]
mod tests;
mod transfer;
mod writer;

use std::sync::Arc;

use forewarn_types::{BoxFuture, Journal, JournalError, Offset, Record};
use tokio::sync::watch;

pub use disk::{Access, Disk, DiskFile, RealDisk};
pub use error::LogError;
pub use follow::Follower;
pub use health::LogHealth;
pub use identity::new_id;
pub use inspect::{SegmentReport, inspect, inspect_on};
pub use local::{LocalLog, LogMetrics};
pub use memory::MemoryLog;
pub use options::{Compression, LogOptions, MAX_GROUP_DELAY, WriterMode};
pub use transfer::{export, import, stand_in};

/// A durable, ordered, replayable sequence of records.
pub trait Log: Journal {
    /// What tells this log from every other one, for as long as it lives: an offset means something only
    /// together with it.
    fn id(&self) -> &str;

    /// Puts `records` in line, one behind the other, all of them or none. The order of these calls is the
    /// order of the log; many may wait at the same time. Offsets are known once the records are durable, not
    /// before. The ticket is that of the last one: once it is durable, all are.
    ///
    /// # Errors
    /// [`JournalError::Full`] at a bound, [`JournalError::Stopped`] after a failed fsync,
    /// [`JournalError::TakenOver`] once another server has taken over,
    /// [`JournalError::Refused`] if there is no record, or one that can never be appended. Nothing was put in
    /// line then.
    fn submit_all(&self, records: Vec<Record>) -> Result<Ticket, JournalError>;

    /// [`Log::submit_all`] for one record.
    ///
    /// # Errors
    /// As there.
    fn submit(&self, record: Record) -> Result<Ticket, JournalError> {
        self.submit_all(vec![record])
    }

    /// Whether the log takes readings, as of now.
    fn health(&self) -> LogHealth;

    /// The oldest offset that can still be read.
    fn start(&self) -> Offset;

    /// The end of what is durable: one past the newest durable record.
    fn end(&self) -> Offset;

    /// Follows [`Log::end`].
    fn watch(&self) -> watch::Receiver<Offset>;

    /// Durable records from `from` on, in order: at least one if there is one, at most `max_records`, and no
    /// more once their encodings pass `max_bytes`. Blocks on the disk unless the records are still cached.
    ///
    /// # Errors
    /// [`LogError`] if `from` has been trimmed or the disk fails.
    fn read(
        &self,
        from: Offset,
        max_records: usize,
        max_bytes: usize,
    ) -> Result<Vec<(Offset, Arc<Record>)>, LogError>;

    /// `consumer` needs nothing before `offset` any more. What no consumer needs may be trimmed.
    ///
    /// # Errors
    /// [`LogError`] if the disk fails.
    fn checkpoint(&self, consumer: &str, offset: Offset) -> Result<(), LogError>;
}

/// A place in line. It may be dropped; the record stays in line.
pub struct Ticket {
    /// Resolves once the record is durable, and gives its offset, or once it is known that it never will be.
    pub durable: BoxFuture<'static, Result<Offset, JournalError>>,
}
