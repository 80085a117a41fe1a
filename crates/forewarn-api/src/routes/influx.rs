//! What clients of `InfluxDB` expect to find: the write routes of its versions, and the two by which they
//! check that a server is there.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State as Extract;
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse as _, Response};
use forewarn_ingest::decode::line_protocol::{Precision, decode};
use forewarn_ingest::{Accepted, Rejected};
use serde::Deserialize;
use serde_json::json;
use utoipa::openapi::schema::ObjectBuilder;
use utoipa::openapi::{Content, RefOr, ResponseBuilder};
use utoipa::{IntoParams, IntoResponses};

use super::readings::{WriteResult, store};
use crate::access::Principal;
use crate::context::ApiState;
use crate::http::{Params, RawBody};
use crate::problem::Problem;
use crate::problem::kind::Kind;
use crate::problems;

/// The version of `InfluxDB` whose write routes these are like.
const VERSION: &str = "2.7.0-forewarn";

/// What the write routes answer, in the form that clients of `InfluxDB` read.
pub(crate) enum WriteAnswers {}

impl IntoResponses for WriteAnswers {
    fn responses() -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
        let error = |about: &str| {
            let content = Content::new(Some(ObjectBuilder::new()));
            ResponseBuilder::new().description(about).content("application/json", content).build()
        };
        let mut answers: BTreeMap<_, _> = [
            Kind::Unauthenticated,
            Kind::Forbidden,
            Kind::TooMany,
            Kind::Timeout,
            Kind::TooLarge,
            Kind::UnsupportedEncoding,
            Kind::Unavailable,
        ]
        .map(Kind::words)
        .map(|words| (words.status.as_str().to_owned(), error(words.about).into()))
        .into();
        let stored = "All lines are stored; fields that are texts are ignored";
        answers.insert("204".into(), ResponseBuilder::new().description(stored).build().into());
        let partial = "Some lines were refused; all others are stored";
        answers.insert("400".into(), error(partial).into());
        answers
    }
}

/// Parameters of a write. Clients send many more, such as user and consistency; those have no meaning here
/// and are ignored.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct WriteQuery {
    /// Unit of the timestamps: `ns` (default), `us`, `ms`, `s`, or its name as in version 3; version 1 also
    /// `n`,
    /// `u`, `m`, `h`.
    precision: Option<String>,
    /// Database; accepted and not used.
    #[serde(rename = "db")]
    _db: Option<String>,
    /// Bucket; accepted and not used.
    #[serde(rename = "bucket")]
    _bucket: Option<String>,
    /// Organisation; accepted and not used.
    #[serde(rename = "org")]
    _org: Option<String>,
}

/// Parameters of a write in version 3.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct WriteV3Query {
    /// Unit of the timestamps: `auto` (default; each by its size), `nanosecond`, `microsecond`,
    /// `millisecond`,
    /// `second`, or `ns`, `us`, `ms`, `s`.
    precision: Option<String>,
    /// With `false` nothing is stored if a line is refused.
    accept_partial: Option<bool>,
    /// Database; accepted and not used.
    #[serde(rename = "db")]
    _db: Option<String>,
    /// Accepted and not used: the answer always comes once all is durable.
    #[serde(rename = "no_sync")]
    _no_sync: Option<String>,
}

/// Stores line protocol, as `InfluxDB` 1 does.
#[utoipa::path(post, path = "/write", tag = "readings", params(WriteQuery),
    request_body(content = String, content_type = "text/plain"), responses(WriteAnswers))]
pub(crate) async fn write_v1(
    Extract(api): Extract<ApiState>,
    principal: Principal,
    query: Result<Params<WriteQuery>, Problem>,
    body: Result<RawBody, Problem>,
) -> Response {
    write(&api, &principal, query.map(of_v2), body).await.unwrap_or_else(|problem| refused(&problem))
}

/// Stores line protocol, as `InfluxDB` 2 does.
#[utoipa::path(post, path = "/api/v2/write", tag = "readings", params(WriteQuery),
    request_body(content = String, content_type = "text/plain"), responses(WriteAnswers))]
pub(crate) async fn write_v2(
    Extract(api): Extract<ApiState>,
    principal: Principal,
    query: Result<Params<WriteQuery>, Problem>,
    body: Result<RawBody, Problem>,
) -> Response {
    write(&api, &principal, query.map(of_v2), body).await.unwrap_or_else(|problem| refused(&problem))
}

