//! For the operation of the server: is it alive, is it ready, what does it count, which routes does it have.

use std::time::Duration;

use axum::Json;
use axum::extract::State as Extract;
use axum::http::{HeaderMap, header};
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use forewarn_ingest::{Intake, SenderAhead};
use forewarn_lake::{CommitFailure, Lake};
use forewarn_log::{Log, LogHealth};
use forewarn_state::{Exposition, State};
use forewarn_types::{Offset, Record};
use serde::Serialize;
use tokio::time::Instant;
use utoipa::ToSchema;

use super::{definitions, sources};
use crate::context::ApiState;
use crate::problem::{Problem, sets};

/// How far behind the log a stage may be for the server to count as ready; it waits this long for it.
const READY_WITHIN: Duration = Duration::from_millis(500);

/// What a probe of the log has found holds this long.
const PROBE_HOLDS: Duration = Duration::from_secs(1);

/// The server is ready.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Readiness {
    /// `ready`.
    status: &'static str,
    /// What was looked at.
    checks: Vec<Check>,
}

/// Why the server is not ready.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NotReady {
    #[serde(flatten)]
    problem: Problem,
    /// What was looked at.
    checks: Vec<Check>,
}

/// One thing that must be in order.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Check {
    /// What was looked at.
    name: &'static str,
    /// Whether it is in order.
    ok: bool,
    /// What was found.
    detail: String,
}

/// Whether the process is alive: it answers, and its log has not failed. If it has, a restart is needed.
#[utoipa::path(get, path = "/healthz", tag = "operation", responses(
    (status = 200, description = "Alive", body = Object),
    sets::Busy,
))]
pub(crate) async fn healthz(Extract(api): Extract<ApiState>) -> Result<Json<serde_json::Value>, Problem> {
    if let LogHealth::Failed(reason) = api.log.health() {
        return Err(Problem::unavailable(format!("the log has stopped: {reason}"))
            .hint("nothing can be stored; repair the disk and restart the server"));
    }
    Ok(Json(serde_json::json!({"status": "ok", "version": env!("CARGO_PKG_VERSION")})))
}

/// Whether the server can take readings and answer queries.
#[utoipa::path(get, path = "/readyz", tag = "operation", responses(
    (status = 200, description = "Ready", body = Readiness),
    (status = 503, description = "Not ready", body = NotReady, content_type = "application/problem+json"),
))]
pub(crate) async fn readyz(Extract(api): Extract<ApiState>) -> Response {
    let log = probe_log(&api).await;
    let end = api.log.end();
    let (state, lake) = tokio::join!(
        api.state.wait(end, READY_WITHIN),
        tokio::time::timeout(READY_WITHIN, api.lake.wait_applied(end))
    );
    let applied = api.state.applied();
    let state =
        Check { name: "state", ok: state, detail: format!("processed up to offset {applied} of {end}") };
    let lake = match lake {
        Ok(Ok(())) => Check {
            name: "lake",
            ok: true,
            detail: format!("visible up to offset {end} of {end}{}", uncommitted(&api)),
        },
        Ok(Err(error)) => Check { name: "lake", ok: false, detail: error.to_string() },
        Err(_) => Check { name: "lake", ok: false, detail: format!("it has not yet reached offset {end}") },
    };
    // Readings, alerts and queries do not need jobs. If past runs cannot be read, the answer says so, but the
    // server stays ready.
    let (ok, detail) = match tokio::time::timeout(READY_WITHIN, api.scheduler.past_known()).await {
        Ok(Ok(())) => (true, "the runs on record are known".to_owned()),
        Ok(Err(error)) => (true, format!("jobs wait: {error}")),
        Err(_) => (false, "the runs on record have not been read from the lake yet".to_owned()),
    };
    let jobs = Check { name: "jobs", ok, detail };
    let sources = Check { name: "sources", ok: true, detail: sources::summary(&api.sources.list()) };
    // What is in force goes on, so a mistake on disk does not take the server out of service.
    let definitions =
        Check { name: "definitions", ok: true, detail: definitions::summary(&api.definitions.status()) };
    let clocks = Check { name: "clocks", ok: true, detail: senders_ahead(&api) };
    let stopping = api.shutdown.is_cancelled();
    let serving = Check {
        name: "serving",
        ok: !stopping,
        detail: if stopping { "shutting down" } else { "serving" }.into(),
    };
    let mut checks = vec![log, state, lake, jobs, sources, definitions, clocks, serving];
    if let Some(tls) = &api.tls {
        // The certificate before is still in force, so the server stays ready.
        let detail = match tls.state() {
            (reloads, None) => format!("the certificate is that of the files; {reloads} new one(s) so far"),
            (_, Some(problem)) => format!("the certificate before stays in force: {problem}"),
        };
        checks.push(Check { name: "tls", ok: true, detail });
    }
    let wrong: Vec<String> = checks
        .iter()
        .filter(|check| !check.ok)
        .map(|check| format!("{}: {}", check.name, check.detail))
        .collect();
    if wrong.is_empty() {
        return Json(Readiness { status: "ready", checks }).into_response();
    }
    let problem = Problem::unavailable(wrong.join("; "))
        .hint("repair what is named; what is stored can still be queried");
    problem.clone().respond_with(&NotReady { problem, checks })
}

