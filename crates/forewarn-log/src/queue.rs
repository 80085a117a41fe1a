//! The line of records that wait for the disk.

use std::sync::Arc;

use forewarn_types::{JournalError, Offset, Record};
use tokio::sync::oneshot;

use crate::frame::FRAME_BYTES;
use crate::payload::Payload;

/// What a sender hears of its record: it is durable at this offset, or never will be.
pub(crate) type Outcome = Result<Offset, JournalError>;

/// A record in line for the disk.
pub(crate) struct Pending {
    pub(crate) record: Arc<Record>,
    pub(crate) payload: Payload,
    pub(crate) done: oneshot::Sender<Outcome>,
}

impl Pending {
    /// Bytes of its frame.
    pub(crate) const fn frame_bytes(&self) -> usize {
        FRAME_BYTES + self.payload.bytes.len()
    }
}

/// What a log can lack, and have again later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lack {
    /// Room on its disk.
    Room,
    /// A descriptor for its next file.
    Files,
}

/// Records in line for the disk.
pub(crate) struct Queue {
    pub(crate) pending: Vec<Pending>,
    /// Bytes of the frames that are not durable yet, those being written included.
    pub(crate) bytes: usize,
    /// Nothing more is taken; the writer ends when the line is empty.
    pub(crate) closing: bool,
    /// What is in line waits for this.
    pub(crate) lack: Option<Lack>,
    /// Nothing waits for room on the disk any more.
    pub(crate) hurried: bool,
    /// Why the disk failed, if it did.
    pub(crate) failed: Option<String>,
    /// Which other server has taken over, if one has: nothing more is taken.
    pub(crate) taken_over: Option<String>,
}
