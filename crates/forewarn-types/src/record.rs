//! What the log holds. Each kind is branched to a table of its own in the lake.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{AlertTransition, AssetPath, OperatorCommand, ReadingBatch, SeriesDef, SignalName, Timestamp};

/// One entry of the log.
#[derive(Debug, Clone, PartialEq)]
pub enum Record {
    /// Readings, as columns.
    Readings(ReadingBatch),
    /// New series; stands before the first batch that uses them.
    Series(Vec<SeriesDef>),
    /// The server's clock says it is this late. The only way wall-clock time reaches the engine.
    Tick(Timestamp),
    /// The definitions in force from here on.
    Definitions(Definitions),
    /// An operator did something.
    Command(OperatorCommand),
    /// An alert changed.
    Alert(AlertTransition),
    /// A job's run changed.
    JobRun(JobRun),
    /// A model spoke.
    Prediction(Prediction),
    /// A machine was installed, repaired, failed or was retired.
    LifeEvent(LifeEvent),
}

/// The kind of a [`Record`], as one byte on disk. Numbers are never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
#[expect(missing_docs, reason = "each is documented on the variant of Record with the same name")]
pub enum RecordKind {
    Readings = 1,
    Series = 2,
    Tick = 3,
    Definitions = 4,
    Command = 5,
    Alert = 6,
    JobRun = 7,
    Prediction = 8,
    LifeEvent = 9,
}

impl RecordKind {
    /// A name for people.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Readings => "readings",
            Self::Series => "series",
            Self::Tick => "tick",
            Self::Definitions => "definitions",
            Self::Command => "command",
            Self::Alert => "alert",
            Self::JobRun => "job_run",
            Self::Prediction => "prediction",
            Self::LifeEvent => "life_event",
        }
    }
}

impl Record {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> RecordKind {
        match self {
            Self::Readings(_) => RecordKind::Readings,
            Self::Series(_) => RecordKind::Series,
            Self::Tick(_) => RecordKind::Tick,
            Self::Definitions(_) => RecordKind::Definitions,
            Self::Command(_) => RecordKind::Command,
            Self::Alert(_) => RecordKind::Alert,
            Self::JobRun(_) => RecordKind::JobRun,
            Self::Prediction(_) => RecordKind::Prediction,
            Self::LifeEvent(_) => RecordKind::LifeEvent,
        }
    }
}

/// The pipeline files in force, as texts: what the engine compiles and what an alert's evidence refers to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Definitions {
    /// The files, by path.
    pub files: Vec<DefinitionFile>,
}

/// One definition file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DefinitionFile {
    /// Path relative to the pipelines folder, for messages.
    pub path: String,
    /// The YAML text.
    pub text: Arc<str>,
}

/// What a run computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobKind {
    /// A SQL job of a pipeline.
    Sql,
    /// Training of a model.
    Train,
    /// Predictions of a model.
    Predict,
    /// Upkeep of the lake's tables.
    Maintain,
}

impl JobKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Sql, Self::Train, Self::Predict, Self::Maintain];

    /// The name used in JSON and in the lake.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sql => "sql",
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

/// A model version's statement about one asset at one time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// The model.
    pub model: String,
    /// Its version.
    pub version: String,
    /// The asset.
    pub asset: AssetPath,
    /// Event time of the newest reading it rests on.
    pub time: Timestamp,
    /// When it was made, by the server's clock.
    pub made: Timestamp,
    /// Unit of the quantiles: `hours`, `days`, `cycles`.
    pub unit: String,
    /// Time to failure: lower end of the interval.
    pub p05: f64,
    /// Time to failure: the point prediction.
    pub p50: f64,
    /// Time to failure: upper end of the interval.
    pub p95: f64,
    /// The target's cap, in `unit`: at `p50` near it, failure is "at least this far".
    pub cap: f64,
    /// Which signals moved the prediction most, largest first.
    pub contributions: Vec<Contribution>,
    /// Whether the inputs lie outside what the model was trained on.
    pub out_of_distribution: bool,
    /// When the present life of the asset began.
    pub life_started: Timestamp,
    /// Event time of the oldest reading it rests on: from the readings from here to `time`, and the beginning
    /// of the life, the same version predicts the same again. Older records do not say.
    #[serde(default)]
    pub from: Option<Timestamp>,
    /// The share of truths that the interval from `p05` to `p95` is made to hold, such as 0.9. Older records
    /// do not say.
    #[serde(default)]
    pub coverage: Option<f64>,
}

/// A signal's part in a prediction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Contribution {
    /// The signal's name, or `age`.
    pub signal: SignalName,
    /// Signed shift of the prediction, in its unit: negative brings failure closer.
    pub weight: f64,
}

/// What happened to a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LifeEventKind {
    /// Put into service: a life begins.
    Installed,
    /// Made good: a life ends unfailed, a new one begins.
    Repaired,
    /// Failed: the life ends.
    Failed,
    /// Taken out of service: the life ends unfailed.
    Retired,
}

impl LifeEventKind {
    /// The name used in JSON and in the lake.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Installed => "installed",
            Self::Repaired => "repaired",
            Self::Failed => "failed",
            Self::Retired => "retired",
        }
    }

    /// The kind of that name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Installed, Self::Repaired, Self::Failed, Self::Retired]
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }
}

/// A label that training needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LifeEvent {
    /// The asset.
    pub asset: AssetPath,
    /// What happened.
    pub event: LifeEventKind,
    /// When, in event time.
    pub time: Timestamp,
    /// Who says so.
    pub actor: Option<String>,
    /// A remark.
    pub comment: Option<String>,
}
