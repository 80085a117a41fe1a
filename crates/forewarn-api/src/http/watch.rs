//! What happens around every request: it is counted and timed, and a panic becomes an answer.

use std::any::Any;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use crate::context::ApiState;
use crate::problem::Problem;

/// Counts the request by route, method and status, and times it by route.
pub(crate) async fn measure(State(api): State<ApiState>, request: Request, next: Next) -> Response {
    // The template, not the path: paths are without number.
    let route = request.extensions().get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str).to_owned();
    let method = match request.method().as_str() {
        known @ ("GET" | "HEAD" | "POST" | "PUT" | "DELETE" | "PATCH" | "OPTIONS") => known.to_owned(),
        _ => "other".to_owned(),
    };
    // Latency is measured on tokio's monotonic clock, as the server's own clock may be a simulated one.
    let begun = tokio::time::Instant::now();
    let response = next.run(request).await;
    let status = response.status();
    let elapsed = begun.elapsed();
    let labels = [("route", route.as_str()), ("method", method.as_str()), ("status", status.as_str())];
    api.metrics.counter("forewarn_http_requests_total", "HTTP requests answered.", &labels).inc();
    api.metrics
        .histogram(
            "forewarn_http_request_duration_seconds",
            "Time until an answer began.",
            &[("route", route.as_str())],
        )
        .observe(elapsed);
    tracing::debug!(%method, %route, status = status.as_u16(), micros = elapsed.as_micros(), "request");
    response
}

/// The answer in place of a handler that panicked.
#[expect(clippy::needless_pass_by_value, reason = "this is how the layer hands it over")]
pub(crate) fn panicked(cause: Box<dyn Any + Send>) -> Response {
    let text =
        cause.downcast_ref::<String>().map(String::as_str).or_else(|| cause.downcast_ref::<&str>().copied());
    tracing::error!(
        panic = text.unwrap_or("unknown"),
        "a request handler panicked; this is a fault of the program"
    );
    Problem::internal_silent().into_response()
}