/// What the lake cannot commit for now. As long as the tail has room for it, the server takes readings and
/// answers questions.
fn uncommitted(api: &ApiState) -> String {
    let shown = |failure: CommitFailure| {
        format!("; {} cannot be committed since {}: {}", failure.table, failure.since, failure.problem)
    };
    api.lake.failures().into_iter().map(shown).collect()
}

/// Whose times lie ahead of the server's clock. Their readings are judged as of their arrival, so the server
/// stays ready.
fn senders_ahead(api: &ApiState) -> String {
    let ahead = api.intake.senders_ahead();
    if ahead.is_empty() {
        return "no sender's times lie ahead of the server's clock".to_owned();
    }
    let shown = |sender: &SenderAhead| {
        format!("{} of {} is {} ahead of the server's clock", sender.signal, sender.asset, sender.ahead())
    };
    let shown: Vec<String> = ahead.iter().map(shown).collect();
    format!(
        "{}; readings are judged as if they had the time of their arrival: set the clock or time zone of the \
         sender, or of the server, right",
        shown.join(", ")
    )
}

/// Asks the log how it is. If all seems well, it appends a record without content, of a kind that is refused
/// as soon as readings are: the one proof that the disk answers. All who ask within [`PROBE_HOLDS`] share one.
async fn probe_log(api: &ApiState) -> Check {
    if let Some(problem) = api.log.health().problem() {
        return Check { name: "log", ok: false, detail: problem.to_string() };
    }
    let mut probe = api.probe.lock().await;
    let found = match &*probe {
        Some((when, found)) if when.elapsed() < PROBE_HOLDS => found.clone(),
        _ => {
            let append = api.log.append(Record::Series(Vec::new()));
            let found = match tokio::time::timeout(READY_WITHIN, append).await {
                Ok(Ok(offset)) => Ok(format!("offset {offset} is durable")),
                Ok(Err(error)) => Err(error.to_string()),
                Err(_) => Err("the disk did not answer in time".to_owned()),
            };
            *probe = Some((Instant::now(), found.clone()));
            found
        }
    };
    let ok = found.is_ok();
    Check { name: "log", ok, detail: found.unwrap_or_else(|problem| problem) }
}

/// What the server counts, for Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "operation", responses(
    (status = 200, description = "Metrics in the text format of Prometheus", body = String,
     content_type = "text/plain"),
))]
pub(crate) async fn metrics(Extract(api): Extract<ApiState>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], api.metrics.render())
        .into_response()
}

/// The description of all routes.
#[utoipa::path(get, path = "/openapi.json", tag = "operation", responses(
    (status = 200, description = "OpenAPI 3.1", body = Object),
))]
pub(crate) async fn openapi(Extract(api): Extract<ApiState>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], api.document()).into_response()
}

/// A start page with links; leads browsers on to the console, if the program holds it.
#[utoipa::path(get, path = "/", tag = "operation", responses(
    (status = 200, description = "A page for people", body = String, content_type = "text/html"),
    (status = 307, description = "To the console, for whom accepts text/html"),
))]
pub(crate) async fn index(headers: HeaderMap) -> Response {
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    if super::ui::is_there() && accepted.is_some_and(|types| types.contains("text/html")) {
        return ([(header::VARY, "accept")], Redirect::temporary("/ui/")).into_response();
    }
    ([(header::VARY, "accept")], Html(include_str!("index.html"))).into_response()
}

