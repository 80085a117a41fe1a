//! The figures of the alarm system: how many alerts operators get, in which floods, and which of them are of
//! no use.

mod figures;

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State as Extract;
use forewarn_lake::{Cell, ResultSet};
use forewarn_query::Query;
use forewarn_types::{AlertState, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use self::figures::{Counted, Figures, Step, What};
use crate::context::ApiState;
use crate::http::params::time_range;
use crate::http::{Params, TimeInput};
use crate::problem::{Problem, sets};
use crate::problems;

/// Without `from`, the figures are those of so long before `to`.
const SPAN_US: i64 = 86_400_000_000;
/// The longest time that is looked at.
const MAX_SPAN_US: i64 = 366 * SPAN_US;
/// Most transitions that are looked at.
const MAX_STEPS: usize = 1_000_000;
/// An alert is stale that is open for longer than this.
const STALE_US: i64 = SPAN_US;
/// Most alerts or groups that a list names.
const MAX_NAMED: usize = 100;
/// The most operators that alerts are divided among.
const MAX_OPERATORS: usize = 1_000;

/// Of which time, and how they are grouped.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct KpisQuery {
    /// At this time or later; left out: a day before `to`.
    #[param(value_type = Option<String>)]
    from: Option<TimeInput>,
    /// Before this time; left out: now.
    #[param(value_type = Option<String>)]
    to: Option<TimeInput>,
    /// Count alerts also by `rule`, `asset` or `severity`.
    by: Option<String>,
    /// How many operators share the alerts, 1 to 1000; default 1.
    operators: Option<usize>,
}

/// How often a rule raised alerts on an asset.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FrequentView {
    rule: String,
    asset: String,
    /// How many alerts; for chattering ones the most within a minute.
    count: usize,
    /// Their share of all alerts.
    #[serde(skip_serializing_if = "Option::is_none")]
    share: Option<f64>,
}

/// A time of more alerts than an operator can deal with.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FloodView {
    #[schema(value_type = String, format = DateTime)]
    from: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    to: Timestamp,
    /// How many alerts came in it.
    alerts: usize,
}

/// An alert that is open for longer than a day.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StaleView {
    id: String,
    rule: String,
    asset: String,
    state: &'static str,
    #[schema(value_type = String, format = DateTime)]
    started: Timestamp,
}

/// The most alerts in ten minutes.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PeakView {
    /// When these begin.
    #[schema(value_type = String, format = DateTime)]
    from: Timestamp,
    /// How many, for each operator.
    alerts_per_operator: f64,
}

/// How long it took until alerts were acknowledged.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AcknowledgedView {
    /// How many were.
    count: usize,
    /// Half of them within so long.
    median_seconds: Option<f64>,
    /// Nine of ten within so long.
    p90_seconds: Option<f64>,
}

/// What operators said of the alerts of a rule.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct ReasonsView {
    rule: String,
    /// How many alerts were given a reason.
    said: usize,
    /// How many of these were a nuisance.
    nuisance: usize,
    /// Their share.
    nuisance_share: f64,
}

/// Alerts of a group.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct GroupView {
    /// The rule, asset or severity.
    key: String,
    /// How many alerts.
    count: usize,
    /// Their share of all.
    share: f64,
}

/// The figures of an alarm system after ISA-18.2 and EEMUA 191. An alert counts when it is raised, and again
/// when it is raised anew while it is open.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct KpisView {
    #[schema(value_type = String, format = DateTime)]
    from: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    to: Timestamp,
    /// How many operators share the alerts.
    operators: usize,
    /// How many alerts were raised.
    alerts: usize,
    /// For each operator, in ten minutes, on average. About one is manageable.
    alerts_per_operator_10min: f64,
    /// The ten minutes with the most; null if there were none.
    peak_10min: Option<PeakView>,
    /// Times with more than ten alerts in ten minutes for each operator, until there were fewer than five.
    floods: Vec<FloodView>,
    /// Share of the time that was flooded.
    flooded_share: f64,
    /// How many of each severity. About 5 % should be of the highest.
    by_severity: BTreeMap<String, usize>,
    /// The ten rules and assets with the most alerts.
    top: Vec<FrequentView>,
    /// Share of the top ten in all alerts.
    top_share: f64,
    /// Rules and assets with three alerts or more within a minute.
    chattering: Vec<FrequentView>,
    /// Alerts that are open now for longer than a day.
    stale: Vec<StaleView>,
    /// How many these are; at most 100 are named.
    stale_total: usize,
    /// The time to acknowledge.
    acknowledged: AcknowledgedView,
    /// What operators said of alerts, by rule, the most nuisances first.
    reasons: Vec<ReasonsView>,
    /// The groups asked for with `by`, the largest first; at most 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    groups: Option<Vec<GroupView>>,
}

