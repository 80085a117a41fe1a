//! What operators do with alerts. An action is a record in the log; it takes effect when the engine reads it
//! there.

use axum::Json;
use axum::extract::State as Extract;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use forewarn_types::{
    AlertState, CommandAction, Offset, OperatorCommand, Record, Timestamp, Transition, is_unprintable,
    parse_duration_us,
};
use serde::Deserialize;
use utoipa::ToSchema;

use super::alerts::{detail, parse_id, state_of};
use crate::access::Principal;
use crate::context::ApiState;
use crate::http::{ApiJson, PathParam, TimeInput};
use crate::problem::{Problem, sets};
use crate::views::AlertDetail;

pub(crate) const MAX_ACTOR_BYTES: usize = 128;
pub(crate) const MAX_COMMENT_BYTES: usize = 4_000;
/// ISA-18.2 asks that every shelving has an end.
const MAX_SHELF_US: i64 = 31 * 86_400_000_000;
const REASONS: [&str; 4] = ["true", "nuisance", "maintenance", "test"];

/// An operator's action.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ActionBody {
    /// Who acts. Where the server asks who sends a request, it is that name, and may be left out.
    #[schema(example = "anna")]
    actor: Option<String>,
    /// A comment; required by the action `comment`.
    comment: Option<String>,
    /// Whether the alert was right: `true`, `nuisance`, `maintenance` or `test`.
    reason: Option<String>,
}

/// An operator shelves an alert for a while.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ShelveBody {
    /// Who acts.
    actor: Option<String>,
    /// A comment.
    comment: Option<String>,
    /// Whether the alert was right: `true`, `nuisance`, `maintenance` or `test`.
    reason: Option<String>,
    /// Until when; at most 31 days from now.
    #[schema(value_type = Option<String>, format = DateTime)]
    until: Option<TimeInput>,
    /// For how long, instead of `until`: `30m`, `8h`, `2d`.
    duration: Option<String>,
}

/// An operator gives an alert to a person.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AssignBody {
    /// To whom; left out or empty: to no one any more.
    #[schema(example = "bert")]
    to: Option<String>,
    /// Who acts.
    actor: Option<String>,
    /// A comment.
    comment: Option<String>,
}

/// The answer to an action.
#[derive(utoipa::IntoResponses)]
pub(crate) enum Acted {
    /// The alert after the action
    #[response(status = 200)]
    Done(AlertDetail),
    /// The action is stored and takes effect soon
    #[response(status = 202)]
    Stored(AlertDetail),
}

impl IntoResponse for Acted {
    fn into_response(self) -> Response {
        match self {
            Self::Done(alert) => Json(alert).into_response(),
            Self::Stored(alert) => (StatusCode::ACCEPTED, Json(alert)).into_response(),
        }
    }
}

/// Acknowledges an alert: someone has seen it and deals with it.
#[utoipa::path(post, path = "/v1/alerts/{id}/acknowledge", tag = "alerts", request_body = ActionBody,
    params(("id" = String, Path, description = "The alert's id")), responses(
    Acted,
    sets::Body, sets::Missing, sets::Refused,
))]
pub(crate) async fn acknowledge(
    Extract(api): Extract<ApiState>,
    principal: Principal,
    PathParam(id): PathParam<String>,
    ApiJson(body): ApiJson<ActionBody>,
) -> Result<Acted, Problem> {
    act(&api, &principal, &id, CommandAction::Acknowledge, body).await
}

/// Shelves an alert until a time: it is not shown as open until then.
#[utoipa::path(post, path = "/v1/alerts/{id}/shelve", tag = "alerts", request_body = ShelveBody,
    params(("id" = String, Path, description = "The alert's id")), responses(
    Acted,
    sets::Body, sets::Missing, sets::Refused,
))]
pub(crate) async fn shelve(
    Extract(api): Extract<ApiState>,
    principal: Principal,
    PathParam(id): PathParam<String>,
    ApiJson(body): ApiJson<ShelveBody>,
) -> Result<Acted, Problem> {
    let until = shelf_end_of(body.until, body.duration.as_deref(), api.clock.now())?;
    let body = ActionBody { actor: body.actor, comment: body.comment, reason: body.reason };
    act(&api, &principal, &id, CommandAction::Shelve { until }, body).await
}

