//! What models say about assets: the newest statement of each. Older ones are in the table `predictions`.

use axum::Json;
use axum::extract::State as Extract;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::alerts::parse_glob;
use crate::context::ApiState;
use crate::http::params::limit;
use crate::http::{AssetParam, Params, PathParam};
use crate::problem::{Problem, sets};
use crate::views::PredictionView;

const LIMIT: usize = 1_000;
const MAX_LIMIT: usize = 10_000;

/// Which predictions to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct PredictionsQuery {
    /// Asset path, or a glob over paths: `plant1/**`.
    asset: Option<String>,
    /// Model.
    model: Option<String>,
    /// Most predictions in the answer, 1 to 10000; default 1000.
    limit: Option<usize>,
}

/// Predictions.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Predictions {
    /// The newest of each asset and model, soonest failure first.
    predictions: Vec<PredictionView>,
    /// Whether there are more than the answer holds.
    truncated: bool,
}

/// Which model to ask.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct PredictionQuery {
    /// The model; left out: the one that predicted last.
    model: Option<String>,
}

/// Lists the newest predictions, soonest failure first within a unit.
#[utoipa::path(get, path = "/v1/predictions", tag = "predictions", params(PredictionsQuery), responses(
    (status = 200, description = "The predictions", body = Predictions),
    sets::Parameters,
))]
pub(crate) async fn list_predictions(
    Extract(api): Extract<ApiState>,
    Params(query): Params<PredictionsQuery>,
) -> Result<Json<Predictions>, Problem> {
    let limit = limit(query.limit, LIMIT, MAX_LIMIT)?;
    let glob = query.asset.as_deref().filter(|text| !text.is_empty()).map(parse_glob).transpose()?;
    api.fresh().await?;
    let now = api.clock.now();
    let state = api.state.read();
    let mut found: Vec<_> = state
        .assets()
        .iter()
        .filter(|(path, _)| glob.as_ref().is_none_or(|glob| glob.matches(path)))
        .flat_map(|(_, asset)| asset.predictions.values())
        .map(|(_, prediction)| prediction)
        .filter(|prediction| query.model.as_ref().is_none_or(|model| *model == prediction.model))
        .collect();
    found.sort_by(|a, b| {
        a.unit.cmp(&b.unit).then(a.p50.total_cmp(&b.p50)).then_with(|| a.asset.cmp(&b.asset))
    });
    let truncated = found.len() > limit;
    let predictions =
        found.into_iter().take(limit).map(|prediction| PredictionView::new(prediction, now)).collect();
    Ok(Json(Predictions { predictions, truncated }))
}

/// The newest prediction about one asset.
#[utoipa::path(get, path = "/v1/assets/{asset}/prediction", tag = "predictions",
    params(("asset" = String, Path, description = "The asset's path, percent-encoded"), PredictionQuery),
    responses(
    (status = 200, description = "The prediction", body = PredictionView),
    sets::Parameters, sets::Missing,
))]
pub(crate) async fn get_prediction(
    Extract(api): Extract<ApiState>,
    PathParam(AssetParam(path)): PathParam<AssetParam>,
    Params(query): Params<PredictionQuery>,
) -> Result<Json<PredictionView>, Problem> {
    api.fresh().await?;
    let state = api.state.read();
    let (_, prediction) = state.prediction(&path, query.model.as_deref()).ok_or_else(|| {
        Problem::not_found(format!("there is no prediction about asset {path}"))
            .hint("a model must match the asset, have been trained, and have run: GET /v1/models")
    })?;
    Ok(Json(PredictionView::new(prediction, api.clock.now())))
}
