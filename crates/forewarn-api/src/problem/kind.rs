//! The kinds of problems: one list for the answers themselves and for their description.

use axum::http::StatusCode;

/// What kind of problem a request met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    BadRequest,
    Unauthenticated,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    NotAcceptable,
    Timeout,
    Conflict,
    PreconditionFailed,
    TooLarge,
    UnsupportedEncoding,
    UnsupportedType,
    Misdirected,
    Unusable,
    PreconditionRequired,
    TooMany,
    Internal,
    Unavailable,
}

/// How a kind of problem is written.
pub(crate) struct Words {
    /// The HTTP status.
    pub status: StatusCode,
    /// The name for programs; it never changes.
    pub urn: &'static str,
    /// The title for people.
    pub title: &'static str,
    /// What the description of the API says about it.
    pub about: &'static str,
}

impl Kind {
    /// All kinds.
    pub(crate) const ALL: [Self; 18] = [
        Self::BadRequest,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::NotAcceptable,
        Self::Timeout,
        Self::Conflict,
        Self::PreconditionFailed,
        Self::TooLarge,
        Self::UnsupportedEncoding,
        Self::UnsupportedType,
        Self::Misdirected,
        Self::Unusable,
        Self::PreconditionRequired,
        Self::TooMany,
        Self::Internal,
        Self::Unavailable,
    ];

    /// How this kind is written.
    #[expect(clippy::too_many_lines, reason = "it is a table")]
    pub(crate) const fn words(self) -> Words {
        match self {
            Self::BadRequest => words(
                StatusCode::BAD_REQUEST,
                "urn:forewarn:problem:bad-request",
                "Bad request",
                "The request is not valid, or asks for too much",
            ),
            Self::Unauthenticated => words(
                StatusCode::UNAUTHORIZED,
                "urn:forewarn:problem:unauthenticated",
                "Unauthenticated",
                "The request does not say who sends it, or what it shows is not valid",
            ),
            Self::Forbidden => words(
                StatusCode::FORBIDDEN,
                "urn:forewarn:problem:forbidden",
                "Forbidden",
                "Who sends the request may not do this, or a page of another site has asked for it",
            ),
            Self::NotFound => words(
                StatusCode::NOT_FOUND,
                "urn:forewarn:problem:not-found",
                "Not found",
                "The path names something that does not exist",
            ),
            Self::MethodNotAllowed => words(
                StatusCode::METHOD_NOT_ALLOWED,
                "urn:forewarn:problem:method-not-allowed",
                "Method not allowed",
                "The route does not take this method",
            ),
            Self::NotAcceptable => words(
                StatusCode::NOT_ACCEPTABLE,
                "urn:forewarn:problem:not-acceptable",
                "Not acceptable",
                "The answer does not exist in any form that the client accepts",
            ),
            Self::Timeout => words(
                StatusCode::REQUEST_TIMEOUT,
                "urn:forewarn:problem:timeout",
                "Request timeout",
                "The body did not arrive in time",
            ),
            Self::Conflict => words(
                StatusCode::CONFLICT,
                "urn:forewarn:problem:conflict",
                "Conflict",
                "The present state does not allow this, or there is nothing to do",
            ),
            Self::PreconditionFailed => words(
                StatusCode::PRECONDITION_FAILED,
                "urn:forewarn:problem:precondition-failed",
                "Precondition failed",
                "It has been changed since it was read",
            ),
            Self::TooLarge => words(
                StatusCode::PAYLOAD_TOO_LARGE,
                "urn:forewarn:problem:too-large",
                "Request too large",
                "The body is too large",
            ),
            Self::UnsupportedEncoding => words(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "urn:forewarn:problem:unsupported-encoding",
                "Unsupported content encoding",
                "The body is of a type, or compressed in a way, that the route does not take",
            ),
            Self::UnsupportedType => words(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "urn:forewarn:problem:unsupported-type",
                "Unsupported content type",
                "The body is of a type that the route does not take",
            ),
            Self::Misdirected => words(
                StatusCode::MISDIRECTED_REQUEST,
                "urn:forewarn:problem:misdirected",
                "Misdirected request",
                "The header Host names another server; the setting `hosts` lists the names of this one",
            ),
            Self::Unusable => words(
                StatusCode::UNPROCESSABLE_ENTITY,
                "urn:forewarn:problem:unusable",
                "Nothing could be used",
                "Every line was refused; the problem lists them as the answer of a write does",
            ),
            Self::PreconditionRequired => words(
                StatusCode::PRECONDITION_REQUIRED,
                "urn:forewarn:problem:precondition-required",
                "Precondition required",
                "The header If-Match is missing",
            ),
            Self::TooMany => words(
                StatusCode::TOO_MANY_REQUESTS,
                "urn:forewarn:problem:too-many",
                "Too many requests",
                "A limit is reached; try again after the time in Retry-After",
            ),
            Self::Internal => words(
                StatusCode::INTERNAL_SERVER_ERROR,
                "urn:forewarn:problem:internal",
                "Internal error",
                "The server has a fault",
            ),
            Self::Unavailable => words(
                StatusCode::SERVICE_UNAVAILABLE,
                "urn:forewarn:problem:unavailable",
                "Unavailable",
                "Not now; try again after the time in Retry-After",
            ),
        }
    }
}

const fn words(status: StatusCode, urn: &'static str, title: &'static str, about: &'static str) -> Words {
    Words { status, urn, title, about }
}
