//! Runs of jobs: what is computed for which interval, and how far it is.

use serde::{Deserialize, Serialize};

use crate::body::JsonBody;
use crate::time::Timestamp;

/// What a run computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobKind {
    /// A SQL job of a pipeline.
    Sql,
    /// A frame of a pipeline.
    Frame,
    /// Training of a model.
    Train,
    /// Predictions of a model.
    Predict,
    /// Upkeep of the lake's tables.
    Maintain,
}

impl JobKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Sql, Self::Frame, Self::Train, Self::Predict, Self::Maintain];

    /// The name used in JSON and in the lake.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sql => "sql",
            Self::Frame => "frame",
            Self::Train => "train",
            Self::Predict => "predict",
            Self::Maintain => "maintain",
        }
    }
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum RunState {
    Queued,
    Running,
    Succeeded,
    Failed,
    Cancelled,
}

impl JobKind {
    /// Whether a run writes the rows of its interval to a table, where they stay as they are: no part of an
    /// interval may be computed twice.
    #[must_use]
    pub const fn writes_rows(self) -> bool {
        match self {
            Self::Sql | Self::Frame => true,
            Self::Train | Self::Predict | Self::Maintain => false,
        }
    }
}

impl RunState {
    /// The name used in JSON and in the lake.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether the run will change no more.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

/// One state of one execution of a job for one data interval. The newest record of a run is its present
/// state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobRun {
    /// Names the run; made of job, interval and attempt.
    pub run: String,
    /// The job's name; `train:MODEL` and `predict:MODEL` for models.
    pub job: String,
    /// What it computes.
    pub kind: JobKind,
    /// How far it is.
    pub state: RunState,
    /// Start of the data interval, inclusive.
    pub from: Timestamp,
    /// End of the data interval, exclusive.
    pub to: Timestamp,
    /// When this state was reached, by the server's clock.
    pub time: Timestamp,
    /// What started it: `schedule`, `catch-up`, `request`.
    pub trigger: String,
    /// Rows written, models trained or assets predicted, once it succeeded.
    pub rows: Option<u64>,
    /// Why it failed, and what to do.
    pub error: Option<String>,
    /// What a person may want to know of it, such as a model's metrics, as JSON.
    pub details: Option<String>,
}

impl JsonBody for JobRun {
    const NAME: &'static str = "job_run";
    const TABLE: Option<&'static str> = Some("job_runs");
}
