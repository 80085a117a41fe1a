//! Request bodies: read with a bound in bytes and in time, unpacked, and parsed with errors that say where.
//!
//! A body takes its memory from a budget of all bodies as its bytes come in. So those who send slowly hold little,
//! and however many send at one time, the server has memory for its other work.

use std::time::Duration;

use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};
use bytes::Bytes;
use forewarn_ingest::IngestError;
use forewarn_ingest::decode::inflate;
use futures::StreamExt as _;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::budget::{Budget, Share};
use crate::context::ApiState;
use crate::problem::Problem;

/// A body gets this long to arrive. After that the sender is gone, or keeps the connection open on purpose.
const ARRIVAL: Duration = Duration::from_mins(1);
/// A body's sender may be silent for this long in all, and longer by a second for each [`LEAST_BYTES_PER_S`].
const GRACE: Duration = Duration::from_secs(10);
const LEAST_BYTES_PER_S: usize = 1 << 10;
/// Of a body that is too large, this many times the limit is read and dropped.
const DISCARDED_LIMITS: usize = 4;
/// Of a body for which there is no room, what comes within this time is read and dropped.
const DISCARDED_TIME: Duration = Duration::from_secs(2);
/// Bodies larger than this are unpacked and parsed off the threads that serve connections, and take their
/// memory from the budget. The number of connections bounds smaller ones well enough.
const SMALL_BYTES: usize = 64 << 10;
/// A compressed body may unpack to this many times its size; readings unpack to some ten times.
const MAX_RATIO: usize = 100;
/// But to so many bytes however small it is.
const ALWAYS_BYTES: usize = 1 << 20;

/// A body as bytes, unpacked, and its share of the memory for bodies; keep it as long as the body is in use.
pub(crate) struct RawBody(pub Bytes, pub Share);

impl FromRequest<ApiState> for RawBody {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &ApiState) -> Result<Self, Problem> {
        let limit = state.limits.max_body_bytes;
        let encoding = Encoding::of(request.headers())?;
        let announced = request
            .headers()
            .get(header::CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
        if announced.is_some_and(|bytes| bytes > limit) {
            // A client that asks before sending (`Expect: 100-continue`) waits for this answer and sends
            // nothing.
            if !request.headers().contains_key(header::EXPECT) {
                let _late =
                    tokio::time::timeout(ARRIVAL, discard(request.into_body().into_data_stream(), limit))
                        .await;
            }
            return Err(Problem::too_large(limit));
        }
        let mut share = Share::default();
        let body = tokio::time::timeout(ARRIVAL, read(request.into_body(), limit, &state.bodies, &mut share))
            .await
            .map_err(|_| {
                Problem::timeout(format!("the request body did not arrive within {} s", ARRIVAL.as_secs()))
            })??;
        match encoding {
            Encoding::Identity => Ok(Self(body, share)),
            Encoding::Compressed => unpack(body, limit, &state.bodies, share).await,
        }
    }
}

async fn read(
    body: axum::body::Body,
    limit: usize,
    budget: &Budget,
    share: &mut Share,
) -> Result<Bytes, Problem> {
    let mut stream = body.into_data_stream();
    let mut whole = Vec::new();
    let mut waited = Duration::ZERO;
    loop {
        let earned = Duration::from_secs((whole.len() / LEAST_BYTES_PER_S) as u64);
        let patience = (GRACE + earned).saturating_sub(waited);
        let begun = Instant::now();
        let next = tokio::time::timeout(patience, stream.next()).await.map_err(|_| slow(whole.len()))?;
        waited += begun.elapsed();
        let Some(chunk) = next else { return Ok(whole.into()) };
        let chunk = chunk
            .map_err(|error| Problem::bad_request(format!("the request body ended too early: {error}")))?;
        let bytes = whole.len() + chunk.len();
        if bytes > limit {
            drop(whole);
            discard(stream, limit).await;
            return Err(Problem::too_large(limit));
        }
        if bytes > SMALL_BYTES
            && let Err(no_room) = budget.grow(share, bytes).await
        {
            drop(whole);
            let _rest = tokio::time::timeout(DISCARDED_TIME, discard(stream, limit)).await;
            return Err(no_room);
        }
        whole.extend_from_slice(&chunk);
    }
}

