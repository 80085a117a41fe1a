//! One action on many alerts at once, as after a flood.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State as Extract;
use forewarn_types::{AlertId, CommandAction, OperatorCommand, Record};
use futures::future::join_all;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::alerts::{parse_id, state_of};
use super::commands::{MAX_COMMENT_BYTES, check_actor, check_reason, check_state, check_text, shelf_end_of};
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
    /// The alerts' ids, at most 1000.
    ids: Vec<String>,
    /// `acknowledge`, `shelve`, `unshelve` or `comment`.
    action: String,
    /// Who acts.
    actor: Option<String>,
    /// A comment; required by the action `comment`.
    comment: Option<String>,
    /// Whether the alerts were right: `true`, `nuisance`, `maintenance` or `test`.
    reason: Option<String>,
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
    if body.ids.len() > MAX_IDS {
        return Err(Problem::bad_request(format!("{} alerts are more than {MAX_IDS}", body.ids.len()))
            .hint("send them in parts"));
    }
    let now = api.clock.now();
    let action = action(&body, now)?;
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
    let (mut commands, mut skipped, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
    for id in body.ids {
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

fn action(body: &ActionsBody, now: forewarn_types::Timestamp) -> Result<CommandAction, Problem> {
    match body.action.as_str() {
        "acknowledge" => Ok(CommandAction::Acknowledge),
        "unshelve" => Ok(CommandAction::Unshelve),
        "comment" => Ok(CommandAction::Comment),
        "shelve" => {
            let until = shelf_end_of(body.until, body.duration.as_deref(), now)?;
            Ok(CommandAction::Shelve { until })
        }
        other => {
            let other: String = other.chars().take(40).collect();
            Err(Problem::bad_request(format!("action {other:?} is not known"))
                .hint("actions are acknowledge, shelve, unshelve, comment"))
        }
    }
}
