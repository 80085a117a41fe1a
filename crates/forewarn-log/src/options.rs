//! What an operator may choose about the log.

use std::path::PathBuf;
use std::time::Duration;

use crate::LogError;

/// Settings of a [`crate::LocalLog`].
#[derive(Debug, Clone)]
pub struct LogOptions {
    /// The folder of the segment files; created if it is missing. It belongs to the log alone.
    pub dir: PathBuf,
    /// A segment file that would grow past this many bytes is sealed and the next one begun.
    pub segment_bytes: u64,
    /// The log refuses records rather than take more than this many bytes of disk, free space in its files
    /// included.
    pub max_bytes: u64,
    /// The newest records, up to about this many bytes, are kept in memory for readers at the log's head.
    pub cache_bytes: usize,
    /// Records that wait for the disk may take this many bytes of memory; beyond it senders are asked to try
    /// again.
    pub queue_bytes: usize,
    /// With something in line, the writer waits this long for more before it writes, so that more records
    /// share an fsync. Every sender then waits this much longer. At most [`MAX_GROUP_DELAY`].
    pub group_delay: Duration,
    /// How records are written. Those of either kind are read.
    pub compression: Compression,
    /// Consumers without which nothing is trimmed. Others count from their first checkpoint on.
    pub consumers: Vec<String>,
    /// Who writes what is in line.
    pub writer: WriterMode,
}

/// Longest [`LogOptions::group_delay`].
pub const MAX_GROUP_DELAY: Duration = Duration::from_millis(100);

/// How records are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// As they are.
    #[default]
    None,
    /// As LZ4 blocks, each where that makes it smaller. Senders spend the time, not the writer.
    Lz4,
}

/// Who writes the records that are in line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WriterMode {
    /// A thread of the log's own.
    #[default]
    Thread,
    /// Nobody but [`crate::LocalLog::write_waiting`], for tests in which nothing may depend on threads. A log
    /// that is dropped without [`crate::LocalLog::close`] leaves unwritten what is in line, as a crash does.
    ByHand,
}

impl LogOptions {
    /// Segments of 64 MiB, 10 GB in all, 64 MiB of cache and of queue, no delay, no compression, no consumer
    /// that must be waited for.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            segment_bytes: 64 << 20,
            max_bytes: 10_000_000_000,
            cache_bytes: 64 << 20,
            queue_bytes: 64 << 20,
            group_delay: Duration::ZERO,
            compression: Compression::None,
            consumers: Vec::new(),
            writer: WriterMode::Thread,
        }
    }

    /// A group of so many bytes gains nothing from waiting for more records.
    pub(crate) fn enough_bytes(&self) -> usize {
        (self.queue_bytes / 2).min(1 << 20)
    }

    /// # Errors
    /// [`LogError::Options`] if the log would fill up without ever being able to trim.
    pub(crate) fn check(&self) -> Result<(), LogError> {
        if self.segment_bytes == 0 || self.queue_bytes == 0 {
            return Err(LogError::Options("segment_bytes and queue_bytes must not be 0".into()));
        }
        if self.group_delay > MAX_GROUP_DELAY {
            return Err(LogError::Options(format!(
                "log.group_delay is {:?}; every sender waits that long, so it may be at most \
                 {MAX_GROUP_DELAY:?}",
                self.group_delay
            )));
        }
        // The segment that is written to is never trimmed, so it may take half of the room at most.
        if self.segment_bytes > self.max_bytes / 2 {
            return Err(LogError::Options(format!(
                "log.segment_bytes ({}) may be at most half of log.max_bytes ({}); raise log.max_bytes or \
                 lower log.segment_bytes",
                self.segment_bytes, self.max_bytes
            )));
        }
        Ok(())
    }
}
