//! `forewarn.yaml`.

mod auth;
mod http;
mod notify;
mod values;

use forewarn_types::{RecordKind, Timestamp};
use schemars::JsonSchema;
use serde::Deserialize;

use self::auth::RawAuth;
use self::http::{RawConnections, RawTls, http};
pub(super) use self::values::size;
use self::values::{DAY_US, MINUTE_US, count};
use super::names::job_table;
use crate::diagnostics::{Diagnostics, Report};
use crate::model::{
    BranchConfig, InfluxConfig, Limits, LogCompression, LogConfig, MaintenanceConfig, ServerConfig,
    SnapshotConfig,
};
use crate::yaml::field::{Choice, Chosen, Placed, Text, choice};
use crate::yaml::kinds::{Address, Duration, HostText, PositiveDuration, Setting, Size, Table, TimeText};
use crate::yaml::read::read;
use crate::yaml::references::Variables;
use crate::yaml::values::{duration, positive_duration, time};

/// The settings of a server; every key may be left out.
#[derive(Deserialize, Default, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Server", title = "Forewarn server")]
pub(crate) struct RawServer {
    /// The address and port of the HTTP API.
    #[schemars(extend("default" = "127.0.0.1:8080"))]
    listen: Option<Text<Address>>,
    /// Names under which clients may reach the server, alone or with a port, beside its IP addresses and
    /// `localhost`. A request for another name is refused.
    hosts: Vec<Text<HostText>>,
    /// Connections to the HTTP API.
    connections: RawConnections,
    /// The certificate of HTTPS; without it the server speaks plain HTTP.
    tls: Option<RawTls>,
    /// The folder of the log.
    #[schemars(extend("default" = "./data"))]
    data_dir: Option<Text<Setting>>,
    /// The URL of the lake: `file://…` or `s3://bucket/prefix`.
    #[schemars(extend("default" = "file://./data/lake"))]
    lake: Option<Text<Setting>>,
    /// The folder of the pipelines.
    #[schemars(extend("default" = "./pipelines"))]
    pipelines: Option<Text<Setting>>,
    /// The folder of the models.
    #[schemars(extend("default" = "./models"))]
    models: Option<Text<Setting>>,
    /// The log.
    log: RawLog,
    /// The branch to the lake.
    branch: RawBranch,
    /// Upkeep of the lake's tables.
    maintenance: RawMaintenance,
    /// Snapshots of alerts, detectors and series, which spare a start the reading of the whole log.
    snapshot: RawSnapshot,
    /// The bounds on what senders and readers may do.
    limits: RawLimits,
    /// How Influx line protocol becomes assets and signals.
    influx: RawInflux,
    /// The people and programs that alerts are sent to; routes of pipelines name them.
    contacts: Option<notify::RawContacts>,
    /// How messages go out.
    channels: notify::RawChannels,
    /// What links in messages begin with: where people reach this server, such as `https://forewarn.plant1.example`.
    public_url: Option<Text<Setting>>,
    /// Who may use the server.
    auth: RawAuth,
}

/// Settings of the log.
#[derive(Deserialize, Default, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Log")]
struct RawLog {
    /// At this size the log refuses readings until the lake has taken some.
    #[schemars(extend("default" = "10GB"))]
    max_bytes: Option<Text<Size>>,
    /// The size of one segment file.
    #[schemars(extend("default" = "64MiB"))]
    segment_bytes: Option<Text<Size>>,
    /// How long a write waits for more records to share it; every sender waits that much longer. At most
    /// 100ms.
    #[schemars(extend("default" = "0s"))]
    group_delay: Option<Text<Duration>>,
    /// How records are written. Those written before stay as they are.
    #[schemars(extend("default" = "none"))]
    compression: Option<Chosen<LogCompression>>,
}

impl Choice for LogCompression {
    const NAME: &'static str = "LogCompression";
    const ABOUT: &'static str =
        "How records are written: as they are, or as LZ4 blocks where that makes them smaller.";
    const CHOICES: &'static [(&'static str, Self)] = &[("none", Self::None), ("lz4", Self::Lz4)];
}

