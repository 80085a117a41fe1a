//! What can go wrong with a snapshot. Nothing else in the engine fails: bad input becomes a problem in
//! [`crate::Actions`].

/// Why a snapshot was not written or not taken.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The state could not be written.
    #[error("cannot write the engine's snapshot: {0}")]
    Write(#[from] rmp_serde::encode::Error),
    /// The bytes are no snapshot.
    #[error("these bytes are no engine snapshot: {0}; restore the data directory from a backup")]
    NotASnapshot(String),
    /// The snapshot was written by another version of the program.
    #[error(
        "the engine snapshot has version {found}, this program knows {known}; run the program that wrote it"
    )]
    UnknownVersion {
        /// The version of the snapshot.
        found: u8,
        /// The version this program writes.
        known: u8,
    },
}
