//! What can go wrong with the log's files. Senders see [`forewarn_types::JournalError`] instead, which says
//! whether to try again.

use std::io;
use std::path::{Path, PathBuf};

use forewarn_types::Offset;

/// Why the log could not be opened or read.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The options contradict one another.
    #[error("the log's options cannot work: {0}")]
    Options(String),
    /// Another process has the folder.
    #[error(
        "the log in {0} is in use by another process; stop that one, or give this one a data_dir of its own"
    )]
    Locked(PathBuf),
    /// The disk failed.
    #[error(
        "cannot {action} {path}: {source}; check the disk's space and health and the folder's permissions"
    )]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file does not hold what was written to it.
    #[error(
        "the log is damaged: {path} at byte {position}: {problem}; restore this file from a copy of the \
         disk, or move the log's folder away to start with an empty log (what the lake has not taken in by \
         then is lost)"
    )]
    Corrupt {
        /// Which file.
        path: PathBuf,
        /// Where in it, in bytes from its beginning.
        position: u64,
        /// What is wrong there.
        problem: String,
    },
    /// The records asked for are gone.
    #[error(
        "offset {from} has been trimmed, the log starts at {start}; rebuild this consumer from the lake or \
         from a newer snapshot"
    )]
    Trimmed {
        /// The offset asked for.
        from: Offset,
        /// The oldest that is left.
        start: Offset,
    },
    /// A consumer claims to have read what was never written.
    #[error(
        "consumer {consumer} stands at offset {offset}, but the log ends at {end}: they do not belong \
         together; point the server at the log (data_dir) that this consumer has read"
    )]
    Beyond {
        /// The consumer.
        consumer: String,
        /// Where it claims to stand.
        offset: Offset,
        /// Where the log ends.
        end: Offset,
    },
    /// Part of a log could not be taken out of it, or put into a new one.
    #[error("records cannot be copied from one log to another: {0}")]
    Transfer(String),
    /// The log takes and gives no more records.
    #[error("the log has stopped: {0}; see the server's log, repair the disk and restart the server")]
    Stopped(String),
}

impl LogError {
    /// Adds what was tried, and on which file, to what the system said.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, path: path.to_owned(), source }
    }

    /// Whether the disk merely has no room, or the process may open no more files: both may change, and
    /// nothing was written.
    pub(crate) fn is_full(&self) -> bool {
        matches!(self, Self::Io { source, .. } if is_full(source) || is_out_of_files(source))
    }

    /// Whether the process may open no more files.
    pub(crate) fn is_out_of_files(&self) -> bool {
        matches!(self, Self::Io { source, .. } if is_out_of_files(source))
    }

    pub(crate) fn corrupt(path: &Path, position: u64, problem: impl Into<String>) -> Self {
        Self::Corrupt { path: path.to_owned(), position, problem: problem.into() }
    }
}

/// Whether the process, or the whole system, may open no more files for now.
fn is_out_of_files(error: &io::Error) -> bool {
    /// `ENFILE` and `EMFILE`, alike on all Unix systems.
    const OUT_OF_FILES: [i32; 2] = [23, 24];
    error.raw_os_error().is_some_and(|code| OUT_OF_FILES.contains(&code))
}

/// Whether there is merely no room left, which may change.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
