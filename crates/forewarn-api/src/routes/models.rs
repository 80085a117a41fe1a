//! Models: which there are, their versions, and how to have them trained, run and put in force.

use axum::Json;
use axum::extract::State as Extract;
use axum::http::StatusCode;
use forewarn_models::{ModelStatus, VersionInfo};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::commands::check_text;
use super::jobs::{RunStarted, request};
use crate::access::Principal;
use crate::context::ApiState;
use crate::http::{ApiJson, PathParam};
use crate::problem::{Problem, sets};
use crate::problems;

const MAX_ACTOR_BYTES: usize = 128;
const MAX_REASON_BYTES: usize = 4_000;

/// All models.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Models {
    /// Each with the version it predicts with.
    #[schema(value_type = Vec<Object>)]
    models: Vec<ModelStatus>,
}

/// The versions of a model.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Versions {
    /// The model.
    model: String,
    /// Its versions with their metrics, newest first.
    #[schema(value_type = Vec<Object>)]
    versions: Vec<VersionInfo>,
}

/// Which version to put in force.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PromoteBody {
    /// The version.
    version: String,
    /// Who puts it in force.
    actor: Option<String>,
    /// Why. It stays on record, in the table `promotions`.
    reason: Option<String>,
}

/// Lists models, each with the version it predicts with.
#[utoipa::path(get, path = "/v1/models", tag = "models", responses(
    (status = 200, description = "The models", body = Models),
))]
pub(crate) async fn list_models(Extract(api): Extract<ApiState>) -> Json<Models> {
    api.models.read().await;
    Json(Models { models: api.models.models() })
}

/// Lists the versions of a model with their metrics.
#[utoipa::path(get, path = "/v1/models/{model}/versions", tag = "models",
    params(("model" = String, Path, description = "The model")), responses(
    (status = 200, description = "The versions", body = Versions),
    sets::Parameters, sets::Missing,
))]
pub(crate) async fn list_versions(
    Extract(api): Extract<ApiState>,
    PathParam(model): PathParam<String>,
) -> Result<Json<Versions>, Problem> {
    let versions = api.models.versions(&model).await.map_err(|error| problems::model(&error))?;
    Ok(Json(Versions { model, versions }))
}

/// Trains a model on all history up to now.
#[utoipa::path(post, path = "/v1/models/{model}/train", tag = "models",
    params(("model" = String, Path, description = "The model")), responses(
    (status = 202, description = "The run has been queued: GET /v1/jobs/runs/{run}", body = RunStarted),
    sets::Parameters, sets::Missing, sets::Refused,
))]
pub(crate) async fn train(
    Extract(api): Extract<ApiState>,
    principal: Principal,
    PathParam(model): PathParam<String>,
) -> Result<(StatusCode, Json<RunStarted>), Problem> {
    check(&api, &model)?;
    request(&api, &principal, &format!("train:{model}"), None, None).await
}

/// Has a model predict for all its assets.
#[utoipa::path(post, path = "/v1/models/{model}/predict", tag = "models",
    params(("model" = String, Path, description = "The model")), responses(
    (status = 202, description = "The run has been queued: GET /v1/jobs/runs/{run}", body = RunStarted),
    sets::Parameters, sets::Missing, sets::Refused,
))]
pub(crate) async fn predict(
    Extract(api): Extract<ApiState>,
    principal: Principal,
    PathParam(model): PathParam<String>,
) -> Result<(StatusCode, Json<RunStarted>), Problem> {
    check(&api, &model)?;
    request(&api, &principal, &format!("predict:{model}"), None, None).await
}

/// Puts a version of a model in force, on record.
#[utoipa::path(post, path = "/v1/models/{model}/promote", tag = "models", request_body = PromoteBody,
    params(("model" = String, Path, description = "The model")), responses(
    (status = 200, description = "The versions after it", body = Versions),
    sets::Body, sets::Missing, sets::Refused,
))]
pub(crate) async fn promote(
    Extract(api): Extract<ApiState>,
    principal: Principal,
    PathParam(model): PathParam<String>,
    ApiJson(body): ApiJson<PromoteBody>,
) -> Result<Json<Versions>, Problem> {
    let actor = principal.actor(check_text("actor", body.actor, MAX_ACTOR_BYTES)?)?;
    let reason = check_text("reason", body.reason, MAX_REASON_BYTES)?;
    let promoted = api.models.promote(&model, &body.version, actor, reason).await;
    promoted.map_err(|error| problems::model(&error))?;
    tracing::info!(actor = %principal, model, version = body.version, "a version was promoted");
    list_versions(Extract(api), PathParam(model)).await
}

fn check(api: &ApiState, model: &str) -> Result<(), Problem> {
    if api.models.models().iter().any(|known| known.model == model) {
        return Ok(());
    }
    let model: String = model.chars().take(80).collect();
    Err(Problem::not_found(format!("there is no model {model}")).hint("GET /v1/models lists all"))
}
