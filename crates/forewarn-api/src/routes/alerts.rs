//! Alerts: the list, and one of them with its history.

use axum::Json;
use axum::extract::State as Extract;
use forewarn_spec::AssetGlob;
use forewarn_state::{AlertFilter, Cursor, StateFilter};
use forewarn_types::{AlertId, AlertState, Severity, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::access::Principal;
use crate::context::ApiState;
use crate::http::params::{limit, time_range};
use crate::http::{Params, PathParam, TimeInput};
use crate::problem::{Problem, sets};
use crate::views::{AlertDetail, AlertView};

const LIMIT: usize = 100;
const MAX_LIMIT: usize = 1_000;

/// Which alerts to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct AlertsQuery {
    /// States, joined by commas: `unacknowledged`, `acknowledged`, `returned`, `normal`, `shelved`,
    /// `suppressed`, `out-of-service`, `pending`; or `open` (raised and not over), `active` (the condition
    /// still holds), `all`. Default: all but `pending`.
    state: Option<String>,
    /// Severities, joined by commas: `critical`, `major`, `minor`, `warning`.
    severity: Option<String>,
    /// Asset path, or a glob over paths: `plant1/**`.
    asset: Option<String>,
    /// Rule.
    rule: Option<String>,
    /// Started at this time or later.
    #[param(value_type = Option<String>)]
    from: Option<TimeInput>,
    /// Started before this time.
    #[param(value_type = Option<String>)]
    to: Option<TimeInput>,
    /// Most alerts in the answer, 1 to 1000; default 100.
    limit: Option<usize>,
    /// `next` of the previous answer.
    cursor: Option<String>,
}

/// A page of alerts.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AlertPage {
    /// The alerts, newest start first.
    alerts: Vec<AlertView>,
    /// Where the next page begins; null if there is none.
    next: Option<String>,
}

/// Lists alerts, newest start first.
///
/// All open alerts are listed, and the newest 10,000 ended ones; older ones are in the table `alert_events`.
#[utoipa::path(get, path = "/v1/alerts", tag = "alerts", params(AlertsQuery), responses(
    (status = 200, description = "The alerts", body = AlertPage),
    sets::Parameters,
))]
pub(crate) async fn list_alerts(
    Extract(api): Extract<ApiState>,
    principal: Principal,
    Params(query): Params<AlertsQuery>,
) -> Result<Json<AlertPage>, Problem> {
    let limit = limit(query.limit, LIMIT, MAX_LIMIT)?;
    let after = query.cursor.as_deref().map(parse_cursor).transpose()?;
    let filter = query.filter()?;
    api.judged().await?;
    let definitions = api.definitions.get();
    let state = api.state.read();
    let mut found = state.alerts().newest(&filter, after).filter(|alert| principal.sees(&alert.asset));
    let mut last = None;
    let mut alerts = Vec::new();
    for alert in found.by_ref().take(limit) {
        last = Some(Cursor { started: alert.started, id: alert.id });
        alerts.push(AlertView::new(alert, &definitions));
    }
    let next = found.next().and(last).map(|cursor| format!("{}-{}", cursor.started.0, cursor.id));
    Ok(Json(AlertPage { alerts, next }))
}

/// One alert with its history.
#[utoipa::path(get, path = "/v1/alerts/{id}", tag = "alerts",
    params(("id" = String, Path, description = "The alert's id")), responses(
    (status = 200, description = "The alert", body = AlertDetail),
    sets::Parameters, sets::Missing,
))]
pub(crate) async fn get_alert(
    Extract(api): Extract<ApiState>,
    principal: Principal,
    PathParam(id): PathParam<String>,
) -> Result<Json<AlertDetail>, Problem> {
    let id = parse_id(&id)?;
    api.judged().await?;
    detail(&api, &principal, id).map(Json)
}

