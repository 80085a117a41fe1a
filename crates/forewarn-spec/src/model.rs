//! The checked definitions: what the rest of the system is given. Everything here has been validated; nothing
//! here is text that still needs to be understood.

pub(crate) mod auth;
mod contact;
mod http;
mod route;

use std::fmt;
use std::path::PathBuf;

use chrono_tz::Tz;
use forewarn_types::{SecretUrl, Severity, SignalName, Timestamp};

pub use self::auth::{AuthConfig, AuthMode};
use crate::algorithm::Algorithm;
use crate::detector::Detector;
use crate::diagnostics::Diagnostics;
use crate::expr::Expr;
use crate::frame::Frame;
use crate::glob::AssetGlob;

pub use self::contact::{Contact, Destination, HttpKey, MqttTarget, NotifyConfig, Rotation, Smtp, Webhook};
pub use self::http::{AllowedHost, ConnectionLimits, HttpConfig, TlsFiles};
pub use self::route::{Escalation, GroupKey, Grouping, QuietHours, Route};

/// All definitions of a server.
#[derive(Debug, Clone, Default)]
pub struct Definitions {
    /// The pipelines, by file name.
    pub pipelines: Vec<Pipeline>,
    /// The models, by file name.
    pub models: Vec<Model>,
    /// What loads and is probably not meant.
    pub warnings: Diagnostics,
}

/// One file of the pipelines folder.
#[derive(Debug, Clone)]
pub struct Pipeline {
    /// Its name; unique.
    pub name: String,
    /// Where readings come from, beside HTTP.
    pub sources: Vec<Source>,
    /// Declared and derived signals.
    pub signals: Vec<Signal>,
    /// The rules; names are unique over all pipelines.
    pub rules: Vec<Rule>,
    /// Where alerts are sent.
    pub routes: Vec<Route>,
    /// The SQL jobs; names of jobs are unique over all pipelines.
    pub jobs: Vec<SqlJob>,
    /// The frame jobs.
    pub frames: Vec<FrameJob>,
}

/// A place readings come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// An MQTT broker.
    Mqtt(MqttSource),
}

impl Source {
    /// Its kind, as it is written in a pipeline.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Mqtt(_) => "mqtt",
        }
    }

    /// What an operator knows it by.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Mqtt(source) => &source.client_id,
        }
    }
}

/// A subscription at an MQTT 3.1.1 broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MqttSource {
    /// `mqtt://` or `mqtts://`, with host, optional port and optional user and password.
    pub url: SecretUrl,
    /// Client identifier; stable, so that the broker keeps the session while Forewarn is down.
    pub client_id: String,
    /// Topic filter with `+` and `#`.
    pub topic: String,
    /// Template of the asset path; `{n}` is the n-th level of the topic that a wildcard took, from 1.
    pub asset: String,
    /// Template of the signal name.
    pub signal: String,
    /// How a payload is read.
    pub payload: MqttPayload,
    /// QoS of the subscription: 0, 1 or 2 (received as at most 1).
    pub qos: u8,
    /// How `mqtts` proves who is who.
    pub tls: MqttTls,
    /// The largest packet that is taken from the broker.
    pub max_packet_bytes: usize,
}

/// How the two sides of `mqtts` prove who they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MqttTls {
    /// A PEM file of the authorities that the broker's certificate may be from; `None`: those of the system.
    pub ca: Option<PathBuf>,
    /// PEM files of this client's certificate and of its key, if the broker asks for one.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// How an MQTT payload is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MqttPayload {
    /// The payload is a bare number (or `true`/`false`); its time is that of arrival.
    Number,
    /// The payload is JSON.
    Json {
        /// Path of the value: `$.v`, `$.a.b`.
        value: JsonPath,
        /// Path of the time (RFC 3339 or epoch milliseconds); `None`: that of arrival.
        time: Option<JsonPath>,
        /// Path of the quality; `None`: good.
        quality: Option<JsonPath>,
    },
}

