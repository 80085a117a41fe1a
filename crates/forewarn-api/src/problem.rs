//! Errors as clients see them: problem details after RFC 9457, always with a sentence that says what to do.

pub(crate) mod kind;
pub(crate) mod sets;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use forewarn_types::JournalError;
use serde::Serialize;
use utoipa::ToSchema;

use kind::Kind;

const RETRY_AFTER_S: u32 = 2;

/// A problem with a request, as `application/problem+json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Problem {
    /// Names the kind of problem; stable, for programs.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The kind of problem, for people.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What is wrong with this request.
    detail: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    #[serde(skip)]
    retry_after_s: Option<u32>,
}

impl Problem {
    fn new(kind: Kind, detail: impl Into<String>) -> Self {
        let words = kind.words();
        Self {
            kind: words.urn,
            title: words.title,
            status: words.status.as_u16(),
            detail: detail.into(),
            hint: None,
            retry_after_s: None,
        }
    }

    /// 400: the request cannot be understood or asks for something that is not allowed.
    #[must_use]
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(Kind::BadRequest, detail)
    }

    /// 401: the request does not say who sends it, or what it shows is not valid.
    #[must_use]
    pub fn unauthenticated(detail: impl Into<String>) -> Self {
        Self::new(Kind::Unauthenticated, detail)
    }

    /// 403: who sends the request may not do this.
    #[must_use]
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(Kind::Forbidden, detail)
    }

    /// 429: not so often; the same request may succeed after so many seconds.
    #[must_use]
    pub fn too_many(detail: impl Into<String>, seconds: u32) -> Self {
        let again = format!("try again in {seconds} s");
        Self { retry_after_s: Some(seconds), ..Self::new(Kind::TooMany, detail) }.hint(again)
    }

    /// 404: there is no such thing.
    #[must_use]
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(Kind::NotFound, detail)
    }

    /// 405: the route exists, the method does not.
    #[must_use]
    pub fn method_not_allowed(detail: impl Into<String>) -> Self {
        Self::new(Kind::MethodNotAllowed, detail)
    }

    /// 406: the answer does not exist in any form the client accepts.
    #[must_use]
    pub fn not_acceptable(detail: impl Into<String>) -> Self {
        Self::new(Kind::NotAcceptable, detail)
    }

    /// 408: the request body did not arrive in time.
    #[must_use]
    pub fn timeout(detail: impl Into<String>) -> Self {
        Self::new(Kind::Timeout, detail)
    }

    /// 409: the thing is in a state that does not allow it.
    #[must_use]
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(Kind::Conflict, detail)
    }

    /// 412: the thing is not what the sender read before.
    #[must_use]
    pub fn precondition_failed(detail: impl Into<String>) -> Self {
        Self::new(Kind::PreconditionFailed, detail)
    }

    /// 428: the sender must say what it read before.
    #[must_use]
    pub fn precondition_required(detail: impl Into<String>) -> Self {
        Self::new(Kind::PreconditionRequired, detail)
    }

    /// 413: the request body is too large.
    #[must_use]
    pub fn too_large(limit: usize) -> Self {
        let detail = format!("the request body is larger than {limit} bytes (after decompression)");
        Self::new(Kind::TooLarge, detail).hint("send it in parts, or raise limits.max_body_bytes")
    }

    /// 415: the body is compressed in a way that is not known.
    #[must_use]
    pub fn unsupported_encoding(encoding: &str) -> Self {
        let encoding: String = encoding.chars().take(40).collect();
        Self::new(Kind::UnsupportedEncoding, format!("Content-Encoding {encoding:?} is not known"))
            .hint("send the body uncompressed, or as gzip or deflate")
    }

    /// 422: the request is understood, but nothing of it can be used.
    #[must_use]
    pub fn unusable(detail: impl Into<String>) -> Self {
        Self::new(Kind::Unusable, detail)
    }

    /// 503: not now; the same request may succeed a little later.
    #[must_use]
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self { retry_after_s: Some(RETRY_AFTER_S), ..Self::new(Kind::Unavailable, detail) }
    }

    /// 500: a fault on this side. `error` goes to the server's log and not to the client.
    #[must_use]
    pub fn internal(error: &dyn std::fmt::Display) -> Self {
        tracing::error!(%error, "a request failed");
        Self::internal_silent()
    }

    /// 500, where the fault has been logged already.
    #[must_use]
    pub fn internal_silent() -> Self {
        Self::new(Kind::Internal, "the server could not answer this request")
            .hint("see the server's log; trying again may help")
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// What is wrong and what to do, in one sentence.
    pub(crate) fn message(&self) -> String {
        match &self.hint {
            Some(hint) => format!("{}; {hint}", self.detail),
            None => self.detail.clone(),
        }
    }

    /// What is wrong, without what to do.
    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    /// After how many seconds to try again.
    pub(crate) const fn retry_after_s(&self) -> Option<u32> {
        self.retry_after_s
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        self.respond_with(&self)
    }
}

impl Problem {
    /// The response to this problem with `body`, which has the problem's members and maybe more.
    pub(crate) fn respond_with(&self, body: &impl Serialize) -> Response {
        // A struct of texts and numbers always encodes; an empty body still carries the status.
        let body = serde_json::to_vec(body).unwrap_or_default();
        let mut response = (self.status(), body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(sets::MEDIA_TYPE));
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if self.status() == StatusCode::UNAUTHORIZED {
            // Not Basic, for which browsers would show a dialogue of their own.
            let how = HeaderValue::from_static("Bearer realm=\"forewarn\"");
            headers.insert(header::WWW_AUTHENTICATE, how);
        }
        response
    }
}

impl From<JournalError> for Problem {
    fn from(error: JournalError) -> Self {
        match error {
            JournalError::Full(_) => {
                Self::unavailable(error.to_string()).hint("nothing was stored; send the same request again")
            }
            JournalError::Stopped(_) => {
                tracing::error!(%error, "the log takes no more records");
                Self::unavailable("the log has stopped, nothing can be stored")
                    .hint("the reason is shown at /readyz; repair the disk and restart the server")
            }
            JournalError::Refused(reason) => Self::bad_request(format!("the log refuses this: {reason}")),
        }
    }
}
