//! The one way a stage puts a record into the log: append, and hear back once it is durable.

use std::future::Future;
use std::pin::Pin;

use crate::{Offset, Record};

/// A boxed future, so that [`Journal`] can stand behind `dyn`.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Takes records and answers once they are durable. The log implements it; stages that only write records see
/// no more of the log.
pub trait Journal: Send + Sync {
    /// Appends `record` and waits until it is durable. Its offset comes back.
    ///
    /// # Errors
    /// [`JournalError`] says whether trying again can help. On an error the record may or may not be in the
    /// log.
    fn append(&self, record: Record) -> BoxFuture<'_, Result<Offset, JournalError>>;
}

/// Why the log did not take a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// No room now; try again later.
    #[error("the log is full: {0}; try again later")]
    Full(String),
    /// The log has stopped; the process must be restarted.
    #[error("the log has stopped: {0}; see the server's log, repair the disk and restart the server")]
    Stopped(String),
    /// Another server has taken over; this one takes nothing more.
    #[error(
        "the log takes nothing more: {0}; stop the server that is not meant to run, and start the other one \
         again"
    )]
    TakenOver(String),
    /// This record can never be appended.
    #[error("the log refuses the record: {0}")]
    Refused(String),
}
