//! HTTP requests, and what their answers mean.

use std::fmt::Write as _;
use std::time::Duration;

use reqwest::{Client, RequestBuilder, Response, StatusCode, header};

use crate::refusal::Refusal;

/// The longest that the other side may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest that the other side may ask to be left alone.
const MAX_AFTER: Duration = Duration::from_hours(1);
/// So much of an answer is kept.
const MAX_ANSWER: usize = 200;

/// A client for all channels.
pub(super) fn client() -> Result<Client, String> {
    Client::builder()
        .timeout(TIMEOUT)
        .connect_timeout(CONNECT_TIMEOUT)
        .user_agent(concat!("forewarn/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(|error| format!("cannot make an HTTP client: {error}"))
}

/// Sends a request; gives the status, or what went wrong.
pub(super) async fn send(request: RequestBuilder, key: &str) -> Result<String, Refusal> {
    let request = request.header("Idempotency-Key", key);
    let response = request.send().await.map_err(|error| Refusal::new(in_full(&error)))?;
    let status = response.status();
    if status.is_success() {
        return Ok(status.to_string());
    }
    let after = retry_after(&response)
        .filter(|_| matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE));
    let answer = response.text().await.unwrap_or_default();
    let answer: String = answer.chars().filter(|c| !c.is_control()).take(MAX_ANSWER).collect();
    let text = if answer.is_empty() { status.to_string() } else { format!("{status}: {answer}") };
    Err(Refusal { text, after })
}

fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(MAX_AFTER))
}

/// The error and what caused it, without the URL, which may hold a secret.
fn in_full(error: &reqwest::Error) -> String {
    let mut text = if error.is_timeout() {
        "no answer in time".to_owned()
    } else if error.is_connect() {
        "cannot connect".to_owned()
    } else {
        "the request failed".to_owned()
    };
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}