/// Stores line protocol, as `InfluxDB` 3 does.
#[utoipa::path(post, path = "/api/v3/write_lp", tag = "readings", params(WriteV3Query),
    request_body(content = String, content_type = "text/plain"), responses(WriteAnswers))]
pub(crate) async fn write_v3(
    Extract(api): Extract<ApiState>,
    principal: Principal,
    query: Result<Params<WriteV3Query>, Problem>,
    body: Result<RawBody, Problem>,
) -> Response {
    let how = |Params(query): Params<WriteV3Query>| How {
        precision: query.precision.unwrap_or_else(|| "auto".into()),
        whole: query.accept_partial == Some(false),
    };
    write(&api, &principal, query.map(how), body).await.unwrap_or_else(|problem| refused(&problem))
}

/// Answers the first request of many `InfluxDB` clients: is there a server?
#[utoipa::path(get, path = "/ping", tag = "operation", responses(
    (status = 204, description = "The server is there"),
))]
pub(crate) async fn ping() -> Response {
    let version = HeaderName::from_static("x-influxdb-version");
    let build = HeaderName::from_static("x-influxdb-build");
    (StatusCode::NO_CONTENT, [(version, VERSION), (build, "OSS")]).into_response()
}

/// Answers the health check of `InfluxDB` clients.
#[utoipa::path(get, path = "/health", tag = "operation", responses(
    (status = 200, description = "The server takes writes", body = Object),
))]
pub(crate) async fn health() -> Json<serde_json::Value> {
    Json(json!({
        "name": "forewarn", "message": "ready for writes", "status": "pass", "checks": [],
        "version": VERSION, "commit": env!("CARGO_PKG_VERSION"),
    }))
}

/// How a body is to be stored.
struct How {
    precision: String,
    /// Nothing is stored if a line is refused.
    whole: bool,
}

fn of_v2(Params(query): Params<WriteQuery>) -> How {
    How { precision: query.precision.unwrap_or_default(), whole: false }
}

async fn write(
    api: &ApiState,
    principal: &Principal,
    how: Result<How, Problem>,
    body: Result<RawBody, Problem>,
) -> Result<Response, Problem> {
    let (How { precision, whole }, RawBody(body, _permit)) = (how?, body?);
    let precision = Precision::parse(&precision).map_err(|error| problems::ingest(&error))?;
    let (mapping, options) = (api.mapping.clone(), api.decode);
    let decode = move |body: &[u8]| {
        let mut batch = decode(body, precision, &mapping, &options)?;
        batch.whole = whole;
        Ok(batch)
    };
    let accepted = store(api, principal, body, decode).await?;
    if accepted.rejected_total == 0 {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    Ok((StatusCode::BAD_REQUEST, Json(partial(accepted))).into_response())
}

/// What an Influx client shows its user of a partial write: the first reason, and how many there are. `data`
/// is what clients of version 3 look at.
fn partial(accepted: Accepted) -> serde_json::Value {
    let reasons: Vec<String> =
        accepted.rejected.iter().take(3).map(|line| format!("line {}: {}", line.line, line.reason)).collect();
    let message = format!(
        "partial write: {} accepted, {} refused: {}",
        accepted.accepted + accepted.duplicates,
        accepted.rejected_total,
        reasons.join("; ")
    );
    let line = |line: &Rejected| json!({ "line_number": line.line, "error_message": line.reason });
    let data: Vec<_> = accepted.rejected.iter().map(line).collect();
    let result = WriteResult::from(accepted);
    json!({
        "code": "invalid", "message": message, "error": message, "data": data,
        "accepted": result.accepted, "duplicate": result.duplicate,
        "rejected": result.rejected, "rejected_total": result.rejected_total,
    })
}

/// An error in Influx's words: `code` and `message` for version 2, `error` for version 1.
fn refused(problem: &Problem) -> Response {
    let code = match problem.status() {
        StatusCode::PAYLOAD_TOO_LARGE => "request too large",
        StatusCode::SERVICE_UNAVAILABLE => "unavailable",
        status if status.is_server_error() => "internal error",
        _ => "invalid",
    };
    let message = problem.message();
    let mut response =
        (problem.status(), Json(json!({"code": code, "message": message, "error": message}))).into_response();
    if let Some(seconds) = problem.retry_after_s() {
        response.headers_mut().insert(axum::http::header::RETRY_AFTER, seconds.into());
    }
    response
}
