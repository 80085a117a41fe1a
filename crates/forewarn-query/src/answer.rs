//! An answer: rows that stream from the threads of queries to who asked, in the form they asked for.
//!
//! Between the two stands a channel with room for very few batches. A reader that is slow slows the query
//! down; a reader that goes ends it at once, wherever it is.

mod encode;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use forewarn_lake::{ResultSet, Snapshot};
use futures::{StreamExt as _, stream};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::Instant;

pub use self::encode::Form;
use crate::error::QueryError;
use crate::rows;
use crate::statement::{Planned, explain};

/// Batches that may wait to be read.
const WAITING_BATCHES: usize = 2;
/// A reader that takes nothing for so long has its query ended, as others wait for their turn.
const STALLED: Duration = Duration::from_secs(10);

/// What passes from the threads of queries to a reader. A channel that closes before [`Part::End`] means that
/// the query broke off, and its rows are not all.
#[derive(Debug)]
enum Part {
    Rows(RecordBatch),
    End,
}

type Sender = mpsc::Sender<Result<Part, QueryError>>;

/// A place in the line and a turn, held until the query has ended.
pub(crate) type Turn = (OwnedSemaphorePermit, OwnedSemaphorePermit);

/// What one query may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) max_rows: usize,
    pub(crate) max_bytes: u64,
    pub(crate) timeout: Duration,
    pub(crate) started: Instant,
}

/// The rows of an answer, as they are computed.
#[derive(Debug)]
pub struct Answer {
    schema: SchemaRef,
    parts: mpsc::Receiver<Result<Part, QueryError>>,
    ended: bool,
    rows_left: usize,
    max_bytes: u64,
    cut: Arc<AtomicBool>,
}

/// Whether an answer turned out to have more rows than the query was allowed.
#[derive(Debug, Clone)]
pub struct Truncation(Arc<AtomicBool>);

impl Truncation {
    /// It did.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Starts to compute what was planned.
pub(crate) fn start(
    runtime: &Handle,
    planned: Planned,
    limits: Limits,
    turn: Turn,
    snapshot: Snapshot,
) -> Answer {
    let (sender, parts) = mpsc::channel(WAITING_BATCHES);
    let schema = planned.schema();
    runtime.spawn(async move {
        let _turn = turn;
        let deadline = limits.started + limits.timeout;
        let work = compute(planned, &sender, snapshot);
        tokio::select! {
            biased;
            // Nobody reads any more: the work is dropped, and with it all its tasks.
            () = sender.closed() => {}
            done = tokio::time::timeout_at(deadline, work) => {
                let last = match done {
                    Ok(Ok(())) => Ok(Part::End),
                    Ok(Err(error)) => Err(error),
                    Err(_) => Err(QueryError::Timeout(limits.timeout.as_secs())),
                };
                // A reader that goes now does not need it.
                let _ = tokio::time::timeout(STALLED, sender.send(last)).await;
            }
        }
    });
    Answer {
        schema,
        parts,
        ended: false,
        rows_left: limits.max_rows,
        max_bytes: limits.max_bytes,
        cut: Arc::default(),
    }
}

async fn compute(planned: Planned, sender: &Sender, snapshot: Snapshot) -> Result<(), QueryError> {
    let Planned { plan, context, scanned } = planned;
    let mut stream = execute_stream(Arc::clone(&plan) as Arc<dyn ExecutionPlan>, context)
        .map_err(|error| explain(&error, None))?;
    while let Some(batch) = stream.next().await {
        let batch = match batch {
            Ok(batch) => batch,
            Err(error) => {
                drop(stream);
                return Err(scanned.or_damage(&snapshot, explain(&error, None)).await);
            }
        };
        match tokio::time::timeout(STALLED, sender.send(Ok(Part::Rows(batch)))).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => break,
            Err(_) => {
                return Err(QueryError::Query(format!(
                    "the answer was not read for {} s, and the query was ended",
                    STALLED.as_secs()
                )));
            }
        }
    }
    Ok(())
}

impl Answer {
    /// The columns.
    #[must_use]
    pub const fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Whether there were more rows than the query was allowed. It is known once the last batch is taken.
    #[must_use]
    pub fn truncated(&self) -> bool {
        self.cut.load(Ordering::Relaxed)
    }

    /// The next rows; none after the last.
    ///
    /// # Errors
    /// What went wrong while they were computed. Nothing comes after an error.
    pub async fn next(&mut self) -> Result<Option<RecordBatch>, QueryError> {
        loop {
            if self.ended {
                return Ok(None);
            }
            let batch = match self.parts.recv().await {
                Some(Ok(Part::Rows(batch))) => batch,
                Some(Ok(Part::End)) => {
                    self.ended = true;
                    return Ok(None);
                }
                Some(Err(error)) => {
                    self.ended = true;
                    return Err(error);
                }
                None => return Err(QueryError::Failed("a thread of the query broke off".into())),
            };
            if batch.num_rows() == 0 {
                continue;
            }
            if self.rows_left == 0 {
                self.stop();
                return Ok(None);
            }
            let rows = batch.num_rows().min(self.rows_left);
            self.rows_left -= rows;
            if rows < batch.num_rows() {
                self.stop();
            }
            return Ok(Some(batch.slice(0, rows)));
        }
    }

    /// There are more rows than are wanted.
    fn stop(&mut self) {
        self.cut.store(true, Ordering::Relaxed);
        self.ended = true;
        self.parts.close();
    }

    /// Tells, also once the answer is being encoded, whether it turned out to be truncated.
    #[must_use]
    pub fn truncation(&self) -> Truncation {
        Truncation(Arc::clone(&self.cut))
    }

    /// All rows in memory, in the lake's own types: for jobs and the server itself.
    ///
    /// # Errors
    /// As [`Self::next`]; [`QueryError::Query`] if two columns have the same name.
    pub async fn collect(mut self) -> Result<ResultSet, QueryError> {
        let mut found = rows::Rows::new(&self.schema);
        while let Some(batch) = self.next().await? {
            found.push(&batch)?;
        }
        found.finish(self.truncated())
    }

    /// The answer in `form`, piece by piece.
    pub fn encoded(self, form: Form) -> impl stream::Stream<Item = Result<bytes::Bytes, QueryError>> + Send {
        encode::stream(self, form)
    }
}
