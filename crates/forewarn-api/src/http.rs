//! What all routes share: who may ask, request bodies, query parameters, hints.

pub(crate) mod answers;
pub(crate) mod body;
pub(crate) mod budget;
pub(crate) mod guard;
pub(crate) mod held;
pub(crate) mod hint;
pub(crate) mod hub;
pub(crate) mod params;
pub(crate) mod peer;
pub(crate) mod streams;
pub(crate) mod watch;

pub(crate) use body::{ApiJson, RawBody};
pub(crate) use params::{AssetParam, Params, PathParam, TimeInput};