fn slow(bytes: usize) -> Problem {
    let detail = format!(
        "the request body comes too slowly: {bytes} bytes, and then nothing; at least {LEAST_BYTES_PER_S} bytes \
         a second must come, after {} s",
        GRACE.as_secs()
    );
    Problem::timeout(detail)
}

/// Unpacks `body`. While that is under way its share is as large as what may come out.
async fn unpack(body: Bytes, limit: usize, budget: &Budget, mut share: Share) -> Result<RawBody, Problem> {
    let packed = body.len();
    let most = packed.saturating_mul(MAX_RATIO).max(ALWAYS_BYTES).min(limit);
    budget.grow(&mut share, packed + most).await?;
    let unpacked = off_thread(packed * 8, move || inflate(&body, most)).await?;
    match unpacked {
        Ok(body) => {
            share.shrink(body.len());
            Ok(RawBody(body.into(), share))
        }
        Err(IngestError::BodyTooLarge { .. }) if most < limit => {
            Err(Problem::bad_request(format!("the body unpacks to more than {MAX_RATIO} times its size"))
                .hint("send it unpacked, or in smaller parts"))
        }
        Err(error) => Err(crate::problems::ingest(&error)),
    }
}

/// Reads a body that is too large to its end, within limits: if the connection is closed while its sender
/// still writes, the sender never sees the answer.
async fn discard(mut stream: axum::body::BodyDataStream, limit: usize) {
    let mut left = limit.saturating_mul(DISCARDED_LIMITS);
    while let Some(Ok(chunk)) = stream.next().await {
        left = left.saturating_sub(chunk.len());
        if left == 0 {
            return;
        }
    }
}

enum Encoding {
    Identity,
    Compressed,
}

impl Encoding {
    fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let Some(value) = headers.get(header::CONTENT_ENCODING) else { return Ok(Self::Identity) };
        let name = value.to_str().unwrap_or("?").trim().to_ascii_lowercase();
        match name.as_str() {
            "" | "identity" => Ok(Self::Identity),
            "gzip" | "x-gzip" | "deflate" => Ok(Self::Compressed),
            other => Err(Problem::unsupported_encoding(other)),
        }
    }
}

/// Runs `work` on about `bytes` bytes where it keeps no connection waiting.
///
/// # Errors
/// A [`Problem`] if `work` panicked.
pub(crate) async fn off_thread<T: Send + 'static>(
    bytes: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    if bytes <= SMALL_BYTES {
        return Ok(work());
    }
    tokio::task::spawn_blocking(work).await.map_err(|error| Problem::internal(&error))
}

/// A JSON body.
pub(crate) struct ApiJson<T>(pub T);

impl<T: DeserializeOwned> FromRequest<ApiState> for ApiJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &ApiState) -> Result<Self, Problem> {
        let is_json = check_is_json(request.headers());
        let RawBody(body, _share) = RawBody::from_request(request, state).await?;
        if body.is_empty() {
            return Err(Problem::bad_request("the request has no body; send a JSON object"));
        }
        is_json?;
        parse(&body).map(Self)
    }
}

/// A JSON body that may be left out.
pub(crate) struct OptionalJson<T>(pub T);

impl<T: DeserializeOwned + Default> FromRequest<ApiState> for OptionalJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &ApiState) -> Result<Self, Problem> {
        let is_json = check_is_json(request.headers());
        let RawBody(body, _share) = RawBody::from_request(request, state).await?;
        if body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self(T::default()));
        }
        is_json?;
        parse(&body).map(Self)
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| {
        Problem::bad_request(format!("the request body is not what this route takes: {error}"))
    })
}

/// Accepts JSON only, and only where it is called so: a foreign page in a user's browser can post forms, plain
/// text and bodies without a type to this server, but not JSON.
fn check_is_json(headers: &HeaderMap) -> Result<(), Problem> {
    let text = headers.get(header::CONTENT_TYPE).map_or("", |value| value.to_str().unwrap_or("?"));
    let kind = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json")) {
        return Ok(());
    }
    let shown: String = kind.chars().take(80).collect();
    let sent = if shown.is_empty() { "a body without a type".to_owned() } else { shown };
    Err(Problem::unsupported_type(format!("this route takes JSON, not {sent}"))
        .hint("add the header Content-Type: application/json (curl: -H content-type:application/json)"))
}
