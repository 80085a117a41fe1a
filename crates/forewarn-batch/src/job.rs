//! What the scheduler is given and what it tells: jobs, their work, their status.

use std::sync::Arc;

use forewarn_spec::CatchUp;
use forewarn_types::{BoxFuture, JobKind, JobRun, Timestamp};
use serde::Serialize;

use crate::Trigger;

/// What a run is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunContext {
    /// The run's id.
    pub run: String,
    /// Start of the data interval, inclusive.
    pub from: Timestamp,
    /// End of the data interval, exclusive.
    pub to: Timestamp,
}

/// What a run that succeeded has done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Rows written, models trained or assets predicted.
    pub rows: u64,
    /// What a person may want to know of it, as JSON.
    pub details: Option<String>,
}

/// The work of a job. A run may happen twice for one interval (a crash, a retry), so the work must bear that.
pub trait Work: Send + Sync {
    /// Does the work for one data interval. It is dropped at its next await when the run is cancelled.
    ///
    /// # Errors
    /// Why it failed and what to do, for a person to read.
    fn run(&self, context: RunContext) -> BoxFuture<'_, Result<Outcome, String>>;

    /// All that decides what it does, as a text to be compared: two of the same text do the same.
    fn definition(&self) -> String {
        String::new()
    }
}

/// What a job does about readings that come late.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Late {
    /// So long after its end an interval is run, µs: what comes until then is in it.
    pub delay_us: i64,
    /// Intervals that ended no longer ago than this are run again when readings of theirs have come since,
    /// µs. 0: none are.
    pub recompute_us: i64,
}

/// Work, and when it is done.
#[derive(Clone)]
pub struct Job {
    /// Its name; unique.
    pub name: String,
    /// What it computes.
    pub kind: JobKind,
    /// What starts it.
    pub trigger: Trigger,
    /// What happens to intervals that passed while the server was down.
    pub catch_up: CatchUp,
    /// What is done about readings that come late.
    pub late: Late,
    /// What it does, in a sentence.
    pub description: String,
    /// The work.
    pub work: Arc<dyn Work>,
}

impl Job {
    /// Whether it is defined like `other`.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.name == other.name
            && self.kind == other.kind
            && self.trigger == other.trigger
            && self.catch_up == other.catch_up
            && self.late == other.late
            && self.description == other.description
            && self.work.definition() == other.work.definition()
    }
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Job")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .field("trigger", &self.trigger)
            .finish_non_exhaustive()
    }
}

/// How a job stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JobStatus {
    /// Its name.
    pub name: String,
    /// What it computes.
    pub kind: JobKind,
    /// What it does, in a sentence.
    pub description: String,
    /// Its schedule, for a person to read.
    pub schedule: String,
    /// `all`, `latest` or `none`.
    pub catch_up: &'static str,
    /// When it runs next, by its schedule.
    pub next: Option<Timestamp>,
    /// The next five times at which it runs, by its schedule.
    pub next_times: Vec<Timestamp>,
    /// So long after its end an interval is run, such as `10m`.
    pub delay: String,
    /// Intervals that ended no longer ago than this are run again when readings of theirs come late, such as
    /// `3d`.
    pub recompute: Option<String>,
    /// The intervals of its schedule are done up to here; `None` for a job without schedule.
    pub covered_to: Option<Timestamp>,
    /// The run that is at work.
    pub running: Option<String>,
    /// How many runs wait.
    pub queued: usize,
    /// The newest run.
    pub last: Option<JobRun>,
    /// What an operator should know, such as intervals that were left out, or a schedule that may not mean
    /// what it seems to.
    pub note: Option<String>,
}