/// A path into a JSON document: the keys from the root down (`$.a.b` is `["a", "b"]`, `$` is empty).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonPath(pub Vec<String>);

/// A signal that is declared (raw) or computed (derived).
#[derive(Debug, Clone)]
pub struct Signal {
    /// Its name.
    pub name: SignalName,
    /// Which assets have it.
    pub assets: AssetGlob,
    /// Its unit, for display.
    pub unit: Option<String>,
    /// How it is computed from other signals of the same asset; `None`: a sensor sends it.
    pub expr: Option<Expr>,
    /// How long it waits for values of one time that come in separate records, µs; 0: not at all.
    pub settle_us: i64,
}

/// A rule: a condition to watch on every asset that matches.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Its name; unique.
    pub name: SignalName,
    /// The pipeline it stands in.
    pub pipeline: String,
    /// Which assets it watches.
    pub assets: AssetGlob,
    /// What it watches for.
    pub condition: Condition,
    /// How bad it is.
    pub severity: Severity,
    /// What happens without action.
    pub consequence: Option<String>,
    /// What to do.
    pub action: Option<String>,
    /// Fingerprint of everything that decides (assets, condition), not of texts and severity: what an alert's
    /// evidence names.
    pub version: String,
}

/// How old a value may be at least, in event time, where nothing is said about it: in rules without a
/// `tolerance`, in derived signals and in detectors. One of a slow series may be three of its usual gaps old.
pub const DEFAULT_TOLERANCE_US: i64 = 5 * 60 * 1_000_000;

/// What a rule watches for. Durations are µs.
#[derive(Debug, Clone)]
pub enum Condition {
    /// An expression over signals of one asset.
    When {
        /// True: the condition holds.
        when: Expr,
        /// It must hold this long, in event time, before the alert is raised.
        hold_us: i64,
        /// True: the alert ends. `None`: when `when` is false.
        until: Option<Expr>,
        /// The end must hold this long, in event time, before the alert ends.
        clear_hold_us: i64,
        /// A value older than this, in event time, is unknown. `None`: older than five minutes and than three
        /// usual gaps of its series.
        tolerance_us: Option<i64>,
        /// How long the values of one time that come in separate records are waited for; 0: not at all.
        settle_us: i64,
    },
    /// A detector judges one series.
    Detector {
        /// The signal watched.
        signal: SignalName,
        /// How it is judged.
        detector: Detector,
    },
    /// A series has fallen silent.
    Missing {
        /// The signal watched.
        signal: SignalName,
        /// Silent for longer than this, in wall-clock time.
        longer_than_us: i64,
        /// Whether every asset must have the signal: then the count begins at once, not at the first reading.
        expected: bool,
    },
}

/// A SQL job of a pipeline.
#[derive(Debug, Clone)]
pub struct SqlJob {
    /// Its name; unique.
    pub name: String,
    /// Cron expression, five fields.
    pub schedule: String,
    /// Time zone of the schedule.
    pub timezone: Tz,
    /// The query, with `:from` and `:to` for the data interval.
    pub sql: String,
    /// The table its rows go to.
    pub into: String,
    /// What to do about intervals that passed while the server was down.
    pub catch_up: CatchUp,
    /// So long after its end an interval is run, µs.
    pub delay_us: i64,
    /// Intervals that ended no longer ago than this are run again when readings of theirs come late, µs; 0:
    /// none are.
    pub recompute_us: i64,
}

/// A frame job of a pipeline.
#[derive(Debug, Clone)]
pub struct FrameJob {
    /// Its name; unique.
    pub name: String,
    /// Cron expression, five fields.
    pub schedule: String,
    /// Time zone of the schedule.
    pub timezone: Tz,
    /// What it computes.
    pub frame: Frame,
    /// The table its rows go to.
    pub into: String,
    /// What to do about intervals that passed while the server was down.
    pub catch_up: CatchUp,
    /// How long after its end an interval is run, µs.
    pub delay_us: i64,
    /// How long after its end an interval is run again when readings of it have come late, µs; 0 if it is
    /// not.
    pub recompute_us: i64,
}

