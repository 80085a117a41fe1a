//! Life events: when machines were installed, repaired, failed and retired. Training needs them as labels.

use axum::Json;
use axum::extract::State as Extract;
use axum::http::StatusCode;
use forewarn_types::{LifeEvent, LifeEventKind, Record};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::assets::unknown;
use super::commands::check_text;
use crate::access::Principal;
use crate::context::ApiState;
use crate::http::{ApiJson, AssetParam, PathParam, TimeInput};
use crate::problem::{Problem, sets};
use crate::views::LifeEventView;

const MAX_ACTOR_BYTES: usize = 128;
const MAX_COMMENT_BYTES: usize = 4_000;

/// What happened to a machine.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LifeEventBody {
    /// `installed`, `repaired`, `failed` or `retired`.
    #[schema(example = "failed")]
    event: String,
    /// When it happened; left out: now.
    #[schema(value_type = Option<String>, format = DateTime)]
    time: Option<TimeInput>,
    /// Who reports it.
    actor: Option<String>,
    /// A comment.
    comment: Option<String>,
}

/// The life events of an asset.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LifeEvents {
    /// The asset.
    asset: String,
    /// Its newest 200 events, in the order they were recorded; the table `life_events` has all.
    life_events: Vec<LifeEventView>,
}

/// Records what happened to a machine. The asset may be new.
#[utoipa::path(post, path = "/v1/assets/{asset}/life-events", tag = "assets", request_body = LifeEventBody,
    params(("asset" = String, Path, description = "The asset's path, percent-encoded")), responses(
    (status = 201, description = "Recorded", body = LifeEventView),
    sets::Body,
))]
pub(crate) async fn post_life_event(
    Extract(api): Extract<ApiState>,
    principal: Principal,
    PathParam(AssetParam(asset)): PathParam<AssetParam>,
    ApiJson(body): ApiJson<LifeEventBody>,
) -> Result<(StatusCode, Json<LifeEventView>), Problem> {
    let kind = LifeEventKind::parse(&body.event).ok_or_else(|| {
        let event: String = body.event.chars().take(40).collect();
        Problem::bad_request(format!("event {event:?} is not known"))
            .hint("events are installed, repaired, failed, retired")
    })?;
    let now = api.clock.now();
    let time = body.time.map_or(now, |time| time.0);
    if time.0 < 0 || time.since_us(now) > api.limits.max_future_us {
        return Err(Problem::bad_request(format!(
            "the time {time} is before 1970 or in the future; the server's clock shows {now}"
        )));
    }
    let event = LifeEvent {
        asset,
        event: kind,
        time,
        actor: principal.actor(check_text("actor", body.actor, MAX_ACTOR_BYTES)?),
        comment: check_text("comment", body.comment, MAX_COMMENT_BYTES)?,
    };
    let offset = api.log.append(Record::LifeEvent(event.clone())).await?;
    Ok((StatusCode::CREATED, Json(LifeEventView::new(offset, &event))))
}

/// What has happened to a machine.
#[utoipa::path(get, path = "/v1/assets/{asset}/life-events", tag = "assets",
    params(("asset" = String, Path, description = "The asset's path, percent-encoded")), responses(
    (status = 200, description = "Its life events", body = LifeEvents),
    sets::Parameters, sets::Missing,
))]
pub(crate) async fn get_life_events(
    Extract(api): Extract<ApiState>,
    PathParam(AssetParam(path)): PathParam<AssetParam>,
) -> Result<Json<LifeEvents>, Problem> {
    api.fresh().await?;
    let state = api.state.read();
    let asset = state.asset(&path).ok_or_else(|| unknown(&path))?;
    let life_events = asset.lives.iter().map(|(offset, event)| LifeEventView::new(*offset, event)).collect();
    Ok(Json(LifeEvents { asset: path.to_string(), life_events }))
}