/// When the branch to the lake commits: whichever comes first.
#[derive(Deserialize, Default, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Branch")]
struct RawBranch {
    /// So many rows.
    #[schemars(extend("default" = 500_000))]
    commit_rows: Option<Placed<usize>>,
    /// So long after the first uncommitted row.
    #[schemars(extend("default" = "10s"))]
    commit_every: Option<Text<PositiveDuration>>,
    /// About so many bytes in memory.
    #[schemars(extend("default" = "128MiB"))]
    commit_bytes: Option<Text<Size>>,
    /// Most uncommitted rows held in memory, 24 bytes or more each. While the store fails and so many wait,
    /// queries are refused.
    #[schemars(extend("default" = 4_000_000))]
    max_tail_rows: Option<Placed<usize>>,
    /// Most bytes of uncommitted rows held in memory, about; as for `max_tail_rows`.
    #[schemars(extend("default" = "1GiB"))]
    max_tail_bytes: Option<Text<Size>>,
}

/// Snapshots of alerts, detectors and series. A start reads the log from the newest one on, and the log is
/// kept from the one before on.
#[derive(Deserialize, Default, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Snapshot")]
struct RawSnapshot {
    /// How often.
    #[schemars(extend("default" = "1m"))]
    every: Option<Text<PositiveDuration>>,
}

/// Upkeep of the lake's tables: small files are merged, what is too old is dropped, files that nothing needs
/// any more are deleted.
#[derive(Deserialize, Default, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Maintenance")]
struct RawMaintenance {
    /// How often.
    #[schemars(extend("default" = "1h"))]
    every: Option<Text<PositiveDuration>>,
    /// The size of the files that small ones are merged into, and that no commit exceeds by much.
    #[schemars(extend("default" = "128MiB"))]
    file_bytes: Option<Text<Size>>,
    /// A file that belongs to no table any more is deleted after this time: the longest that a query or
    /// another program may still read it.
    #[schemars(extend("default" = "7d"))]
    delete_after: Option<Text<PositiveDuration>>,
    /// Entries of a table's Delta log that a checkpoint covers are deleted at this age.
    #[schemars(extend("default" = "30d"))]
    keep_log: Option<Text<PositiveDuration>>,
    /// How long rows are kept; without an entry, for ever.
    retain: RawRetain,
}

/// How long rows of a table are kept, by their time. Files go as a whole, once their newest row is too old.
#[derive(Deserialize, Default, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Retain")]
struct RawRetain {
    /// Raw readings.
    readings: Option<Text<PositiveDuration>>,
    /// Transitions of alerts.
    alert_events: Option<Text<PositiveDuration>>,
    /// Predictions of models.
    predictions: Option<Text<PositiveDuration>>,
    /// Runs of jobs.
    job_runs: Option<Text<PositiveDuration>>,
    /// What operators did.
    commands: Option<Text<PositiveDuration>>,
    /// What happened to machines: the labels that models are trained with.
    life_events: Option<Text<PositiveDuration>>,
    /// Which versions of models were put in force when.
    promotions: Option<Text<PositiveDuration>>,
    /// What became of notifications.
    notifications: Option<Text<PositiveDuration>>,
    /// Silences and maintenance windows.
    silences: Option<Text<PositiveDuration>>,
    /// Who did what over HTTP, and who was refused.
    audit: Option<Text<PositiveDuration>>,
    /// Tables that jobs write.
    tables: Vec<RawRetained>,
}

impl RawRetain {
    /// How long the rows of records of the kind `kind` are kept, if an entry says so.
    const fn of(&self, kind: RecordKind) -> Option<&Text<PositiveDuration>> {
        match kind {
            RecordKind::Readings => self.readings.as_ref(),
            RecordKind::Alert => self.alert_events.as_ref(),
            RecordKind::Prediction => self.predictions.as_ref(),
            RecordKind::JobRun => self.job_runs.as_ref(),
            RecordKind::Command => self.commands.as_ref(),
            RecordKind::LifeEvent => self.life_events.as_ref(),
            RecordKind::Promotion => self.promotions.as_ref(),
            RecordKind::Audit => self.audit.as_ref(),
            RecordKind::Notification => self.notifications.as_ref(),
            RecordKind::Quiet => self.silences.as_ref(),
            RecordKind::Account
            | RecordKind::Attributes
            | RecordKind::Series
            | RecordKind::Origins
            | RecordKind::Tick
            | RecordKind::Definitions
            | RecordKind::Resumed => None,
        }
    }
}

/// How long rows of a table that a job writes are kept, by its column `time`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Retained")]
struct RawRetained {
    /// The table.
    table: Text<Table>,
    /// How long.
    keep: Text<PositiveDuration>,
}

