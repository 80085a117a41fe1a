//! One action on many alerts at once, as after a flood.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State as Extract;
use forewarn_state::{AlertFilter, StateFilter};
use forewarn_types::{AlertId, CommandAction, OperatorCommand, Record, Timestamp};
use futures::future::join_all;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::alerts::{parse_glob, parse_id, state_of};
use super::commands::{
    MAX_ACTOR_BYTES, MAX_COMMENT_BYTES, check_actor, check_reason, check_state, check_text, shelf_end_of,
};
use crate::access::Principal;
use crate::context::ApiState;
use crate::http::{ApiJson, TimeInput};
use crate::problem::{Problem, sets};

/// Most alerts of one request.
const MAX_IDS: usize = 1_000;

/// An action on many alerts.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ActionsBody {
    /// The alerts' ids, at most 1000. Left out: all open alerts of `rule` and `asset`, at most 1000.
    #[serde(default)]
    ids: Vec<String>,
    /// The open alerts of this rule.
    rule: Option<String>,
    /// The open alerts on assets of this path or glob.
    asset: Option<String>,
    /// `acknowledge`, `shelve`, `unshelve`, `comment` or `assign`.
    action: String,
    /// Who acts.
    actor: Option<String>,
    /// A comment; required by the action `comment`.
    comment: Option<String>,
    /// Whether the alerts were right: `true`, `nuisance`, `maintenance` or `test`.
    reason: Option<String>,
    /// To whom they are assigned; left out: to no one any more.
    to: Option<String>,
    /// Until when they are shelved; at most 31 days from now.
    #[schema(value_type = Option<String>, format = DateTime)]
    until: Option<TimeInput>,
    /// For how long, instead of `until`: `30m`, `8h`, `2d`.
    duration: Option<String>,
}

/// An alert that was left as it is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Skipped {
    /// Its id, as it was given.
    id: String,
    /// Why.
    why: String,
}

/// What came of an action on many alerts.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ActionsDone {
    /// On how many alerts it was done.
    done: usize,
    /// The others.
    skipped: Vec<Skipped>,
}

/// Does one thing to many alerts. Those that do not allow it, or are not there, are skipped, each with the
/// reason.
#[utoipa::path(post, path = "/v1/alerts/actions", tag = "alerts", request_body = ActionsBody, responses(
    (status = 200, description = "What was done and what was skipped", body = ActionsDone),
    sets::Body,
))]
pub(crate) async fn post_actions(
    Extract(api): Extract<ApiState>,
    principal: Principal,
    ApiJson(body): ApiJson<ActionsBody>,
) -> Result<Json<ActionsDone>, Problem> {
    let now = api.clock.now();
    let action = action(&body, now)?;
    let selected = selection(&body)?;
    let template = OperatorCommand {
        alert: AlertId(0),
        action,
        actor: check_actor(&principal, body.actor)?,
        comment: check_text("comment", body.comment, MAX_COMMENT_BYTES)?,
        reason: check_reason(body.reason)?,
        time: now,
    };
    if template.action == CommandAction::Comment && template.comment.is_none() {
        return Err(Problem::bad_request("a comment needs the field \"comment\""));
    }
    api.judged().await?;
    let ids = match selected {
        Some(filter) => open_ids(&api, &filter),
        None => body.ids,
    };
    if ids.len() > MAX_IDS {
        return Err(
            Problem::bad_request(format!("these are more than {MAX_IDS} alerts")).hint("send them in parts")
        );
    }
    let (mut commands, mut skipped, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
    for id in ids {
        let allowed = parse_id(&id).and_then(|alert| {
            let state = state_of(&api, &principal, alert)?;
            check_state(state, &template.action).map(|()| alert)
        });
        match allowed {
            Ok(alert) if seen.insert(alert) => {
                commands.push((id, OperatorCommand { alert, ..template.clone() }));
            }
            Ok(_) => {}
            Err(problem) => skipped.push(Skipped { id, why: problem.detail().to_owned() }),
        }
    }
    // They share the log's writes.
    let stored = commands.into_iter().map(|(id, command)| async {
        api.log.append(Record::Command(command)).await.map_err(|error| Skipped { id, why: error.to_string() })
    });
    let (mut done, mut failed) = (0, Vec::new());
    for outcome in join_all(stored).await {
        match outcome {
            Ok(_) => done += 1,
            Err(one) => failed.push(one),
        }
    }
    skipped.append(&mut failed);
    // They are durable from here on; at worst their effect is not visible yet.
    let _ = api.judged().await;
    Ok(Json(ActionsDone { done, skipped }))
}

fn action(body: &ActionsBody, now: Timestamp) -> Result<CommandAction, Problem> {
    match body.action.as_str() {
        "acknowledge" => Ok(CommandAction::Acknowledge),
        "unshelve" => Ok(CommandAction::Unshelve),
        "comment" => Ok(CommandAction::Comment),
        "shelve" => {
            let until = shelf_end_of(body.until, body.duration.as_deref(), now)?;
            Ok(CommandAction::Shelve { until })
        }
        "assign" => {
            let to = check_text("to", body.to.clone(), MAX_ACTOR_BYTES)?;
            Ok(CommandAction::Assign { to })
        }
        other => {
            let other: String = other.chars().take(40).collect();
            Err(Problem::bad_request(format!("action {other:?} is not known"))
                .hint("actions are acknowledge, shelve, unshelve, comment, assign"))
        }
    }
}

/// Which alerts are meant, if they are not given by their ids.
fn selection(body: &ActionsBody) -> Result<Option<AlertFilter>, Problem> {
    let is_selected = body.rule.is_some() || body.asset.is_some();
    if is_selected != body.ids.is_empty() {
        return Err(Problem::bad_request("name the alerts either by ids, or by rule or asset"));
    }
    let asset = body.asset.as_deref().map(parse_glob).transpose()?;
    Ok(is_selected.then(|| AlertFilter {
        state: StateFilter::Open,
        severity: Vec::new(),
        asset,
        rule: body.rule.clone(),
        from: Timestamp::MIN,
        to: Timestamp::MAX,
    }))
}

/// The ids of the open alerts that `filter` admits; no more than one above the most that are taken.
fn open_ids(api: &ApiState, filter: &AlertFilter) -> Vec<String> {
    let state = api.state.read();
    state.alerts().newest(filter, None).take(MAX_IDS + 1).map(|alert| alert.id.to_string()).collect()
}
