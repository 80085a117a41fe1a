//! What can go wrong with the API as a stage. What goes wrong with one request is a
//! [`crate::Problem`], which the client gets as the answer.

/// Why the API could not be built.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The options cannot work.
    #[error("the API cannot be set up: {0}")]
    Options(String),
}