/// Bounds on what senders and readers may do.
#[derive(Deserialize, Default, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Limits")]
struct RawLimits {
    /// Most series.
    #[schemars(extend("default" = 200_000))]
    max_series: Option<Placed<usize>>,
    /// The largest request body, after decompression.
    #[schemars(extend("default" = "32MiB"))]
    max_body_bytes: Option<Text<Size>>,
    /// The longest line of NDJSON or line protocol.
    #[schemars(extend("default" = "64KiB"))]
    max_line_bytes: Option<Text<Size>>,
    /// How far a reading's time may lie ahead of the server's clock; one beyond that is refused.
    #[schemars(extend("default" = "1d"))]
    max_future: Option<Text<PositiveDuration>>,
    /// How far a reading's time may lie ahead of the server's clock to be believed; one beyond that is
    /// stored with its time, and judged as if it had the time of its arrival.
    #[schemars(extend("default" = "1m"))]
    max_ahead: Option<Text<PositiveDuration>>,
    /// The earliest time that a reading may have: what is older comes from a clock that was not set, or was
    /// sent in another unit. An import may go further back.
    #[schemars(extend("default" = "2000-01-01"))]
    min_time: Option<Text<TimeText>>,
    /// Most rows of a SQL answer.
    #[schemars(extend("default" = 100_000))]
    max_sql_rows: Option<Placed<usize>>,
    /// The longest that a SQL query may run.
    #[schemars(extend("default" = "1m"))]
    max_sql: Option<Text<PositiveDuration>>,
    /// The memory that all SQL queries together may take. Sorts, joins and groups that need more use files in
    /// `data_dir`.
    #[schemars(extend("default" = "1GiB"))]
    max_sql_memory: Option<Text<Size>>,
    /// The disk space that all SQL queries together may use for such files.
    #[schemars(extend("default" = "32GiB"))]
    max_sql_spill: Option<Text<Size>>,
    /// The largest SQL answer, as it is sent.
    #[schemars(extend("default" = "256MiB"))]
    max_sql_answer: Option<Text<Size>>,
}

/// How Influx line protocol becomes assets and signals.
#[derive(Deserialize, Default, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Influx")]
struct RawInflux {
    /// The asset's path: `{measurement}`, `{tag:NAME}`, and `{tags}` for all tag values in order of tag name,
    /// joined by `/`.
    #[schemars(extend("default" = "{tags}"))]
    asset: Option<Text<Setting>>,
    /// The signal's name: `{field}` and `{measurement}`.
    #[schemars(extend("default" = "{measurement}_{field}"))]
    signal: Option<Text<Setting>>,
}

/// 2000-01-01.
const YEAR_2000: Timestamp = Timestamp(10_957 * DAY_US);

/// Reads the server's settings; `variable` gives the values of `${NAME}`, `${NAME:-default}` and
/// `${file:PATH}`, which is asked for as `file:PATH`.
///
/// # Errors
/// All mistakes at once.
pub fn parse_server_config(
    path: &str,
    text: &str,
    variable: Variables<'_>,
) -> Result<ServerConfig, Diagnostics> {
    let mut report = Report::new(path, text);
    // A file of nothing but comments holds no settings, which is a complete file.
    let blank = text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'));
    let raw: Option<RawServer> =
        if blank { Some(RawServer::default()) } else { read(text, variable, &mut report) };
    let config = raw.map(|raw| settings(&raw, &mut report));
    match config {
        Some(config) if report.found.is_empty() => Ok(config),
        _ => Err(Diagnostics::sorted(report.found)),
    }
}

fn settings(raw: &RawServer, report: &mut Report<'_>) -> ServerConfig {
    let text = |value: &Option<Text<Setting>>, default: &str| {
        value.as_ref().map_or_else(|| default.to_owned(), |value| value.value.clone())
    };
    let listen = raw.listen.as_ref().map_or_else(|| "127.0.0.1:8080".to_owned(), |value| value.value.clone());
    let data_dir = text(&raw.data_dir, "./data");
    let lake = text(&raw.lake, "file://./data/lake");
    let pipelines = text(&raw.pipelines, "./pipelines");
    let models = text(&raw.models, "./models");
    let influx = InfluxConfig {
        asset: text(&raw.influx.asset, "{tags}"),
        signal: text(&raw.influx.signal, "{measurement}_{field}"),
    };
    if let Some(given) = &raw.listen
        && listen.rsplit_once(':').is_none_or(|(host, port)| host.is_empty() || port.parse::<u16>().is_err())
    {
        report.on(
            given,
            format!("'{listen}' is no address"),
            Some("write host:port, such as 127.0.0.1:8080".to_owned()),
        );
    }
    let http = http(&listen, &raw.hosts, &raw.connections, raw.tls.as_ref(), report);
    ServerConfig {
        listen,
        http,
        data_dir: data_dir.into(),
        lake,
        pipelines: pipelines.into(),
        models: models.into(),
        log: log(&raw.log, report),
        branch: BranchConfig {
            commit_rows: count(raw.branch.commit_rows.as_ref(), 500_000).max(1),
            commit_every_us: raw
                .branch
                .commit_every
                .as_ref()
                .map_or(10_000_000, |text| positive_duration(text, report)),
            commit_bytes: size(raw.branch.commit_bytes.as_ref(), 128 << 20, report),
            max_tail_rows: count(raw.branch.max_tail_rows.as_ref(), 4_000_000).max(1),
            max_tail_bytes: size(raw.branch.max_tail_bytes.as_ref(), 1 << 30, report),
        },
        maintenance: maintenance(&raw.maintenance, report),
        snapshot: SnapshotConfig {
            every_us: raw.snapshot.every.as_ref().map_or(MINUTE_US, |text| positive_duration(text, report)),
        },
        limits: limits(&raw.limits, report),
        influx,
        notify: notify::check(raw.contacts.as_ref(), &raw.channels, raw.public_url.as_ref(), report),
        auth: raw.auth.settings(report),
    }
}