/// Adds to the metrics what the components of the API count.
pub(crate) fn register_metrics(api: &ApiState) {
    let (state, log, intake, lake) =
        (api.state.clone(), api.log.clone(), api.intake.clone(), api.lake.clone());
    let streams = api.streams.clone();
    let (fetching, definitions) = (api.sources.clone(), api.definitions.clone());
    let (places, tls) = (api.places.clone(), api.tls.clone());
    api.metrics.collect_with(move |out| {
        log_metrics(out, &*log, state.applied());
        lake_metrics(out, &lake);
        sources::source_metrics(out, &fetching.list());
        definitions::definitions_metrics(out, &definitions.status());
        out.gauge("forewarn_http_streams", "Open event streams.", &[], streams.taken() as f64);
        places.metrics(out);
        if let Some((reloads, problem)) = tls.as_ref().map(|tls| tls.state()) {
            out.counter("forewarn_tls_reloads_total", "New certificates put in force.", &[], reloads);
            let help = "1 while the certificate's files cannot be used, and the one before stays in force.";
            out.gauge("forewarn_tls_refused", help, &[], f64::from(u8::from(problem.is_some())));
        }
        intake_metrics(out, &intake);
        state_metrics(out, &state.read());
    });
}

fn log_health(out: &mut Exposition, health: &LogHealth) {
    let as_number = |flag: bool| f64::from(u8::from(flag));
    let help = "1 while the log has no room for readings, on its disk or within log.max_bytes.";
    out.gauge("forewarn_log_full", help, &[], as_number(matches!(health, LogHealth::Full(_))));
    let help = "1 once the log's disk has failed. Nothing is accepted until the disk is repaired and the server \
                restarted.";
    out.gauge("forewarn_log_failed", help, &[], as_number(matches!(health, LogHealth::Failed(_))));
}

fn log_metrics(out: &mut Exposition, log: &dyn Log, applied: Offset) {
    let (start, end) = (log.start(), log.end());
    out.gauge("forewarn_log_start_offset", "Oldest offset in the log.", &[], start.0 as f64);
    out.gauge("forewarn_log_end_offset", "End of the durable log.", &[], end.0 as f64);
    log_health(out, &log.health());
    let behind = end.0.saturating_sub(applied.0) as f64;
    out.gauge("forewarn_state_lag_records", "Records that the read model is behind the log.", &[], behind);
}

fn lake_metrics(out: &mut Exposition, lake: &Lake) {
    let (rows, bytes) = (lake.tail_rows() as f64, lake.tail_bytes() as f64);
    out.gauge("forewarn_lake_tail_rows", "Rows that are not yet committed to the lake.", &[], rows);
    out.gauge("forewarn_lake_tail_bytes", "Approximate memory of these rows, in bytes.", &[], bytes);
    for failure in lake.failures() {
        let help = "Failed attempts to commit rows of a table since the last success. \
                    Absent while commits succeed.";
        let table = [("table", failure.table.as_str())];
        out.gauge("forewarn_lake_failed_commits", help, &table, failure.attempts as f64);
    }
}

fn state_metrics(out: &mut Exposition, state: &State) {
    let (series, assets) = (state.series_count() as f64, state.assets().len() as f64);
    let (open, holes) = (state.alerts().open_count() as f64, state.holes() as f64);
    out.gauge("forewarn_series", "Known series.", &[], series);
    out.gauge("forewarn_assets", "Known assets.", &[], assets);
    out.gauge("forewarn_alerts_open", "Open alerts, pending ones included.", &[], open);
    let help = "Records that were not applied because earlier records are missing.";
    out.gauge("forewarn_state_holes", help, &[], holes);
}

fn intake_metrics(out: &mut Exposition, intake: &Intake) {
    let counted = intake.metrics();
    out.counter("forewarn_readings_accepted_total", "Readings stored.", &[], counted.accepted);
    out.counter(
        "forewarn_readings_duplicate_total",
        "Readings that had been stored before.",
        &[],
        counted.duplicates,
    );
    out.counter(
        "forewarn_readings_late_total",
        "Readings stored that were not newer than their series' newest.",
        &[],
        counted.late,
    );
    let help = "Readings stored whose time lay further ahead of the server's clock than limits.max_ahead.";
    out.counter("forewarn_readings_ahead_total", help, &[], counted.ahead);
    for sender in intake.senders_ahead() {
        let help = "How far the times of an asset's readings lay ahead of the server's clock in the last ten minutes.";
        let asset = [("asset", sender.asset.as_str())];
        out.gauge("forewarn_sender_ahead_seconds", help, &asset, sender.ahead_us as f64 / 1e6);
    }
    for (reason, count) in [
        ("time", counted.rejected_time),
        ("value", counted.rejected_value),
        ("series", counted.rejected_series),
        ("undecodable", counted.rejected_undecodable),
    ] {
        out.counter("forewarn_readings_rejected_total", "Readings refused.", &[("reason", reason)], count);
    }
}