/// What a schedule does about intervals it missed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CatchUp {
    /// Run each of them, oldest first.
    #[default]
    All,
    /// Run the newest only.
    Latest,
    /// Run none of them.
    None,
}

/// One file of the models folder.
#[derive(Debug, Clone)]
pub struct Model {
    /// Its name; unique.
    pub name: String,
    /// Which assets it learns from and speaks about.
    pub assets: AssetGlob,
    /// The signals it looks at, in this order.
    pub signals: Vec<SignalName>,
    /// What is computed from them.
    pub features: Features,
    /// What is predicted.
    pub target: Target,
    /// The candidates; the best by cross-validation wins.
    pub algorithms: Vec<Algorithm>,
    /// Folds of the cross-validation, grouped by life.
    pub folds: usize,
    /// Share of true values the interval shall hold, such as 0.9.
    pub coverage: f64,
    /// When it is trained; `None`: on request only.
    pub train: Option<Schedule>,
    /// How often it predicts, µs; `None`: on request only.
    pub predict_every_us: Option<i64>,
    /// Whether a new version takes over by itself.
    pub promote: Promote,
}

/// A cron schedule in a time zone.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// Cron expression, five fields.
    pub cron: String,
    /// Its time zone.
    pub timezone: Tz,
}

/// Features of a time-to-failure model: trailing windows over rows of fixed spacing.
#[derive(Debug, Clone)]
pub struct Features {
    /// Spacing of the rows, µs.
    pub every_us: i64,
    /// Trailing windows, µs, ascending, each at least `every_us`.
    pub windows_us: Vec<i64>,
    /// What is computed over the windows.
    pub statistics: Vec<Statistic>,
    /// Whether the age of the life is a feature (it assumes a healthy start and a full history).
    pub age: bool,
}

/// A statistic over a trailing window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Statistic {
    Last,
    Mean,
    Std,
    Min,
    Max,
    /// Least-squares slope times the window's length.
    Slope,
}

/// What a time-to-failure model predicts.
#[derive(Debug, Clone)]
pub struct Target {
    /// Unit of predictions.
    pub unit: TimeUnit,
    /// Longest time to failure that is told apart, in `unit`.
    pub cap: f64,
}

/// A unit of time to failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeUnit {
    /// Minutes.
    Minutes,
    /// Hours.
    Hours,
    /// Days.
    Days,
    /// Rows: one each `features.every`.
    Cycles,
}

impl TimeUnit {
    /// Length of one unit, µs, where rows are `every_us` apart.
    #[must_use]
    pub const fn us(self, every_us: i64) -> i64 {
        match self {
            Self::Minutes => 60_000_000,
            Self::Hours => 3_600_000_000,
            Self::Days => 86_400_000_000,
            Self::Cycles => every_us,
        }
    }
}

impl fmt::Display for TimeUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Minutes => "minutes",
            Self::Hours => "hours",
            Self::Days => "days",
            Self::Cycles => "cycles",
        })
    }
}

/// Whether a new version of a model takes over by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Promote {
    /// If its cross-validated error is not larger than that of the version in force.
    #[default]
    WhenBetter,
    /// Always.
    Always,
    /// Only on request.
    Manually,
}

