//! Assets: which there are, and what is known about one.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use axum::Json;
use axum::extract::State as Extract;
use forewarn_state::{Asset, State};
use forewarn_types::{AlertState, AssetPath, Offset, Timestamp, check_asset};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::access::Principal;
use crate::context::ApiState;
use crate::http::params::limit;
use crate::http::{AssetParam, Params, PathParam};
use crate::problem::{Problem, sets};
use crate::views::{AlertView, LifeEventView, PredictionView};

const LIMIT: usize = 1_000;
const MAX_LIMIT: usize = 10_000;

/// Which assets to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct AssetsQuery {
    /// Only this asset and those below it.
    under: Option<String>,
    /// Nested by levels (`children`) instead of a flat list.
    #[serde(default)]
    tree: bool,
    /// Most assets in the answer, 1 to 10000; default 1000.
    limit: Option<usize>,
    /// `next` of the previous answer.
    cursor: Option<String>,
}

/// A page of assets.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AssetPage {
    /// The assets, by path; with `tree` those of the uppermost level.
    #[schema(value_type = Vec<AssetNode>)]
    assets: Vec<AssetNode>,
    /// Where the next page begins; null if there is none.
    next: Option<String>,
}

/// An asset, or a level above assets.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct AssetNode {
    /// Its path.
    asset: String,
    /// Its name on its level.
    name: String,
    /// Its signals.
    signals: Vec<String>,
    /// Time of its newest reading.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_time: Option<Timestamp>,
    /// How many alerts are open on it, pending ones left out.
    open_alerts: usize,
    /// What is below it, with `tree`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(no_recursion)]
    children: Option<Vec<AssetNode>>,
}

/// What is known about one asset.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AssetDetail {
    /// Its path.
    asset: String,
    /// Its signals, each with its newest reading.
    signals: Vec<SignalView>,
    /// Its open alerts.
    alerts: Vec<AlertView>,
    /// The newest prediction.
    prediction: Option<PredictionView>,
    /// The newest prediction of each model.
    predictions: Vec<PredictionView>,
    /// Its life events, newest last.
    life_events: Vec<LifeEventView>,
}

/// A signal and its newest reading.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SignalView {
    /// Its name.
    signal: String,
    /// Its unit, if a pipeline declares one.
    unit: Option<String>,
    /// Time of the newest reading.
    #[schema(value_type = Option<String>, format = DateTime)]
    time: Option<Timestamp>,
    /// Its value.
    value: Option<f64>,
    /// Its quality: `good`, `uncertain` or `bad`.
    quality: Option<&'static str>,
    /// The log's record that holds it.
    #[schema(value_type = Option<u64>)]
    offset: Option<Offset>,
}

/// Lists assets with their signals, flat or as a tree.
#[utoipa::path(get, path = "/v1/assets", tag = "assets", params(AssetsQuery), responses(
    (status = 200, description = "The assets", body = AssetPage),
    sets::Parameters,
))]
pub(crate) async fn list_assets(
    Extract(api): Extract<ApiState>,
    principal: Principal,
    Params(query): Params<AssetsQuery>,
) -> Result<Json<AssetPage>, Problem> {
    let limit = limit(query.limit, LIMIT, MAX_LIMIT)?;
    let under = query.under.as_deref().map(|path| path.trim_end_matches('/')).filter(|path| !path.is_empty());
    if let Some(under) = under {
        check_asset(under).map_err(|error| Problem::bad_request(error.to_string()))?;
    }
    api.judged().await?;
    let state = api.state.read();
    // Everything under a path follows it in order, but not at once: `a-b` stands between `a` and `a/b`.
    let first =
        query.cursor.as_deref().map_or_else(|| Bound::Included(under.unwrap_or_default()), Bound::Excluded);
    let mut found = state
        .assets()
        .range::<str, _>((first, Bound::Unbounded))
        .filter(|(path, _)| principal.sees(path))
        .take_while(|(path, _)| under.is_none_or(|under| path.starts_with(under)))
        .filter(|(path, _)| {
            under.is_none_or(|under| path.len() == under.len() || path.as_bytes()[under.len()] == b'/')
        });
    let nodes: Vec<AssetNode> =
        found.by_ref().take(limit).map(|(path, asset)| node(&state, path, asset)).collect();
    let next = found.next().and_then(|_| nodes.last().map(|node| node.asset.clone()));
    let assets = if query.tree { nest(nodes) } else { nodes };
    Ok(Json(AssetPage { assets, next }))
}

