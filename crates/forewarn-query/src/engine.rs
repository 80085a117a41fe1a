//! The engine: who may ask, how long, with how much, and on which threads.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use datafusion::execution::session_state::SessionState;
use forewarn_lake::Lake;
use forewarn_types::{Clock, Timestamp};
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;

use crate::answer::{self, Answer};
use crate::error::QueryError;
use crate::scope::Scope;
use crate::{guard, session, statement};

/// The most rows that one answer may have to hold for the server's own work.
const MAX_INTERNAL_ROWS: usize = 10_000_000;
/// Stack of a thread that computes queries. Memory is taken only as it is used.
const STACK_BYTES: usize = 32 << 20;

/// How much queries may take.
#[derive(Debug, Clone)]
pub struct QueryOptions {
    /// The most rows a user's query may return.
    pub max_rows: usize,
    /// The largest answer that is sent in one of the [forms](crate::Form), bytes.
    pub max_bytes: u64,
    /// The longest a user's query may take, until its last row is sent.
    pub timeout: Duration,
    /// The memory that all queries may take together, bytes.
    pub memory_bytes: u64,
    /// Where queries put what does not fit into memory; the system's folder for such files if none.
    pub spill_dir: Option<PathBuf>,
    /// The most that all queries may put there, bytes.
    pub spill_bytes: u64,
    /// Threads that compute queries.
    pub threads: usize,
    /// Users' queries that run at the same time.
    pub running: usize,
    /// Users' queries that may wait for their turn.
    pub waiting: usize,
}

impl Default for QueryOptions {
    fn default() -> Self {
        Self {
            max_rows: 100_000,
            max_bytes: 256 << 20,
            timeout: Duration::from_secs(30),
            memory_bytes: 1 << 30,
            spill_dir: None,
            spill_bytes: 32 << 30,
            threads: std::thread::available_parallelism().map_or(2, std::num::NonZero::get),
            running: 8,
            waiting: 64,
        }
    }
}

/// One question.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// One statement that reads: `SELECT`, `WITH`, `VALUES`, `EXPLAIN`, `SHOW TABLES` or `DESCRIBE`.
    pub text: String,
    /// What `:from` and `:to` stand for.
    pub params: Option<(Timestamp, Timestamp)>,
    /// The most rows wanted; the engine's own limit if none or larger.
    pub max_rows: Option<usize>,
    /// The longest it may take; the engine's own limit if none or larger.
    pub timeout: Option<Duration>,
    /// Whether the server itself asks. The engine's own limits are for users' queries; here `max_rows` and
    /// `timeout` may go beyond them, and the query does not wait for those of users.
    pub internal: bool,
    /// What of the tables it may see.
    pub scope: Scope,
}

/// Answers queries over one lake. Clones share it.
#[derive(Clone)]
pub struct QueryEngine {
    shared: Arc<Shared>,
}

struct Shared {
    lake: Lake,
    clock: Arc<dyn Clock>,
    options: QueryOptions,
    base: SessionState,
    users: Slots,
    internal: Slots,
    /// Only taken when the engine goes: a runtime must not be dropped from async code.
    runtime: Option<Runtime>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl std::fmt::Debug for QueryEngine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("QueryEngine").field("options", &self.shared.options).finish_non_exhaustive()
    }
}

/// Turns of queries.
struct Slots {
    running: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

impl Slots {
    fn new(running: usize, waiting: usize) -> Self {
        Self {
            running: Arc::new(Semaphore::new(running.max(1))),
            waiting: Arc::new(Semaphore::new(running.max(1) + waiting)),
        }
    }