/// The alert, from the read model. One of an asset that the principal may not see is not there for them.
pub(crate) fn detail(api: &ApiState, principal: &Principal, id: AlertId) -> Result<AlertDetail, Problem> {
    let state = api.state.read();
    let alert = state.alerts().get(id).filter(|alert| principal.sees(&alert.asset));
    let alert = alert.ok_or_else(|| unknown(&id.to_string()))?;
    Ok(AlertDetail::new(alert, &api.definitions.get()))
}

/// The state that an alert shows, from the read model.
pub(crate) fn state_of(api: &ApiState, principal: &Principal, id: AlertId) -> Result<AlertState, Problem> {
    let state = api.state.read();
    let alert = state.alerts().get(id).filter(|alert| principal.sees(&alert.asset));
    alert.map(|alert| alert.state).ok_or_else(|| unknown(&id.to_string()))
}

/// The id in a path; a text that is none names no alert.
pub(crate) fn parse_id(text: &str) -> Result<AlertId, Problem> {
    AlertId::parse(text).ok_or_else(|| unknown(text))
}

fn unknown(id: &str) -> Problem {
    let id: String = id.chars().take(64).collect();
    Problem::not_found(format!("there is no alert {id}")).hint(
        "GET /v1/alerts lists all open alerts and the newest ended ones; \
         the table alert_events has all of them (POST /v1/sql)",
    )
}

impl AlertsQuery {
    fn filter(&self) -> Result<AlertFilter, Problem> {
        let (from, to) = time_range(self.from, self.to)?;
        let asset = self.asset.as_deref().filter(|text| !text.is_empty()).map(parse_glob).transpose()?;
        Ok(AlertFilter {
            state: self.state.as_deref().map_or(Ok(StateFilter::Raised), parse_states)?,
            severity: parse_severities(self.severity.as_deref())?,
            asset,
            rule: self.rule.clone().filter(|rule| !rule.is_empty()),
            from,
            to,
        })
    }
}

/// A glob over asset paths.
pub(crate) fn parse_glob(text: &str) -> Result<AssetGlob, Problem> {
    AssetGlob::parse(text).map_err(|problem| {
        Problem::bad_request(format!("asset: {problem}"))
            .hint("write an asset path, or a glob such as plant1/** or plant1/*/pump?")
    })
}

/// Severities joined by commas; none means all.
pub(crate) fn parse_severities(text: Option<&str>) -> Result<Vec<Severity>, Problem> {
    items(text.unwrap_or_default())
        .map(|name| {
            Severity::parse(name).ok_or_else(|| {
                Problem::bad_request(format!("severity {:?} is not known", shorten(name)))
                    .hint("severities are critical, major, minor, warning")
            })
        })
        .collect()
}

fn parse_states(text: &str) -> Result<StateFilter, Problem> {
    match text.trim() {
        "" => return Ok(StateFilter::Raised),
        "open" => return Ok(StateFilter::Open),
        "active" => return Ok(StateFilter::Active),
        "all" => return Ok(StateFilter::All),
        _ => {}
    }
    let parse = |name: &str| {
        AlertState::parse(name).ok_or_else(|| {
            Problem::bad_request(format!("state {:?} is not known", shorten(name))).hint(
                "states are unacknowledged, acknowledged, returned, normal, shelved, suppressed, \
                 out-of-service, pending; or open, active, all",
            )
        })
    };
    items(text).map(parse).collect::<Result<_, _>>().map(StateFilter::Only)
}

fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}

fn shorten(text: &str) -> String {
    text.chars().take(40).collect()
}

fn parse_cursor(text: &str) -> Result<Cursor, Problem> {
    text.rsplit_once('-')
        .and_then(|(started, id)| {
            Some(Cursor { started: Timestamp(started.parse().ok()?), id: AlertId::parse(id)? })
        })
        .ok_or_else(|| {
            Problem::bad_request("the cursor is not one that this server has issued")
                .hint("take it from `next` of the previous page")
        })
}
