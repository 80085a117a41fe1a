//! What all routes share: request bodies, query parameters, hints.

pub(crate) mod body;
pub(crate) mod hint;
pub(crate) mod params;
pub(crate) mod watch;

pub(crate) use body::{ApiJson, RawBody};
pub(crate) use params::{AssetParam, Params, PathParam, TimeInput};
