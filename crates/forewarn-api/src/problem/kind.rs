//! The kinds of problems: one list for the answers themselves and for their description.

use axum::http::StatusCode;

/// What kind of problem a request met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    BadRequest,
    NotFound,
    MethodNotAllowed,
    NotAcceptable,
    Timeout,
    Conflict,
    TooLarge,
    UnsupportedEncoding,
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
    /// The name in the description of the API.
    pub name: &'static str,
    /// What the description of the API says about it.
    pub about: &'static str,
}

impl Kind {
    /// All kinds.
    pub(crate) const ALL: [Self; 10] = [
        Self::BadRequest,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::NotAcceptable,
        Self::Timeout,
        Self::Conflict,
        Self::TooLarge,
        Self::UnsupportedEncoding,
        Self::Internal,
        Self::Unavailable,
    ];

    /// How this kind is written.
    pub(crate) const fn words(self) -> Words {
        match self {
            Self::BadRequest => Words {
                status: StatusCode::BAD_REQUEST,
                urn: "urn:forewarn:problem:bad-request",
                title: "Bad request",
                name: "BadRequest",
                about: "The request is not valid, or asks for too much",
            },
            Self::NotFound => Words {
                status: StatusCode::NOT_FOUND,
                urn: "urn:forewarn:problem:not-found",
                title: "Not found",
                name: "NotFound",
                about: "The path names something that does not exist",
            },
            Self::MethodNotAllowed => Words {
                status: StatusCode::METHOD_NOT_ALLOWED,
                urn: "urn:forewarn:problem:method-not-allowed",
                title: "Method not allowed",
                name: "MethodNotAllowed",
                about: "The route does not take this method",
            },
            Self::NotAcceptable => Words {
                status: StatusCode::NOT_ACCEPTABLE,
                urn: "urn:forewarn:problem:not-acceptable",
                title: "Not acceptable",
                name: "NotAcceptable",
                about: "The answer does not exist in any form that the client accepts",
            },
            Self::Timeout => Words {
                status: StatusCode::REQUEST_TIMEOUT,
                urn: "urn:forewarn:problem:timeout",
                title: "Request timeout",
                name: "RequestTimeout",
                about: "The body did not arrive in time",
            },
            Self::Conflict => Words {
                status: StatusCode::CONFLICT,
                urn: "urn:forewarn:problem:conflict",
                title: "Conflict",
                name: "Conflict",
                about: "The present state does not allow this, or there is nothing to do",
            },
            Self::TooLarge => Words {
                status: StatusCode::PAYLOAD_TOO_LARGE,
                urn: "urn:forewarn:problem:too-large",
                title: "Request too large",
                name: "RequestTooLarge",
                about: "The body is too large",
            },
            Self::UnsupportedEncoding => Words {
                status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
                urn: "urn:forewarn:problem:unsupported-encoding",
                title: "Unsupported content encoding",
                name: "UnsupportedEncoding",
                about: "The body is compressed in an unknown way",
            },
            Self::Internal => Words {
                status: StatusCode::INTERNAL_SERVER_ERROR,
                urn: "urn:forewarn:problem:internal",
                title: "Internal error",
                name: "InternalError",
                about: "The server has a fault",
            },
            Self::Unavailable => Words {
                status: StatusCode::SERVICE_UNAVAILABLE,
                urn: "urn:forewarn:problem:unavailable",
                title: "Unavailable",
                name: "Unavailable",
                about: "Not now; try again after the time in Retry-After",
            },
        }
    }
}
