//! Why a file cannot be imported.

/// A file cannot be read, or the mapping does not fit it. Correct what is named and import it again.
#[derive(Debug, thiserror::Error)]
#[error("cannot import {file}: {problem}")]
pub struct ImportError {
    /// The file.
    pub file: String,
    /// What is wrong, and what to do.
    pub problem: String,
}