fn log(raw: &RawLog, report: &mut Report<'_>) -> LogConfig {
    const MAX_DELAY_US: i64 = 100_000;
    let group_delay_us = raw.group_delay.as_ref().map_or(0, |text| {
        let delay = duration(text, report);
        if delay > MAX_DELAY_US {
            report.on(text, "every sender waits this long, so it may be at most 100ms", None);
        }
        delay.min(MAX_DELAY_US)
    });
    LogConfig {
        max_bytes: size(raw.max_bytes.as_ref(), 10_000_000_000, report),
        segment_bytes: size(raw.segment_bytes.as_ref(), 64 << 20, report),
        group_delay_us,
        compression: raw.compression.as_ref().and_then(|text| choice(text, report)).unwrap_or_default(),
    }
}

fn maintenance(raw: &RawMaintenance, report: &mut Report<'_>) -> MaintenanceConfig {
    let mut duration = |text: Option<&Text<PositiveDuration>>, default| {
        text.map_or(default, |text| positive_duration(text, report))
    };
    let (every_us, delete_after_us) =
        (duration(raw.every.as_ref(), 60 * MINUTE_US), duration(raw.delete_after.as_ref(), 7 * DAY_US));
    let keep_log_us = duration(raw.keep_log.as_ref(), 30 * DAY_US);
    let kinds = RecordKind::ALL.iter();
    let built_in = kinds.filter_map(|kind| Some((kind.table()?.to_owned(), raw.retain.of(*kind)?)));
    let tables = &raw.retain.tables;
    let of_jobs = tables.iter().map(|retained| (retained.table.value.clone(), &retained.keep));
    let retain_us = built_in.chain(of_jobs).map(|(table, age)| (table, duration(Some(age), 0))).collect();
    for RawRetained { table, .. } in tables {
        job_table(table, report);
    }
    MaintenanceConfig {
        every_us,
        file_bytes: size(raw.file_bytes.as_ref(), 128 << 20, report),
        delete_after_us,
        keep_log_us,
        retain_us,
    }
}

fn limits(raw: &RawLimits, report: &mut Report<'_>) -> Limits {
    let bytes = |text: Option<&Text<Size>>, default: u64, report: &mut Report<'_>| {
        usize::try_from(size(text, default, report)).unwrap_or(usize::MAX)
    };
    Limits {
        max_series: count(raw.max_series.as_ref(), 200_000),
        max_body_bytes: bytes(raw.max_body_bytes.as_ref(), 32 << 20, report),
        max_line_bytes: bytes(raw.max_line_bytes.as_ref(), 64 << 10, report),
        max_future_us: raw.max_future.as_ref().map_or(DAY_US, |text| positive_duration(text, report)),
        max_ahead_us: raw.max_ahead.as_ref().map_or(MINUTE_US, |text| positive_duration(text, report)),
        min_time: raw.min_time.as_ref().map_or(YEAR_2000, |text| time(text, report)),
        max_sql_rows: count(raw.max_sql_rows.as_ref(), 100_000),
        max_sql_us: raw.max_sql.as_ref().map_or(MINUTE_US, |text| positive_duration(text, report)),
        max_sql_memory_bytes: size(raw.max_sql_memory.as_ref(), 1 << 30, report),
        max_sql_spill_bytes: size(raw.max_sql_spill.as_ref(), 32 << 30, report),
        max_sql_answer_bytes: size(raw.max_sql_answer.as_ref(), 256 << 20, report),
    }
}
