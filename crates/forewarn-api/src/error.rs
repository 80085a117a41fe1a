//! What can go wrong with the API as a stage. What goes wrong with one request is a
//! [`crate::Problem`], which the client gets as the answer.

/// Why the API could not be built or run.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The options cannot work.
    #[error("the API cannot be set up: {0}")]
    Options(String),
    /// A snapshot of the read model cannot be written or read.
    #[error(
        "the snapshot of the read model cannot be used: {0}; \
         use an older snapshot, or the release that wrote this one"
    )]
    Snapshot(String),
    /// The listening socket failed.
    #[error("the HTTP server has failed: {0}")]
    Serve(#[from] std::io::Error),
}