/// One asset: newest readings, open alerts, predictions, life events.
#[utoipa::path(get, path = "/v1/assets/{asset}", tag = "assets",
    params(("asset" = String, Path, description = "The asset's path, percent-encoded: plant1%2Fpump7")),
    responses(
    (status = 200, description = "The asset", body = AssetDetail),
    sets::Parameters, sets::Missing,
))]
pub(crate) async fn get_asset(
    Extract(api): Extract<ApiState>,
    principal: Principal,
    PathParam(AssetParam(path)): PathParam<AssetParam>,
) -> Result<Json<AssetDetail>, Problem> {
    principal.check_sees(&path)?;
    api.judged().await?;
    let now = api.clock.now();
    let definitions = api.definitions.get();
    let state = api.state.read();
    let asset = state.asset(&path).ok_or_else(|| unknown(&path))?;
    let predictions =
        asset.predictions.values().map(|(_, prediction)| PredictionView::new(prediction, now)).collect();
    Ok(Json(AssetDetail {
        asset: path.to_string(),
        signals: signals(&api, &state, &path, asset),
        alerts: state
            .alerts()
            .open_of(&path)
            .filter(|alert| alert.state != AlertState::Pending)
            .map(|alert| AlertView::new(alert, &definitions))
            .collect(),
        prediction: state.prediction(&path, None).map(|(_, prediction)| PredictionView::new(prediction, now)),
        predictions,
        life_events: LifeEventView::of(asset),
    }))
}

/// The problem of an asset that is not known.
pub(crate) fn unknown(path: &str) -> Problem {
    Problem::not_found(format!("asset {path} is not known"))
        .hint("GET /v1/assets lists all; an asset exists from its first reading on")
}

fn signals(api: &ApiState, state: &State, path: &str, asset: &Asset) -> Vec<SignalView> {
    let view = |(name, id): (&forewarn_types::SignalName, &forewarn_types::SeriesId)| {
        let last = state.series(*id).and_then(|series| series.last);
        SignalView {
            signal: name.to_string(),
            unit: api.unit(path, name),
            time: last.map(|last| last.time),
            value: last.map(|last| last.value),
            quality: last.map(|last| last.quality.as_str()),
            offset: last.map(|last| last.offset),
        }
    };
    asset.signals.iter().map(view).collect()
}

fn node(state: &State, path: &AssetPath, asset: &Asset) -> AssetNode {
    let last_time =
        asset.signals.values().filter_map(|id| state.series(*id)?.last.map(|last| last.time)).max();
    AssetNode {
        asset: path.to_string(),
        name: last_level(path).to_owned(),
        signals: asset.signals.keys().map(ToString::to_string).collect(),
        last_time,
        open_alerts: state
            .alerts()
            .open_of(&Arc::clone(path))
            .filter(|alert| alert.state != AlertState::Pending)
            .count(),
        children: None,
    }
}

fn last_level(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Puts nodes below one another; levels that are no assets themselves are filled in.
fn nest(nodes: Vec<AssetNode>) -> Vec<AssetNode> {
    let mut all: BTreeMap<String, AssetNode> = BTreeMap::new();
    for node in nodes {
        let mut above = node.asset.as_str();
        while let Some((parent, _)) = above.rsplit_once('/') {
            let level = || AssetNode {
                asset: parent.to_owned(),
                name: last_level(parent).to_owned(),
                ..AssetNode::default()
            };
            all.entry(parent.to_owned()).or_insert_with(level);
            above = parent;
        }
        all.insert(node.asset.clone(), AssetNode { children: Some(Vec::new()), ..node });
    }
    // What is below comes later in order than what it is below of, so taking from the end finds every node
    // complete.
    let mut top = Vec::new();
    while let Some((path, mut node)) = all.pop_last() {
        node.children.get_or_insert_default().reverse();
        match path.rsplit_once('/').and_then(|(parent, _)| all.get_mut(parent)) {
            Some(parent) => parent.children.get_or_insert_default().push(node),
            None => top.push(node),
        }
    }
    top.reverse();
    top
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_has_each_asset_once_in_order() {
        let node = |path: &str| AssetNode {
            asset: path.into(),
            name: last_level(path).into(),
            ..AssetNode::default()
        };
        let tree = nest(vec![node("a"), node("a-b/x"), node("a/b/c"), node("a/d")]);
        let show = |nodes: &[AssetNode]| nodes.iter().map(|node| node.asset.clone()).collect::<Vec<_>>();
        assert_eq!(show(&tree), ["a", "a-b"]);
        let below = |node: &AssetNode| show(node.children.as_deref().unwrap());
        assert_eq!(below(&tree[0]), ["a/b", "a/d"]);
        assert_eq!(below(&tree[0].children.as_ref().unwrap()[0]), ["a/b/c"]);
        assert_eq!(below(&tree[1]), ["a-b/x"]);
    }
}
