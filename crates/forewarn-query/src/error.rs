//! What can be wrong with a query, by what its author can do about it.

use forewarn_lake::LakeError;

/// Why a query was not answered.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The query is wrong, or asks for what SQL here does not do. The text says what to write instead.
    #[error("{0}")]
    Query(String),
    /// The query is larger, or needs more, than one query may. The text names the limit.
    #[error("{0}")]
    TooLarge(String),
    /// The query took too long.
    #[error(
        "the query took longer than {0} s and was stopped; narrow its time range, or raise limits.max_sql"
    )]
    Timeout(u64),
    /// Too many queries are running or waiting.
    #[error("too many queries are running: {0}; try again in a moment")]
    Busy(String),
    /// The lake could not be read.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// The engine for queries failed, or is shutting down.
    #[error("the query could not be run: {0}")]
    Failed(String),
}

impl QueryError {
    /// Whether the query itself has to change.
    #[must_use]
    pub const fn is_callers_mistake(&self) -> bool {
        match self {
            Self::Query(_) | Self::TooLarge(_) => true,
            Self::Lake(error) => error.is_callers_mistake(),
            Self::Timeout(_) | Self::Busy(_) | Self::Failed(_) => false,
        }
    }

    /// Whether the same query may succeed later.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Timeout(_) | Self::Busy(_) => true,
            Self::Lake(error) => error.is_retryable(),
            Self::Query(_) | Self::TooLarge(_) | Self::Failed(_) => false,
        }
    }
}
