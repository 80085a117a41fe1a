//! Large answers take their memory from one budget until they are sent, so that clients who ask much and read
//! nothing do not take all there is.

use axum::body::{Body, HttpBody as _};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::budget::Share;
use super::held::Held;
use crate::context::ApiState;
use crate::problem::Problem;

/// Answers up to this size are not counted: the number of connections bounds them.
const SMALL_BYTES: u64 = 64 << 10;
/// What an answer counts as whose size is not known, as it is computed while it is sent.
const STREAM_BYTES: usize = 1 << 20;

/// The layer.
pub(crate) async fn weigh(State(api): State<ApiState>, request: Request, next: Next) -> Response {
    // Pages of alerts are of bounded size, and are needed most when much goes wrong.
    let of_alerts = request.uri().path().starts_with("/v1/alerts");
    let response = next.run(request).await;
    let bytes = match response.body().size_hint().exact() {
        Some(bytes) if bytes <= SMALL_BYTES || of_alerts => return response,
        Some(bytes) => usize::try_from(bytes).unwrap_or(usize::MAX),
        None if is_event_stream(&response) => return response,
        None => STREAM_BYTES,
    };
    let mut share = Share::default();
    if !api.answers.try_grow(&mut share, bytes) {
        return Problem::unavailable("too many large answers wait to be read by those who asked")
            .hint("ask again later, ask for less at once, or raise connections.buffer_bytes")
            .into_response();
    }
    response.map(|body| Body::new(Held::new(body, share)))
}

fn is_event_stream(response: &Response) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    kind.is_some_and(|kind| kind.starts_with(b"text/event-stream"))
}
