//! Request bodies, read with a bound in bytes and in time, unpacked, and parsed with errors that say where.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};
use bytes::Bytes;
use forewarn_ingest::decode::inflate;
use futures::StreamExt as _;
use serde::de::DeserializeOwned;
use tokio::sync::OwnedSemaphorePermit;

use crate::context::ApiState;
use crate::problem::Problem;

/// A body gets this long to arrive. After that the sender is gone, or keeps the connection open on purpose.
const ARRIVAL: Duration = Duration::from_mins(1);
/// Of a body that is too large, this many times the limit is read and dropped.
const DISCARDED_LIMITS: usize = 4;
/// Bodies larger than this are unpacked and parsed off the threads that serve connections.
const SMALL_BYTES: usize = 64 << 10;

/// A body as bytes, unpacked, and the permit to hold it in memory; keep it as long as the body is in use.
pub(crate) struct RawBody(pub Bytes, pub Option<OwnedSemaphorePermit>);

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
        // Small bodies need no permit: the number of connections bounds them well enough, and many slow
        // senders of large bodies cannot block them.
        let permit = match announced {
            Some(bytes) if bytes <= SMALL_BYTES => None,
            _ => Arc::clone(&state.large_bodies).acquire_owned().await.ok(),
        };
        let body =
            tokio::time::timeout(ARRIVAL, read(request.into_body(), limit)).await.map_err(|_| {
                Problem::timeout(format!("the request body did not arrive within {} s", ARRIVAL.as_secs()))
            })??;
        match encoding {
            Encoding::Identity => Ok(Self(body, permit)),
            Encoding::Compressed => {
                let unpacked = off_thread(body.len() * 8, move || inflate(&body, limit)).await?;
                unpacked
                    .map(|body| Self(body.into(), permit))
                    .map_err(|error| crate::problems::ingest(&error))
            }
        }
    }
}

async fn read(body: axum::body::Body, limit: usize) -> Result<Bytes, Problem> {
    let mut stream = body.into_data_stream();
    let mut whole = Vec::new();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk
            .map_err(|error| Problem::bad_request(format!("the request body ended too early: {error}")))?;
        if whole.len() + chunk.len() > limit {
            drop(whole);
            discard(stream, limit).await;
            return Err(Problem::too_large(limit));
        }
        whole.extend_from_slice(&chunk);
    }
    Ok(whole.into())
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
        check_is_json(request.headers())?;
        let RawBody(body, _permit) = RawBody::from_request(request, state).await?;
        parse(&body).map(Self)
    }
}

/// A JSON body that may be left out.
pub(crate) struct OptionalJson<T>(pub T);

impl<T: DeserializeOwned + Default> FromRequest<ApiState> for OptionalJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &ApiState) -> Result<Self, Problem> {
        let is_json = check_is_json(request.headers());
        let RawBody(body, _permit) = RawBody::from_request(request, state).await?;
        if body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self(T::default()));
        }
        is_json?;
        parse(&body).map(Self)
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    if body.is_empty() {
        return Err(Problem::bad_request("the request has no body; send a JSON object"));
    }
    serde_json::from_slice(body).map_err(|error| {
        Problem::bad_request(format!("the request body is not what this route takes: {error}"))
    })
}

/// Accepts JSON only: a foreign page in a user's browser can post forms and plain text to this server, but
/// not JSON.
fn check_is_json(headers: &HeaderMap) -> Result<(), Problem> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let text = value.to_str().unwrap_or("?");
    let kind = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json")) {
        return Ok(());
    }
    let shown: String = kind.chars().take(80).collect();
    Err(Problem::bad_request(format!("this route takes JSON, not {shown:?}"))
        .hint("send the header Content-Type: application/json"))
}
