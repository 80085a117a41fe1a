//! Life events: when machines were installed, repaired, failed and retired. Training needs them as labels.

use axum::Json;
use axum::extract::State as Extract;
use axum::http::StatusCode;
use forewarn_types::{AssetPath, LifeEvent, LifeEventKind, Offset, Record, Timestamp, did_you_mean};
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
/// Most assets among which one of a similar name is looked for.
const MAX_COMPARED: usize = 50_000;

/// What happened to a machine.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LifeEventBody {
    /// `installed`, `repaired`, `failed` or `retired`; or `withdrawn`, to take back the event that `corrects`
    /// names.
    #[schema(example = "failed")]
    event: String,
    /// When it happened; left out: now, or when the event that it corrects happened.
    #[schema(value_type = Option<String>, format = DateTime)]
    time: Option<TimeInput>,
    /// Who reports it.
    actor: Option<String>,
    /// A comment.
    comment: Option<String>,
    /// The `offset` of an event of this asset that was wrong: this one takes its place. Both stay on record.
    corrects: Option<u64>,
    /// Whether the asset may be one that nothing has been heard of so far.
    #[serde(default)]
    new_asset: bool,
}

/// The life events of an asset.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LifeEvents {
    /// The asset.
    asset: String,
    /// Its newest 200 events, in the order they were recorded; the table `life_events` has all.
    life_events: Vec<LifeEventView>,
}

/// Records what happened to a machine, or corrects what was recorded.
#[utoipa::path(post, path = "/v1/assets/{asset}/life-events", tag = "assets", request_body = LifeEventBody,
    params(("asset" = String, Path, description = "The asset's path, percent-encoded")), responses(
    (status = 201, description = "Recorded", body = LifeEventView),
    sets::Body, sets::Missing, sets::Refused,
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
            .hint("events are installed, repaired, failed, retired, and withdrawn, which takes one back")
    })?;
    principal.check_sees(&asset)?;
    api.fresh().await?;
    let corrected = match body.corrects {
        Some(offset) => Some(correctable(&api, &asset, Offset(offset))?),
        None if kind == LifeEventKind::Withdrawn => {
            return Err(Problem::bad_request("corrects must name the event that is withdrawn")
                .hint("GET /v1/assets/{asset}/life-events shows the offset of each"));
        }
        None => None,
    };
    let now = api.clock.now();
    let time = body.time.map_or(corrected.unwrap_or(now), |time| time.0);
    if time.0 < 0 || time.since_us(now) > api.limits.max_future_us {
        return Err(Problem::bad_request(format!(
            "the time {time} is before 1970 or in the future; the server's clock shows {now}"
        )));
    }
    if !body.new_asset && api.state.read().asset(&asset).is_none() {
        return Err(unheard_of(&api, &principal, &asset));
    }
    let event = LifeEvent {
        asset,
        event: kind,
        time,
        actor: principal.actor(check_text("actor", body.actor, MAX_ACTOR_BYTES)?)?,
        comment: check_text("comment", body.comment, MAX_COMMENT_BYTES)?,
        corrects: body.corrects.map(Offset),
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
    principal: Principal,
    PathParam(AssetParam(path)): PathParam<AssetParam>,
) -> Result<Json<LifeEvents>, Problem> {
    principal.check_sees(&path)?;
    api.fresh().await?;
    let state = api.state.read();
    let asset = state.asset(&path).ok_or_else(|| unknown(&path))?;
    Ok(Json(LifeEvents { asset: path.to_string(), life_events: LifeEventView::of(asset) }))
}

/// When the event at `offset` happened, which is to be corrected.
fn correctable(api: &ApiState, path: &AssetPath, offset: Offset) -> Result<Timestamp, Problem> {
    let state = api.state.read();
    let known = state.asset(path).and_then(|asset| {
        let (_, event) = asset.lives.iter().find(|(at, _)| *at == offset)?;
        Some((event, asset.correction_of(offset)))
    });
    match known {
        None => Err(Problem::not_found(format!("asset {path} has no life event {offset}"))
            .hint("GET /v1/assets/{asset}/life-events shows the offset of each of its newest ones")),
        Some((_, Some(by))) => Err(Problem::conflict(format!(
            "life event {offset} of asset {path} has been corrected already, by {by}; correct that one"
        ))),
        Some((event, _)) if event.event == LifeEventKind::Withdrawn => Err(Problem::conflict(format!(
            "life event {offset} of asset {path} withdraws another one; post that one again"
        ))),
        Some((event, None)) => Ok(event.time),
    }
}

/// Nothing has been heard of the asset: most likely its name is misspelt.
fn unheard_of(api: &ApiState, principal: &Principal, path: &AssetPath) -> Problem {
    let state = api.state.read();
    let known = state.assets().keys().take(MAX_COMPARED).map(|known| &**known);
    let known = known.filter(|known| principal.sees(known));
    let meant = did_you_mean(path, known).map(|meant| format!("did you mean {meant}? ")).unwrap_or_default();
    Problem::not_found(format!("nothing has been heard of asset {path} so far")).hint(format!(
        "{meant}GET /v1/assets lists all; give \"new_asset\": true if it is new and its readings are \
         still to come"
    ))
}
