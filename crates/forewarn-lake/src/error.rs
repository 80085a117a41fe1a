//! What can go wrong in the lake, by what the caller can do about it.

/// Why the lake refused or failed. [`LakeError::is_callers_mistake`] and [`LakeError::is_retryable`] say what
/// the caller can do.
#[derive(Debug, thiserror::Error)]
pub enum LakeError {
    /// The configured URL names no usable store.
    #[error("lake {url}: {problem}")]
    Url {
        /// The URL as configured.
        url: String,
        /// What is wrong and what to write.
        problem: String,
    },
    /// The object store failed; trying again may help.
    #[error("the lake's store failed while {action}: {problem}; check that it can be reached and written")]
    Store {
        /// What was being done.
        action: String,
        /// What the store said.
        problem: String,
    },
    /// A Delta table could not be read or written.
    #[error("table {table} of the lake: {problem}")]
    Table {
        /// The table.
        table: String,
        /// What happened.
        problem: String,
    },
    /// Rows do not fit the table they are meant for.
    #[error(
        "table {table} of the lake has other columns than the rows: {problem}; write to another table or \
         change the query"
    )]
    Schema {
        /// The table.
        table: String,
        /// Which column differs and how.
        problem: String,
    },
    /// The log and the lake do not belong together.
    #[error("the lake and the log do not belong together: {0}")]
    Mismatch(String),
    /// Another server has taken the lake over. What this one would write would be mixed with its.
    #[error(
        "this server writes nothing more to the lake: {0}; stop the server that is not meant to run, and \
         start the other one again"
    )]
    TakenOver(String),
    /// The log failed.
    #[error("the lake cannot follow the log: {0}")]
    Log(String),
    /// The query is not one the lake answers.
    #[error("{0}")]
    Query(String),
    /// The answer would be larger than allowed.
    #[error("{0}")]
    TooLarge(String),
    /// The query took too long.
    #[error("the query took longer than {0} s and was given up; narrow its time range or raise the timeout")]
    Timeout(u64),
    /// What was stored is not visible in time, or the stage that feeds the lake can take in no more until the
    /// store works again.
    #[error("the lake is behind: {0}; nothing is lost, try again once the store can be reached and written")]
    Behind(String),
    /// The stage that feeds the lake is not running.
    #[error("the lake is not being fed: {0}")]
    Stopped(String),
}

impl LakeError {
    /// Whether the caller asked for something that cannot be: a bad query, too large an answer, rows that do
    /// not fit.
    #[must_use]
    pub const fn is_callers_mistake(&self) -> bool {
        matches!(self, Self::Query(_) | Self::TooLarge(_) | Self::Schema { .. })
    }

    /// Whether the same call may succeed later.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(
            self,
            Self::Store { .. } | Self::Table { .. } | Self::Timeout(_) | Self::Behind(_) | Self::Stopped(_)
        )
    }

    /// What the log holds did not become visible within `waited`.
    pub(crate) fn behind(waited: std::time::Duration) -> Self {
        Self::Behind(format!("it has not taken in what was stored within {} s", waited.as_secs()))
    }

    pub(crate) fn store(action: impl Into<String>, problem: impl std::fmt::Display) -> Self {
        Self::Store { action: action.into(), problem: problem.to_string() }
    }

    pub(crate) fn table(table: &str, problem: impl std::fmt::Display) -> Self {
        Self::Table { table: table.to_owned(), problem: problem.to_string() }
    }

    /// A task of the lake ended without an answer: it panicked, or the process is going down.
    pub(crate) fn cut_off(error: &tokio::task::JoinError) -> Self {
        Self::Stopped(format!("a task was cut off: {error}"))
    }
}
