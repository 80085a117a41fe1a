//! What can go wrong with folded state, by what the caller can do about it.

use std::error::Error;
use std::fmt::Write as _;
use std::path::PathBuf;

use forewarn_ingest::IngestError;
use forewarn_lake::LakeError;
use forewarn_log::LogError;
use forewarn_types::{JournalError, Offset};

/// Why state could not be folded, kept or restored. [`StateError::is_retryable`] says whether the same call
/// may succeed later.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// A fold's state could not be written, or its bytes could not be read.
    #[error("the state of the fold {fold} cannot be {action}")]
    Fold {
        /// The fold.
        fold: &'static str,
        /// What was tried.
        action: &'static str,
        /// Why not.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// Bytes that are no snapshot, or one that does not fit this log or this program.
    #[error("the snapshot cannot be used: {0}")]
    Snapshot(String),
    /// The log begins behind every snapshot that can be used.
    #[error(
        "none of the snapshots in {place} can be used (see the warnings), and the log begins at offset \
         {start}, so the state cannot be computed from it: put the folder back from a copy, or run the \
         version of forewarn that wrote the snapshots; to start with nothing, give the server another \
         data_dir and another lake (the old lake stays readable)"
    )]
    NoSnapshot {
        /// Where the snapshots are.
        place: String,
        /// Where the log begins.
        start: Offset,
    },
    /// A file of an earlier release's snapshots.
    #[error("cannot {action} {path}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The lake's store failed.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// The log cannot be read.
    #[error("the real-time path cannot read the log")]
    Log(#[from] LogError),
    /// The log did not take an alert.
    #[error("the log does not take alerts")]
    Journal(#[from] JournalError),
    /// What the intake knows does not fit the log.
    #[error(transparent)]
    Intake(#[from] IngestError),
    /// A task ended without an answer: it panicked, or the process is going down.
    #[error("saving a snapshot was cut off")]
    CutOff(#[from] tokio::task::JoinError),
}

impl StateError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Lake(error) => error.is_retryable(),
            Self::Journal(error) => matches!(error, JournalError::Full(_)),
            _ => false,
        }
    }

    /// The bytes of the state of `fold` could not be read.
    pub fn read(fold: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Fold { fold, action: "read", source: source.into() }
    }

    /// The state of `fold` could not be written.
    pub fn written(fold: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Fold { fold, action: "written", source: source.into() }
    }

    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { action, path: path.into(), source }
    }

    /// The error and what caused it, in one line for the server's log.
    #[must_use]
    pub fn in_full(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            // Writing to a string cannot fail.
            let _ = write!(text, ": {error}");
            cause = error.source();
        }
        text
    }
}