/// Ends the shelving of an alert.
#[utoipa::path(post, path = "/v1/alerts/{id}/unshelve", tag = "alerts", request_body = ActionBody,
    params(("id" = String, Path, description = "The alert's id")), responses(
    Acted,
    sets::Body, sets::Missing, sets::Refused,
))]
pub(crate) async fn unshelve(
    Extract(api): Extract<ApiState>,
    principal: Principal,
    PathParam(id): PathParam<String>,
    ApiJson(body): ApiJson<ActionBody>,
) -> Result<Acted, Problem> {
    act(&api, &principal, &id, CommandAction::Unshelve, body).await
}

/// Adds a comment to an alert.
#[utoipa::path(post, path = "/v1/alerts/{id}/comment", tag = "alerts", request_body = ActionBody,
    params(("id" = String, Path, description = "The alert's id")), responses(
    Acted,
    sets::Body, sets::Missing,
))]
pub(crate) async fn comment(
    Extract(api): Extract<ApiState>,
    principal: Principal,
    PathParam(id): PathParam<String>,
    ApiJson(body): ApiJson<ActionBody>,
) -> Result<Acted, Problem> {
    if body.comment.as_deref().is_none_or(|comment| comment.trim().is_empty()) {
        return Err(Problem::bad_request("a comment needs the field \"comment\""));
    }
    act(&api, &principal, &id, CommandAction::Comment, body).await
}

/// Gives an alert to a person, who is to deal with it.
#[utoipa::path(post, path = "/v1/alerts/{id}/assign", tag = "alerts", request_body = AssignBody,
    params(("id" = String, Path, description = "The alert's id")), responses(
    Acted,
    sets::Body, sets::Missing, sets::Refused,
))]
pub(crate) async fn assign(
    Extract(api): Extract<ApiState>,
    principal: Principal,
    PathParam(id): PathParam<String>,
    ApiJson(body): ApiJson<AssignBody>,
) -> Result<Acted, Problem> {
    let to = check_text("to", body.to, MAX_ACTOR_BYTES)?;
    let body = ActionBody { actor: body.actor, comment: body.comment, reason: None };
    act(&api, &principal, &id, CommandAction::Assign { to }, body).await
}

async fn act(
    api: &ApiState,
    principal: &Principal,
    id: &str,
    action: CommandAction,
    body: ActionBody,
) -> Result<Acted, Problem> {
    let alert = parse_id(id)?;
    let command = OperatorCommand {
        alert,
        action,
        actor: check_actor(principal, body.actor)?,
        comment: check_text("comment", body.comment, MAX_COMMENT_BYTES)?,
        reason: check_reason(body.reason)?,
        time: api.clock.now(),
    };
    api.judged().await?;
    let state = state_of(api, principal, alert)?;
    if let Err(problem) = check_state(state, &command.action) {
        let acknowledges = command.action == CommandAction::Acknowledge && state == AlertState::Acknowledged;
        let problem = if acknowledges { by_whom(api, &command).unwrap_or(problem) } else { problem };
        if acknowledges && command.comment.is_some() {
            api.log
                .append(Record::Command(OperatorCommand { action: CommandAction::Comment, ..command }))
                .await?;
        }
        return Err(problem);
    }
    let stored = api.log.append(Record::Command(command.clone())).await?;
    // The record is durable from here on, so what follows is no failure any more: at worst the effect is not
    // visible yet.
    if api.judged().await.is_err() {
        return detail(api, principal, alert).map(Acted::Stored);
    }
    // The engine carries out the first of several. The others learn why theirs had no effect.
    if has_effect(api, &command, stored) {
        return detail(api, principal, alert).map(Acted::Done);
    }
    let state = state_of(api, principal, alert)?;
    check_state(state, &command.action)
        .map_err(|problem| by_whom(api, &command).unwrap_or(problem))
        .and_then(|()| Err(Problem::conflict("another action came between, and this one had no effect")))
}