    /// Waits for a turn, which ends when what comes back is dropped.
    async fn take(&self) -> Result<answer::Turn, QueryError> {
        let closed = || QueryError::Failed("it is shutting down".into());
        let full = |_| QueryError::Busy("the line of waiting queries is full".into());
        let place = Arc::clone(&self.waiting).try_acquire_owned().map_err(full)?;
        let turn = Arc::clone(&self.running).acquire_owned().await.map_err(|_| closed())?;
        Ok((place, turn))
    }
}

/// Checks what can be told of a query without the tables: that it is one reading statement and not too
/// large, and that `:from` and `:to` are its only parameters.
///
/// # Errors
/// [`QueryError::Query`] or [`QueryError::TooLarge`] says what is wrong.
pub fn check(text: &str) -> Result<(), QueryError> {
    let text = text.to_owned();
    guard::on_deep_stack(move || statement::parse(&text, true).map(|_| ()))?
}

impl QueryEngine {
    /// An engine for queries over `lake`.
    ///
    /// # Errors
    /// [`QueryError::Failed`] if its threads or its folder for large queries cannot be had.
    pub fn new(lake: Lake, clock: Arc<dyn Clock>, options: QueryOptions) -> Result<Self, QueryError> {
        let failed = |error: &dyn std::fmt::Display| QueryError::Failed(error.to_string());
        if let Some(folder) = &options.spill_dir {
            // What an earlier run of the program has left is of no use.
            let _ = std::fs::remove_dir_all(folder);
            std::fs::create_dir_all(folder).map_err(|error| failed(&error))?;
        }
        let base = session::base(&lake, &options).map_err(|error| failed(&error))?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(options.threads.max(1))
            .thread_stack_size(STACK_BYTES)
            .thread_name("forewarn-sql")
            .enable_all()
            .build()
            .map_err(|error| failed(&error))?;
        let users = Slots::new(options.running, options.waiting);
        let internal = Slots::new(2, 1_000);
        let runtime = Some(runtime);
        Ok(Self { shared: Arc::new(Shared { lake, clock, options, base, users, internal, runtime }) })
    }

    /// The lake that is asked.
    #[must_use]
    pub fn lake(&self) -> &Lake {
        &self.shared.lake
    }

    /// Answers `query` over all that the log held durably when this was called, each row once. Dropping the
    /// answer ends the query.
    ///
    /// # Errors
    /// As [`QueryError`] says. What goes wrong while rows are computed is told by the answer.
    pub async fn run(&self, query: Query) -> Result<Answer, QueryError> {
        let shared = &self.shared;
        let limits = self.limits(&query);
        let started = tokio::time::Instant::now();
        let planned = async {
            let slots = if query.internal { &shared.internal } else { &shared.users };
            let (text, params, scope) = (query.text, query.params, query.scope);
            let with_params = params.is_some();
            // Refuse what can be refused before anything is waited for.
            let parsed = guard::off_thread(move || statement::parse(&text, with_params)).await??;
            let turn = slots.take().await?;
            let snapshot = shared.lake.snapshot().await?;
            let now = shared.clock.now();
            let state = session::over(&shared.base, snapshot.clone(), scope)
                .map_err(|error| QueryError::Failed(error.to_string()))?;
            let planned = guard::off_thread(move || statement::plan(&state, parsed, params, now)).await??;
            Ok::<_, QueryError>((turn, snapshot, planned))
        };
        let (turn, snapshot, planned) = tokio::time::timeout(limits.timeout, planned)
            .await
            .map_err(|_| self.too_slow(limits.timeout))??;
        let runtime =
            shared.runtime.as_ref().ok_or_else(|| QueryError::Failed("it is shutting down".into()))?;
        Ok(answer::start(runtime.handle(), planned, answer::Limits { started, ..limits }, turn, snapshot))
    }

    fn limits(&self, query: &Query) -> answer::Limits {
        let options = &self.shared.options;
        let (max_rows, timeout) = if query.internal {
            (query.max_rows.unwrap_or(MAX_INTERNAL_ROWS), query.timeout.unwrap_or(options.timeout))
        } else {
            let rows = query.max_rows.map_or(options.max_rows, |wanted| wanted.min(options.max_rows));
            (rows, query.timeout.map_or(options.timeout, |wanted| wanted.min(options.timeout)))
        };
        answer::Limits {
            max_rows,
            max_bytes: options.max_bytes,
            timeout,
            started: tokio::time::Instant::now(),
        }
    }

    /// Why nothing came in time: the lake may be behind the log, which is not the query's fault.
    fn too_slow(&self, waited: Duration) -> QueryError {
        self.shared
            .lake
            .behind_after(waited)
            .map_or_else(|| QueryError::Timeout(waited.as_secs()), QueryError::Lake)
    }
}
