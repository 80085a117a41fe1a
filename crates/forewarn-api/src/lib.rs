//! The HTTP API: readings in, alerts, history, predictions and operators' actions out.
//!
//! Handlers are thin. What they answer comes from one of three places: the read model (in `forewarn-state`, a
//! fold over the log), the lake (with the log's tail), or another stage's handle. What they change goes into
//! the log and nowhere else. A handler that reads first waits until the read model has reached the log's end
//! as it was when the request came, so that a client that got "accepted" as an answer also sees the effect.
//!
//! Every route is registered together with its description, so `/openapi.json` cannot leave one out.

mod access;
mod context;
mod error;
mod http;
mod problem;
mod problems;
mod routes;
mod server;
mod views;

#[cfg(test)]
mod tests;

pub use access::{Access, AssetScope, AuditWriter, Principal, Random, Role, UsersParts};
pub use context::{ApiComponents, ApiState};
pub use error::ApiError;
pub use problem::Problem;
pub use server::Api;
pub use views::{AlertDetail, AlertEvent, AlertView, LifeEventView, PredictionView, TransitionView};
