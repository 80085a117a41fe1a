//! Why a source cannot run. A broken connection is no error: the source tries again, and its status says so.

use forewarn_ingest::IngestError;

/// Why a source could not be set up, or has ended.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A source is set up in a way that cannot work. Correct its definition.
    #[error("source {name}: {problem}")]
    Setup {
        /// Which source.
        name: String,
        /// What is wrong, and what to write instead.
        problem: String,
    },
    /// The log takes nothing more. Restart the server once its disk is repaired.
    #[error("source {name} has ended: its readings cannot be stored")]
    Intake {
        /// Which source.
        name: String,
        /// Why not.
        source: IngestError,
    },
    /// A source has stopped in the middle of its work, which is a fault of the program.
    #[error("a source broke off: {0}; restart the server and report this")]
    BrokeOff(String),
}
