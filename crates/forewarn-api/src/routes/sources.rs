//! The sources that fetch readings themselves: how they fare, and which messages could not be used.

use axum::Json;
use axum::extract::State as Extract;
use forewarn_sources::{DeadLetter, SourceHandle, SourceStatus};
use forewarn_state::Exposition;
use forewarn_types::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::context::ApiState;
use crate::http::PathParam;
use crate::problem::{Problem, sets};

/// How one source fares. Counts begin with the server's start.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SourceView {
    /// The name of the source; for MQTT its client identifier.
    name: String,
    /// The kind, as the pipeline names it: `mqtt`.
    kind: &'static str,
    /// Whether the other side is connected, and delivers.
    connected: bool,
    /// Why it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    /// Connections and subscriptions that were lost or refused.
    failures: u64,
    /// Messages received, repeated deliveries included.
    received: u64,
    /// When the last message was received.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    last_received: Option<Timestamp>,
    /// Acknowledgements sent, each after its message was durable.
    acknowledged: u64,
    /// Readings refused; a message that cannot be read counts as one.
    refused: u64,
    /// Messages that could not be used, or not in full.
    dead_letters: u64,
    /// Messages that are not durable yet: those received, and those that the other side says it still holds.
    lag: u64,
}

impl From<SourceStatus> for SourceView {
    fn from(status: SourceStatus) -> Self {
        Self {
            lag: status.lag(),
            name: status.name,
            kind: status.kind,
            connected: status.connected,
            problem: status.problem,
            failures: status.failures,
            received: status.received,
            last_received: status.last_received,
            acknowledged: status.acknowledged,
            refused: status.refused,
            dead_letters: status.dead_letters,
        }
    }
}

/// The sources.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SourcesView {
    /// In the order of the pipelines.
    sources: Vec<SourceView>,
}

/// A message that could not be used, or not in full.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeadLetterView {
    /// When the server looked at it.
    #[schema(value_type = String, format = DateTime)]
    time: Timestamp,
    /// Its topic, or whatever its protocol has instead; at most 1000 characters.
    topic: String,
    /// What was wrong with it.
    reason: String,
    /// The first 1000 characters of its payload.
    payload: String,
    /// Bytes of the whole payload.
    payload_bytes: usize,
}

impl From<DeadLetter> for DeadLetterView {
    fn from(DeadLetter { time, topic, reason, payload, payload_bytes }: DeadLetter) -> Self {
        Self { time, topic, reason, payload, payload_bytes }
    }
}

/// Dead letters of one source.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeadLettersView {
    /// Newest first; at most 100.
    dead_letters: Vec<DeadLetterView>,
    /// How many there were since the server's start.
    total: u64,
}

/// Lists the sources that fetch readings themselves, and how they fare.
#[utoipa::path(get, path = "/v1/sources", tag = "sources", responses(
    (status = 200, description = "The sources", body = SourcesView),
))]
pub(crate) async fn list_sources(Extract(api): Extract<ApiState>) -> Json<SourcesView> {
    let sources = api.sources.list().iter().map(|source| source.status().into()).collect();
    Json(SourcesView { sources })
}

/// Shows the newest messages of a source that could not be used. They are kept in memory until the server
/// ends.
#[utoipa::path(get, path = "/v1/sources/{source}/dead-letters", tag = "sources",
    params(("source" = String, Path, description = "The source's name")), responses(
    (status = 200, description = "The messages", body = DeadLettersView),
    sets::Parameters, sets::Missing,
))]
pub(crate) async fn list_dead_letters(
    Extract(api): Extract<ApiState>,
    PathParam(name): PathParam<String>,
) -> Result<Json<DeadLettersView>, Problem> {
    let source = api.sources.list().into_iter().find(|source| source.name() == name).ok_or_else(|| {
        Problem::not_found(format!("there is no source {name}")).hint("GET /v1/sources lists all")
    })?;
    let total = source.status().dead_letters;
    let dead_letters = source.dead_letters().into_iter().map(Into::into).collect();
    Ok(Json(DeadLettersView { dead_letters, total }))
}

/// One line on all sources, for the readiness check. A source that is away is no reason to send no requests
/// here: all that is stored can still be asked for.
pub(crate) fn summary(sources: &[SourceHandle]) -> String {
    let all: Vec<SourceStatus> = sources.iter().map(SourceHandle::status).collect();
    let connected = all.iter().filter(|status| status.connected).count();
    let mut text = format!("{connected} of {} are connected", all.len());
    for status in all.iter().filter(|status| !status.connected) {
        let problem = status.problem.as_deref().unwrap_or("not connected yet");
        text.extend(["; ", status.kind, " ", status.name.as_str(), ": ", problem]);
    }
    text
}

/// Shows how the sources fare.
pub(crate) fn source_metrics(out: &mut Exposition, sources: &[SourceHandle]) {
    for status in sources.iter().map(SourceHandle::status) {
        let labels = [("source", status.name.as_str()), ("kind", status.kind)];
        let help = "1 while the other side is connected and delivers.";
        out.gauge("forewarn_source_connected", help, &labels, f64::from(u8::from(status.connected)));
        let help = "Connections and subscriptions that were lost or refused.";
        out.counter("forewarn_source_failures_total", help, &labels, status.failures);
        let help = "Messages received, repeated deliveries included.";
        out.counter("forewarn_source_received_total", help, &labels, status.received);
        let help = "Acknowledgements sent, each after its message was durable.";
        out.counter("forewarn_source_acknowledged_total", help, &labels, status.acknowledged);
        let help = "Readings refused; a message that cannot be read counts as one.";
        out.counter("forewarn_source_refused_total", help, &labels, status.refused);
        let help = "Messages that could not be used; GET /v1/sources/{source}/dead-letters shows the newest.";
        out.counter("forewarn_source_dead_letters_total", help, &labels, status.dead_letters);
        let help = "Messages received, or still held by the other side, that are not durable yet.";
        out.gauge("forewarn_source_lag_messages", help, &labels, status.lag() as f64);
    }
}
