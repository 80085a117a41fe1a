//! What models say about assets: the newest statement of each. Older ones are in the table `predictions`.

use axum::Json;
use axum::extract::State as Extract;
use forewarn_spec::Model;
use forewarn_state::{Asset, State};
use forewarn_types::{LifeEvent, LifeEventKind};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::alerts::parse_glob;
use super::assets::unknown;
use crate::access::Principal;
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
    principal: Principal,
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
        .filter(|(path, _)| principal.sees(path))
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
    principal: Principal,
    PathParam(AssetParam(path)): PathParam<AssetParam>,
    Params(query): Params<PredictionQuery>,
) -> Result<Json<PredictionView>, Problem> {
    principal.check_sees(&path)?;
    api.fresh().await?;
    let state = api.state.read();
    match state.prediction(&path, query.model.as_deref()) {
        Some((_, prediction)) => Ok(Json(PredictionView::new(prediction, api.clock.now()))),
        None => Err(none(&api, &principal, &state, &path, query.model.as_deref())),
    }
}

/// Why there is no prediction about the asset.
fn none(api: &ApiState, principal: &Principal, state: &State, path: &str, asked: Option<&str>) -> Problem {
    let Some(asset) = state.asset(path) else { return unknown(path) };
    let asked_for = |name: &str| asked.is_none_or(|asked| asked == name);
    let definitions = api.definitions.get();
    let models: Vec<&Model> = definitions.models.iter().filter(|model| asked_for(&model.name)).collect();
    if models.is_empty() {
        let missing = match asked {
            Some(asked) => format!("there is no model {}", asked.chars().take(80).collect::<String>()),
            None => "no model is defined".to_owned(),
        };
        return Problem::not_found(missing).hint("GET /v1/models lists all");
    }
    let matching: Vec<&Model> = models.iter().copied().filter(|model| model.assets.matches(path)).collect();
    if matching.is_empty() && principal.scope().is_some() {
        // Which assets the models are for is not for those who see only some.
        return Problem::not_found(format!("no model predicts about asset {path}"));
    }
    if matching.is_empty() {
        let whom: Vec<String> =
            models.iter().map(|model| format!("{} for {}", model.name, model.assets.as_str())).collect();
        return Problem::not_found(format!("no model predicts about asset {path}: {}", whom.join(", ")))
            .hint("change `assets` of the model's definition to have it predict about others");
    }
    let status = api.models.models();
    let reasons = matching.iter().map(|model| {
        let problem = status.iter().find(|status| status.model == model.name).and_then(|s| s.problem.clone());
        let reason = problem.unwrap_or_else(|| reason(model, asset));
        format!("{}: {reason}", model.name)
    });
    let reasons = reasons.collect::<Vec<_>>().join("; ");
    Problem::not_found(format!("there is no prediction about asset {path}. {reasons}"))
}

/// Why a model that is trained has said nothing about `asset`.
pub(crate) fn reason(model: &Model, asset: &Asset) -> String {
    let never = model.signals.iter().filter(|signal| !asset.signals.contains_key(*signal));
    let never: Vec<&str> = never.map(|signal| &**signal).collect();
    if !never.is_empty() {
        return format!("the asset has never sent {}, which the model uses", never.join(", "));
    }
    let last = asset.events().max_by_key(|(offset, event)| (event.time, *offset));
    if let Some((
        _,
        LifeEvent { event: event @ (LifeEventKind::Failed | LifeEventKind::Retired), time, .. },
    )) = last
    {
        return format!(
            "the asset's life has ended ({} at {time}); post `installed` or `repaired` when it runs again",
            event.as_str()
        );
    }
    "it has not run since the asset's life began and it sent all signals together; \
     POST /v1/models/{model}/predict has it run now"
        .replace("{model}", &model.name)
}