/// Gives the figures of the alarm system: alerts for each operator and ten minutes, floods, the most
/// frequent, chattering and stale ones, the time to acknowledge, and what operators called a nuisance.
#[utoipa::path(get, path = "/v1/alerts/kpis", tag = "alerts", params(KpisQuery), responses(
    (status = 200, description = "The figures", body = KpisView),
    sets::Parameters,
))]
pub(crate) async fn get_kpis(
    Extract(api): Extract<ApiState>,
    Params(query): Params<KpisQuery>,
) -> Result<Json<KpisView>, Problem> {
    let to = query.to.unwrap_or(TimeInput(api.clock.now()));
    let from = query.from.unwrap_or(TimeInput(to.0.plus_us(-SPAN_US)));
    let (from, to) = time_range(Some(from), Some(to))?;
    if to.since_us(from) > MAX_SPAN_US {
        return Err(Problem::bad_request("the time asked for is longer than a year").hint("ask for less"));
    }
    let operators = query.operators.unwrap_or(1);
    if !(1..=MAX_OPERATORS).contains(&operators) {
        return Err(Problem::bad_request(format!(
            "operators {operators} is not between 1 and {MAX_OPERATORS}"
        )));
    }
    let key = query.by.as_deref().map(group_key).transpose()?;
    api.judged().await?;
    let steps = steps(&api, from, to).await?;
    let reasons = reasons(&api, from, to).await?;
    let groups = key.map(|key| grouped(&steps, key));
    let figures = Figures::of(&steps, from, to, operators);
    Ok(Json(view(&api, (from, to, operators), figures, reasons, groups)))
}

fn view(
    api: &ApiState,
    (from, to, operators): (Timestamp, Timestamp, usize),
    figures: Figures,
    reasons: Vec<ReasonsView>,
    groups: Option<Vec<GroupView>>,
) -> KpisView {
    let seconds = |us: Option<i64>| us.map(|us| us as f64 / 1e6);
    let acknowledged = AcknowledgedView {
        count: figures.to_acknowledge_us.len(),
        median_seconds: seconds(figures.to_acknowledge(0.5)),
        p90_seconds: seconds(figures.to_acknowledge(0.9)),
    };
    let alerts = figures.raised;
    let share = |count: usize| if alerts == 0 { 0.0 } else { count as f64 / alerts as f64 };
    let frequent = |with_share: bool| {
        move |((rule, asset), count): Counted| FrequentView {
            rule,
            asset,
            count,
            share: with_share.then(|| share(count)),
        }
    };
    let top_count: usize = figures.top.iter().map(|(_, count)| count).sum();
    let for_each = |count: usize| count as f64 / operators as f64;
    let (stale, stale_total) = stale(api);
    KpisView {
        from,
        to,
        operators,
        alerts,
        alerts_per_operator_10min: for_each(alerts) / (to.since_us(from).max(1) as f64 / 6e8),
        peak_10min: figures.peak.map(|(from, count)| PeakView { from, alerts_per_operator: for_each(count) }),
        floods: figures
            .floods
            .into_iter()
            .take(MAX_NAMED)
            .map(|flood| FloodView { from: flood.from, to: flood.to, alerts: flood.alerts })
            .collect(),
        flooded_share: figures.flooded,
        by_severity: figures.by_severity,
        top: figures.top.into_iter().map(frequent(true)).collect(),
        top_share: share(top_count),
        chattering: figures.chattering.into_iter().take(MAX_NAMED).map(frequent(false)).collect(),
        stale,
        stale_total,
        acknowledged,
        reasons,
        groups,
    }
}

/// The alerts that are open for long, the oldest first, and how many they are.
fn stale(api: &ApiState) -> (Vec<StaleView>, usize) {
    let before = api.clock.now().plus_us(-STALE_US);
    let state = api.state.read();
    let is_stale =
        |state| matches!(state, AlertState::Unacknowledged | AlertState::Acknowledged | AlertState::Returned);
    let mut found: Vec<_> =
        state.alerts().open().filter(|alert| alert.started < before && is_stale(alert.state)).collect();
    found.sort_by_key(|alert| (alert.started, alert.id));
    let named = found.iter().take(MAX_NAMED).map(|alert| StaleView {
        id: alert.id.to_string(),
        rule: alert.rule.to_string(),
        asset: alert.asset.to_string(),
        state: alert.state.as_str(),
        started: alert.started,
    });
    (named.collect(), found.len())
}

type Key = fn(&Step) -> &str;

