//! Which problems a route may answer with, as the description of the API says it: sets with a name, so that
//! no route repeats what others say. The responses themselves stand once, under `components`.

use std::collections::BTreeMap;

use utoipa::IntoResponses;
use utoipa::openapi::{Components, Content, Ref, RefOr, Response, ResponseBuilder};

use super::kind::Kind;

/// The media type of problems.
pub(crate) const MEDIA_TYPE: &str = "application/problem+json";

type Responses = BTreeMap<String, RefOr<Response>>;

/// Makes a type of each set, for `responses(…)` of a route. They have no values.
macro_rules! sets {
    ($($(#[$about:meta])* $set:ident: $($kind:ident),+;)+) => {$(
        $(#[$about])*
        pub(crate) enum $set {}

        impl IntoResponses for $set {
            fn responses() -> Responses {
                [$(Kind::$kind),+].map(reference).into()
            }
        }
    )+};
}

sets! {
    /// Of a route with parameters.
    Parameters: BadRequest, Unavailable;
    /// Of a route that takes a body.
    Body: BadRequest, Timeout, TooLarge, UnsupportedEncoding, Unavailable;
    /// Of a route that takes lines, none of which could be used.
    Lines: Unusable;
    /// Of a route whose path names something.
    Missing: NotFound;
    /// Of a route that changes something, where its state allows it.
    Refused: Conflict;
    /// Of a route that replaces what was read before.
    Conditional: PreconditionFailed, PreconditionRequired;
    /// Of a route that answers in several forms.
    Forms: NotAcceptable;
    /// Of a route that cannot always answer.
    Busy: Unavailable;
}

/// The response of a kind, by its status.
pub(crate) fn reference(kind: Kind) -> (String, RefOr<Response>) {
    (kind.words().status.as_str().to_owned(), Ref::from_response_name(name(kind)).into())
}

/// The name under which the response stands.
fn name(kind: Kind) -> String {
    format!("{kind:?}")
}

/// Adds the responses that the sets refer to.
pub(crate) fn describe(components: &mut Components) {
    for kind in Kind::ALL {
        let content = Content::new(Some(Ref::from_schema_name("Problem")));
        let response = ResponseBuilder::new().description(kind.words().about).content(MEDIA_TYPE, content);
        components.responses.insert(name(kind), response.build().into());
    }
}