/// `forewarn.yaml`.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Address and port of the HTTP API.
    pub listen: String,
    /// Who may talk to it.
    pub http: HttpConfig,
    /// Folder of the log.
    pub data_dir: std::path::PathBuf,
    /// URL of the lake: `file://…`, `s3://…`.
    pub lake: String,
    /// Folder of the pipelines.
    pub pipelines: std::path::PathBuf,
    /// Folder of the models.
    pub models: std::path::PathBuf,
    /// The log.
    pub log: LogConfig,
    /// The branch to the lake.
    pub branch: BranchConfig,
    /// Upkeep of the lake.
    pub maintenance: MaintenanceConfig,
    /// Snapshots of what is folded from the log.
    pub snapshot: SnapshotConfig,
    /// Bounds.
    pub limits: Limits,
    /// How Influx line protocol becomes assets and signals.
    pub influx: InfluxConfig,
    /// Who can be told of alerts, and how.
    pub notify: NotifyConfig,
    /// Who may use the server.
    pub auth: AuthConfig,
}

/// Settings of the log.
#[derive(Debug, Clone)]
pub struct LogConfig {
    /// Above this many bytes the log refuses records.
    pub max_bytes: u64,
    /// Bytes of one segment file.
    pub segment_bytes: u64,
    /// How long the log waits for more records before it writes, µs.
    pub group_delay_us: i64,
    /// How records are written.
    pub compression: LogCompression,
}

/// How the log writes records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogCompression {
    /// As they are.
    #[default]
    None,
    /// As LZ4 blocks.
    Lz4,
}

/// Upkeep of the lake's tables.
#[derive(Debug, Clone)]
pub struct MaintenanceConfig {
    /// How often, µs.
    pub every_us: i64,
    /// Small files are merged into files of about this many bytes.
    pub file_bytes: u64,
    /// A file that belongs to no table any more is deleted after this time, µs.
    pub delete_after_us: i64,
    /// Entries of a Delta log that a checkpoint covers are deleted at this age, µs.
    pub keep_log_us: i64,
    /// Tables of which rows older than so many µs are dropped.
    pub retain_us: Vec<(String, i64)>,
}

/// Snapshots of what is folded from the log.
#[derive(Debug, Clone)]
pub struct SnapshotConfig {
    /// How often one is taken, µs.
    pub every_us: i64,
}

/// When the branch commits: whichever comes first.
#[derive(Debug, Clone)]
pub struct BranchConfig {
    /// So many rows.
    pub commit_rows: usize,
    /// So long after the first uncommitted row, µs.
    pub commit_every_us: i64,
    /// About so many bytes in memory.
    pub commit_bytes: u64,
    /// Most uncommitted rows held in memory.
    pub max_tail_rows: usize,
    /// Most bytes of uncommitted rows held in memory, about.
    pub max_tail_bytes: u64,
}

/// Bounds on what senders may do.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Most series.
    pub max_series: usize,
    /// Largest request body, after decompression, bytes.
    pub max_body_bytes: usize,
    /// Longest line of NDJSON or line protocol, bytes.
    pub max_line_bytes: usize,
    /// How far a reading's time may lie ahead of the server's clock, µs.
    pub max_future_us: i64,
    /// How far it may lie ahead to be judged at its own time, µs; beyond that it is judged as of its arrival.
    pub max_ahead_us: i64,
    /// The earliest time that a reading may have.
    pub min_time: Timestamp,
    /// Most rows of a SQL answer.
    pub max_sql_rows: usize,
    /// Longest SQL query, µs.
    pub max_sql_us: i64,
    /// Memory that all SQL queries together may take, bytes.
    pub max_sql_memory_bytes: u64,
    /// The disk space that all SQL queries together may use, bytes.
    pub max_sql_spill_bytes: u64,
    /// The largest SQL answer, bytes as it is sent.
    pub max_sql_answer_bytes: u64,
}

/// How Influx line protocol becomes assets and signals.
#[derive(Debug, Clone)]
pub struct InfluxConfig {
    /// Template of the asset path: `{measurement}` and `{tag:NAME}`; `{tags}` are all tag values in order of
    /// tag name, joined by `/`.
    pub asset: String,
    /// Template of the signal name: `{field}`, `{measurement}`.
    pub signal: String,
}
