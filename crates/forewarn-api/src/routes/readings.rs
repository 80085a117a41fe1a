//! Readings in, as JSON.

use axum::Json;
use axum::extract::State as Extract;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use forewarn_ingest::decode::json::decode_readings;
use forewarn_ingest::{Accepted, Held, IngestError, RawBatch, Rejected, Unsure};
use forewarn_lake::ReadingsQuery;
use forewarn_types::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::access::Principal;
use crate::context::ApiState;
use crate::http::body::off_thread;
use crate::http::params::TimeInput;
use crate::http::{Params, RawBody};
use crate::problem::{Problem, sets};
use crate::problems;

/// Stored readings are looked up for so long a time at once, or for so many times of a batch.
const PIECE_US: i64 = 6 * 3_600_000_000;
const PIECE_TIMES: usize = 64;

/// The result of a write.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WriteResult {
    /// Readings that are now stored.
    pub accepted: u64,
    /// Readings that were stored before with the same value; they are not stored again.
    pub duplicate: u64,
    /// Of the accepted: those not newer than the newest of their series.
    pub late: u64,
    /// Of the accepted: those further ahead of the server's clock than `limits.max_ahead`. They are
    /// stored with their time and judged as if they had the time of their arrival.
    pub ahead: u64,
    /// The refused lines, the first hundred of them.
    #[schema(value_type = Vec<RejectedLine>)]
    pub rejected: Vec<Rejected>,
    /// How many refusals there were; a line that holds several readings may be refused in part, or for
    /// several reasons.
    pub rejected_total: u64,
}

/// A line that was refused.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RejectedLine {
    /// Which line, or element of the array, from 1.
    line: usize,
    /// What is wrong with it.
    reason: String,
}

/// One reading, as sent.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReadingInput {
    /// The asset's path.
    #[schema(example = "plant1/pump7")]
    asset: String,
    /// The signal's name.
    #[schema(example = "temperature")]
    signal: String,
    /// Event time: RFC 3339, or milliseconds since 1970; left out: the time of arrival.
    #[schema(example = "2026-01-01T00:00:00Z")]
    time: Option<String>,
    /// The value, in the signal's unit; true and false are 1 and 0.
    #[schema(example = 91.2)]
    value: f64,
    /// `good` (default), `uncertain` or `bad`.
    quality: Option<String>,
}

/// What a write was refused for, and what a write answers.
#[derive(Serialize)]
struct NothingUsed<'a> {
    #[serde(flatten)]
    problem: &'a Problem,
    #[serde(flatten)]
    result: WriteResult,
}

/// Parameters of a write.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PostQuery {
    /// The earliest time that these readings may have, in place of `limits.min_time`; for imports of old
    /// histories. Not before 1970.
    #[param(value_type = Option<String>)]
    min_time: Option<TimeInput>,
    /// With `true` these readings are a history that may have been sent before: those that are stored count
    /// as duplicates, however long ago they came. Without it the newest two million are remembered.
    history: Option<bool>,
}

/// Stores readings: a JSON object, an array of objects, or one object a line.
///
/// The answer comes once the readings are durable. Lines that cannot be used are listed and lose none of the
/// others; if none can be used, the answer is 422 and lists them too. After 503 the same request may be sent
/// again: what had been stored of it counts as duplicate.
#[utoipa::path(post, path = "/v1/readings", tag = "readings", params(PostQuery),
    request_body(content((ReadingInput = "application/json"), (String = "application/x-ndjson"))), responses(
    (status = 200, description = "What was stored, and which lines were refused", body = WriteResult),
    sets::Body, sets::Lines,
))]
pub(crate) async fn post_readings(
    Extract(api): Extract<ApiState>,
    principal: Principal,
    Params(query): Params<PostQuery>,
    RawBody(body, _share): RawBody,
) -> Result<Response, Problem> {
    let options = api.decode;
    let min_time = query.min_time.map(|TimeInput(time)| time);
    let decode = move |body: &[u8]| {
        let mut batch = decode_readings(body, &options)?;
        batch.min_time = min_time;
        Ok(batch)
    };
    let batch = decoded(&api, &principal, body, decode).await?;
    let held = match query.history {
        Some(true) => stored_before(&api, &batch).await?,
        _ => Held::default(),
    };
    let accepted = api.intake.take_beside(&batch, &held).await.map_err(|error| problems::ingest(&error))?;
    let result = WriteResult::from(accepted);
    if result.accepted + result.duplicate > 0 || result.rejected_total == 0 {
        return Ok(Json(result).into_response());
    }
    let first = result.rejected.first().map(|line| format!(": line {}: {}", line.line, line.reason));
    let detail = format!("nothing was stored, every line was refused{}", first.unwrap_or_default());
    let problem = Problem::unusable(detail);
    Ok(problem.respond_with(&NothingUsed { problem: &problem, result }))
}

/// Decodes and stores a body; comes back once what was good is durable.
pub(crate) async fn store(
    api: &ApiState,
    principal: &Principal,
    body: Bytes,
    decode: impl FnOnce(&[u8]) -> Result<RawBatch, IngestError> + Send + 'static,
) -> Result<Accepted, Problem> {
    let batch = decoded(api, principal, body, decode).await?;
    api.intake.accept(batch).await.map_err(|error| problems::ingest(&error))
}

async fn decoded(
    api: &ApiState,
    principal: &Principal,
    body: Bytes,
    decode: impl FnOnce(&[u8]) -> Result<RawBatch, IngestError> + Send + 'static,
) -> Result<RawBatch, Problem> {
    let decoded = off_thread(body.len(), move || decode(&body)).await?;
    let mut batch = decoded.map_err(|error| problems::ingest(&error))?;
    principal.spend_rows(batch.len(), api.clock.now())?;
    batch.writable = principal.writable();
    Ok(batch)
}

/// The readings that lake and log hold where those of a batch would go, if the intake is not sure of them.
/// They are asked for in pieces, as what is stored may be much more than what is sent.
async fn stored_before(api: &ApiState, batch: &RawBatch) -> Result<Held, Problem> {
    let Unsure { series, times } = api.intake.unsure(batch);
    let mut held = Held::default();
    let mut rest = times.as_slice();
    while let Some(first) = rest.first() {
        let in_reach = rest.partition_point(|time| time.saturating_sub(*first) < PIECE_US);
        let count = in_reach.max(PIECE_TIMES.min(rest.len()));
        let (piece, later) = rest.split_at(count);
        rest = later;
        let (from, to) = (Timestamp(*first), Timestamp(piece.last().unwrap_or(first).saturating_add(1)));
        let query = ReadingsQuery { series: series.clone(), from, to };
        let _turn = api.histories.acquire().await.map_err(|error| Problem::internal(&error))?;
        for stored in api.lake.readings(query).await.map_err(|error| problems::lake(&error))? {
            for (time, value) in stored.time.iter().zip(&stored.value) {
                if piece.binary_search(time).is_ok() {
                    held.add(stored.id, *time, *value);
                }
            }
        }
    }
    Ok(held)
}

impl From<Accepted> for WriteResult {
    fn from(accepted: Accepted) -> Self {
        Self {
            accepted: accepted.accepted,
            duplicate: accepted.duplicates,
            late: accepted.late,
            ahead: accepted.ahead,
            rejected: accepted.rejected,
            rejected_total: accepted.rejected_total,
        }
    }
}