fn group_key(by: &str) -> Result<Key, Problem> {
    match by {
        "rule" => Ok(|step| &step.rule),
        "asset" => Ok(|step| &step.asset),
        "severity" => Ok(|step| &step.severity),
        other => {
            let other: String = other.chars().take(40).collect();
            Err(Problem::bad_request(format!("alerts cannot be counted by {other:?}"))
                .hint("by is rule, asset or severity"))
        }
    }
}

fn grouped(steps: &[Step], key: Key) -> Vec<GroupView> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for step in steps.iter().filter(|step| step.what == What::Raised) {
        *counts.entry(key(step)).or_default() += 1;
    }
    let all: usize = counts.values().sum();
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    let group = |(key, count): (&str, usize)| GroupView {
        key: key.to_owned(),
        count,
        share: count as f64 / all.max(1) as f64,
    };
    counts.into_iter().take(MAX_NAMED).map(group).collect()
}

/// What happened to alerts, in order.
async fn steps(api: &ApiState, from: Timestamp, to: Timestamp) -> Result<Vec<Step>, Problem> {
    let text = "SELECT \"time\", \"alert\", \"rule\", \"asset\", \"severity\", \"transition\" FROM alert_events \
                WHERE \"time\" >= :from AND \"time\" < :to AND \"transition\" IN ('raised', 'reraised', 'acknowledged') \
                ORDER BY \"time\", \"offset\"";
    let rows = rows(api, text, from, to).await?;
    let step = |row| {
        let Cell::Time(time) = rows.cell(row, 0) else { return None };
        let text = |column| match rows.cell(row, column) {
            Cell::Text(text) => text.to_owned(),
            _ => String::new(),
        };
        let what = if text(5) == "acknowledged" { What::Acknowledged } else { What::Raised };
        Some(Step { time, alert: text(1), rule: text(2), asset: text(3), severity: text(4), what })
    };
    Ok((0..rows.row_count()).filter_map(step).collect())
}

/// What operators said of alerts, by rule: of several reasons of one alert the newest counts.
async fn reasons(api: &ApiState, from: Timestamp, to: Timestamp) -> Result<Vec<ReasonsView>, Problem> {
    let text = "SELECT \"alert\", \"reason\" FROM commands WHERE \"time\" >= :from AND \"time\" < :to AND \
                \"reason\" IS NOT NULL ORDER BY \"offset\"";
    let said = rows(api, text, from, to).await?;
    let mut newest: BTreeMap<String, bool> = BTreeMap::new();
    for row in 0..said.row_count() {
        if let (Cell::Text(alert), Cell::Text(reason)) = (said.cell(row, 0), said.cell(row, 1)) {
            newest.insert(alert.to_owned(), reason == "nuisance");
        }
    }
    if newest.is_empty() {
        return Ok(Vec::new());
    }
    // The alerts may have been raised before `from`.
    let text = "SELECT DISTINCT \"alert\", \"rule\" FROM alert_events WHERE \"alert\" IN \
                (SELECT \"alert\" FROM commands WHERE \"time\" >= :from AND \"time\" < :to AND \"reason\" IS NOT NULL)";
    let rules = rows(api, text, from, to).await?;
    let mut by_rule: BTreeMap<String, ReasonsView> = BTreeMap::new();
    for row in 0..rules.row_count() {
        let (Cell::Text(alert), Cell::Text(rule)) = (rules.cell(row, 0), rules.cell(row, 1)) else {
            continue;
        };
        let Some(is_nuisance) = newest.get(alert) else { continue };
        let view = by_rule.entry(rule.to_owned()).or_default();
        rule.clone_into(&mut view.rule);
        view.said += 1;
        view.nuisance += usize::from(*is_nuisance);
        view.nuisance_share = view.nuisance as f64 / view.said as f64;
    }
    let mut views: Vec<ReasonsView> = by_rule.into_values().collect();
    views.sort_by(|a, b| b.nuisance.cmp(&a.nuisance).then_with(|| a.rule.cmp(&b.rule)));
    views.truncate(MAX_NAMED);
    Ok(views)
}

async fn rows(api: &ApiState, text: &str, from: Timestamp, to: Timestamp) -> Result<ResultSet, Problem> {
    let query = Query {
        text: text.to_owned(),
        params: Some((from, to)),
        max_rows: Some(MAX_STEPS),
        internal: true,
        ..Query::default()
    };
    let answer = api.queries.run(query).await.map_err(|error| problems::query(&error))?;
    let rows = answer.collect().await.map_err(|error| problems::query(&error))?;
    if rows.truncated() {
        return Err(Problem::unusable(format!("more than {MAX_STEPS} alerts were raised in that time"))
            .hint("ask for a shorter time, or count them with SQL over alert_events"));
    }
    Ok(rows)
}