/// Whether the command that is stored at `stored` has done what it says. What came of it names it as its
/// cause.
fn has_effect(api: &ApiState, command: &OperatorCommand, stored: Offset) -> bool {
    let state = api.state.read();
    let Some(alert) = state.alerts().get(command.alert) else { return false };
    let done = match command.action {
        CommandAction::Acknowledge => Transition::Acknowledged,
        CommandAction::Shelve { .. } => Transition::Shelved,
        CommandAction::Unshelve => Transition::Unshelved,
        CommandAction::Comment | CommandAction::Assign { .. } => Transition::Commented,
    };
    // Of an alert that is over only the shelf goes, which is no transition.
    let is_silent = command.action == CommandAction::Unshelve && alert.state == AlertState::Normal;
    // Very many steps later this one is no longer known.
    let forgotten = alert.steps.get(1).is_some_and(|oldest| alert.steps_dropped > 0 && oldest.cause > stored);
    is_silent || forgotten || alert.steps.iter().any(|step| step.cause == stored && step.transition == done)
}

/// The problem that another operator has acknowledged the alert, with who and when; `None` if none has.
fn by_whom(api: &ApiState, command: &OperatorCommand) -> Option<Problem> {
    let state = api.state.read();
    let steps = &state.alerts().get(command.alert)?.steps;
    let step = steps.iter().rev().find(|step| step.transition == Transition::Acknowledged)?;
    let actor = step.actor.as_deref()?;
    let kept = if command.comment.is_some() { "; your comment is kept" } else { "" };
    Some(
        Problem::conflict(format!(
            "the alert has been acknowledged already, by {actor} at {}{kept}",
            step.time
        ))
        .hint("to add a comment only, use POST …/comment"),
    )
}

/// Refuses what cannot have an effect. The engine decides in the end; this tells the operator at once.
pub(crate) fn check_state(state: AlertState, action: &CommandAction) -> Result<(), Problem> {
    state.allows(action).map_err(|why| {
        Problem::conflict(format!("{why}: its state is {}", state.as_str()))
            .hint("to add a comment only, use POST …/comment")
    })
}

pub(crate) fn check_actor(principal: &Principal, given: Option<String>) -> Result<String, Problem> {
    let needed = || {
        Problem::bad_request("the field \"actor\" is missing or empty")
            .hint("say who acts: {\"actor\":\"anna\"}")
    };
    let given = check_text("actor", given, MAX_ACTOR_BYTES)?;
    principal.actor(given)?.ok_or_else(needed)
}

/// A text without blanks around it; an empty one counts as left out.
pub(crate) fn check_text(field: &str, text: Option<String>, most: usize) -> Result<Option<String>, Problem> {
    let Some(text) = text else { return Ok(None) };
    if text.len() > most {
        return Err(Problem::bad_request(format!("the field {field:?} is longer than {most} bytes")));
    }
    let text = text.trim();
    let line_ends = if field == "comment" { "\n\r\t" } else { "" };
    if let Some(odd) = text.chars().find(|c| is_unprintable(*c) && !line_ends.contains(*c)) {
        let message = format!("the field {field:?} holds the control character U+{:04X}", u32::from(odd));
        return Err(
            Problem::bad_request(message).hint("send text alone; a terminal may obey such characters")
        );
    }
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

pub(crate) fn check_reason(reason: Option<String>) -> Result<Option<String>, Problem> {
    match reason.as_deref() {
        None => Ok(None),
        Some(known) if REASONS.contains(&known) => Ok(reason),
        Some(other) => {
            let other: String = other.chars().take(40).collect();
            Err(Problem::bad_request(format!("reason {other:?} is not known"))
                .hint("reasons are true, nuisance, maintenance, test"))
        }
    }
}

/// When a shelf ends, given either that or how long it lasts.
pub(crate) fn shelf_end_of(
    until: Option<TimeInput>,
    duration: Option<&str>,
    now: Timestamp,
) -> Result<Timestamp, Problem> {
    let until = match (until, duration) {
        (Some(until), None) => until.0,
        (None, Some(duration)) => {
            now.plus_us(parse_duration_us(duration).map_err(|error| Problem::bad_request(error.to_string()))?)
        }
        _ => {
            return Err(Problem::bad_request(
                "shelving needs either the field \"until\" or the field \"duration\"",
            )
            .hint("{\"actor\":\"anna\",\"duration\":\"8h\"}"));
        }
    };
    if until <= now || until.since_us(now) > MAX_SHELF_US {
        return Err(Problem::bad_request(format!(
            "an alert may be shelved until a time within 31 days from now ({now}), not until {until}"
        )));
    }
    Ok(until)
}
