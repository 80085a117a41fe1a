//! Attributes of assets: numbers, texts and flags that are known of a machine. Expressions use numbers and
//! flags as `asset.NAME`.

use axum::Json;
use axum::extract::State as Extract;
use forewarn_types::{AssetPath, AttributeMap, Attributes, Offset, Record, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::assets::unknown;
use super::commands::check_text;
use crate::access::Principal;
use crate::context::ApiState;
use crate::http::{ApiJson, AssetParam, PathParam};
use crate::problem::{Problem, sets};

const MAX_ACTOR_BYTES: usize = 128;

/// All attributes of an asset.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AttributesBody {
    /// Each is a number, a text, or true or false. Those that are not here are taken away.
    #[schema(value_type = Object, example = json!({"vib_high": 4.5, "criticality": "A"}))]
    attributes: AttributeMap,
    /// Who says so.
    actor: Option<String>,
}

/// The attributes of an asset.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AttributesView {
    asset: String,
    /// All of them.
    #[schema(value_type = Object)]
    attributes: AttributeMap,
    /// Since when they are these; null if none were given so far.
    #[schema(value_type = Option<String>, format = DateTime)]
    time: Option<Timestamp>,
    /// Who said so.
    actor: Option<String>,
    /// Where the record stands in the log.
    #[schema(value_type = Option<u64>)]
    offset: Option<Offset>,
}

/// The attributes of an asset.
#[utoipa::path(get, path = "/v1/assets/{asset}/attributes", tag = "assets",
    params(("asset" = String, Path, description = "The asset's path, percent-encoded")), responses(
    (status = 200, description = "Its attributes", body = AttributesView),
    sets::Parameters, sets::Missing,
))]
pub(crate) async fn get_attributes(
    Extract(api): Extract<ApiState>,
    principal: Principal,
    PathParam(AssetParam(asset)): PathParam<AssetParam>,
) -> Result<Json<AttributesView>, Problem> {
    principal.check_sees(&asset)?;
    api.fresh().await?;
    if api.attributes.of(&asset).is_none() && api.state.read().asset(&asset).is_none() {
        return Err(unknown(&asset));
    }
    Ok(Json(view(&api, &asset)))
}

/// Gives an asset other attributes, all at once. Rules and derived signals that use them judge anew by the
/// newest values.
#[utoipa::path(put, path = "/v1/assets/{asset}/attributes", tag = "assets", request_body = AttributesBody,
    params(("asset" = String, Path, description = "The asset's path, percent-encoded")), responses(
    (status = 200, description = "Its attributes from now on", body = AttributesView),
    sets::Body,
))]
pub(crate) async fn put_attributes(
    Extract(api): Extract<ApiState>,
    principal: Principal,
    PathParam(AssetParam(asset)): PathParam<AssetParam>,
    ApiJson(body): ApiJson<AttributesBody>,
) -> Result<Json<AttributesView>, Problem> {
    Attributes::check(&body.attributes).map_err(Problem::bad_request)?;
    let actor = principal.actor(check_text("actor", body.actor, MAX_ACTOR_BYTES)?)?;
    let time = api.clock.now();
    let record = Attributes { asset: asset.clone(), attributes: body.attributes, actor, time };
    let offset = api.log.append(Record::Attributes(record.clone())).await?;
    // They are durable from here on; at worst their effect is not visible yet.
    let _ = api.judged().await;
    let Attributes { attributes, actor, .. } = record;
    let view = AttributesView {
        asset: asset.to_string(),
        attributes,
        time: Some(time),
        actor,
        offset: Some(offset),
    };
    Ok(Json(view))
}

fn view(api: &ApiState, asset: &AssetPath) -> AttributesView {
    let asset_name = asset.to_string();
    match api.attributes.of(asset) {
        Some((offset, Attributes { attributes, actor, time, .. })) => {
            AttributesView { asset: asset_name, attributes, time: Some(time), actor, offset: Some(offset) }
        }
        None => AttributesView {
            asset: asset_name,
            attributes: AttributeMap::new(),
            time: None,
            actor: None,
            offset: None,
        },
    }
}
