//! Rules: on which assets they watch, how they stand there, and why.

use axum::Json;
use axum::extract::State as Extract;
use forewarn_state::{Lack, RuleOnAsset, RulePageAsk, RuleState, RuleSummary, Rules, RulesChanging, Wait};
use forewarn_types::{Severity, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::access::Principal;
use crate::context::ApiState;
use crate::http::params::limit;
use crate::http::{Params, PathParam};
use crate::problem::{Problem, sets};

const LIMIT: usize = 100;
const MAX_LIMIT: usize = 1_000;

/// On how many assets a rule is in which state.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct RuleCounts {
    /// The condition does not hold.
    normal: usize,
    /// It holds, not yet for long enough.
    pending: usize,
    /// An alert is open.
    alert: usize,
    /// Inputs are missing, bad or too old: whether the condition holds cannot be told now.
    unknown: usize,
    /// It could not be told at any time so far.
    never_decided: usize,
    /// The asset is retired.
    retired: usize,
}

/// A rule.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RuleView {
    /// Its name.
    name: String,
    /// The pipeline it stands in.
    pipeline: String,
    /// How bad it is: `critical`, `major`, `minor`, `warning`.
    #[schema(value_type = String)]
    severity: Severity,
    /// Which assets it watches, as it is written.
    assets: String,
    /// What it watches for, in words.
    condition: String,
    /// Fingerprint of everything that decides, as alerts' evidence names it.
    version: String,
    /// How many of the assets known it matches.
    matches: usize,
    /// On how many of them it is in which state.
    states: RuleCounts,
    /// What is to be known beside that: that it matches no asset, which of its signals was never heard,
    /// or that its durations do not go with the pace of a series.
    notes: Vec<String>,
}

/// The rules in force.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RulesView {
    /// In the order of the pipelines.
    rules: Vec<RuleView>,
    /// What of the definitions in force does not load in this version, a sentence each.
    refused: Vec<String>,
}

/// A signal that a rule waits for.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WaitView {
    /// The signal.
    signal: String,
    /// The signal that is computed from it, if the rule does not look at it itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    computes: Option<String>,
    /// `never_heard`, `too_old`, `bad_quality`, or `undefined`: a formula that gives no finite number.
    reason: &'static str,
    /// A signal of the asset that may have been meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    did_you_mean: Option<String>,
    /// How old its last value is, of one that is too old.
    #[serde(skip_serializing_if = "Option::is_none")]
    age_seconds: Option<f64>,
    /// How old it may be.
    #[serde(skip_serializing_if = "Option::is_none")]
    tolerance_seconds: Option<f64>,
    /// The time of its last usable value, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    last: Option<Timestamp>,
}

/// How a rule stands on an asset.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RuleOnAssetView {
    /// The asset.
    asset: String,
    /// `normal`, `pending`, `alert`, `unknown`, `never_decided` or `retired`.
    state: &'static str,
    /// The id of the open alert, pending ones included.
    #[serde(skip_serializing_if = "Option::is_none")]
    alert: Option<String>,
    /// The state of that alert, as `/v1/alerts` has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    alert_state: Option<&'static str>,
    /// The signals that it waits for; if it is decided, those that were never heard.
    waits_for: Vec<WaitView>,
    /// Why, in words; empty if there is nothing to say.
    why: String,
}

/// A rule and some of the assets that it matches.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RuleDetail {
    #[serde(flatten)]
    rule: RuleView,
    /// How it stands on each asset, by name.
    per_asset: Vec<RuleOnAssetView>,
    /// Where the next page begins; null if there is none.
    next: Option<String>,
}

/// Which assets of a rule to report.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct RuleQuery {
    /// Only assets on which it is in this state: `normal`, `pending`, `alert`, `unknown`, `never_decided`,
    /// `retired`.
    state: Option<String>,
    /// Most assets in the answer, 1 to 1000; default 100.
    limit: Option<usize>,
    /// `next` of the previous answer.
    cursor: Option<String>,
}

/// Lists the rules in force, with the number of assets that each matches, by state.
#[utoipa::path(get, path = "/v1/rules", tag = "rules", responses(
    (status = 200, description = "The rules", body = RulesView),
    sets::Busy,
))]
pub(crate) async fn list_rules(
    Extract(api): Extract<ApiState>,
    principal: Principal,
) -> Result<Json<RulesView>, Problem> {
    let who = principal.clone();
    let (rules, refused) =
        ask(&api, move |rules| Ok((rules.all(&|asset| who.sees(asset))?, rules.refused()))).await?;
    let rules = rules.into_iter().filter_map(|rule| visible(&principal, rule)).map(Into::into).collect();
    // They may name any asset.
    let refused = if principal.scope().is_some() { Vec::new() } else { refused };
    Ok(Json(RulesView { rules, refused }))
}

/// Shows one rule, and how it stands on each asset that it matches: normal, pending, with an open alert,
/// unknown, or never decided, and which signals it waits for.
#[utoipa::path(get, path = "/v1/rules/{rule}", tag = "rules",
    params(("rule" = String, Path, description = "The rule's name"), RuleQuery), responses(
    (status = 200, description = "The rule", body = RuleDetail),
    sets::Parameters, sets::Missing,
))]
pub(crate) async fn get_rule(
    Extract(api): Extract<ApiState>,
    principal: Principal,
    PathParam(name): PathParam<String>,
    Params(query): Params<RuleQuery>,
) -> Result<Json<RuleDetail>, Problem> {
    let page = RulePageAsk {
        limit: limit(query.limit, LIMIT, MAX_LIMIT)?,
        state: query.state.as_deref().filter(|text| !text.is_empty()).map(parse_state).transpose()?,
        after: query.cursor,
    };
    let asked = name.clone();
    let who = principal.clone();
    let found = ask(&api, move |rules| rules.one(&asked, &page, &|asset| who.sees(asset))).await?;
    let none = || {
        let name: String = name.chars().take(64).collect();
        Problem::not_found(format!("there is no rule {name}")).hint("GET /v1/rules lists all")
    };
    let page = found.ok_or_else(none)?;
    let summary = visible(&principal, page.summary).ok_or_else(none)?;
    Ok(Json(RuleDetail {
        rule: summary.into(),
        per_asset: page.assets.into_iter().map(Into::into).collect(),
        next: page.next.map(|asset| asset.to_string()),
    }))
}

/// What of a rule a principal sees: nothing if it watches none of their assets, and not which others it
/// watches.
fn visible(principal: &Principal, mut rule: RuleSummary) -> Option<RuleSummary> {
    if let Some(scope) = principal.scope() {
        if rule.matches == 0 {
            return None;
        }
        rule.rule.assets = scope.describe();
    }
    Some(rule)
}

/// Asks the engine, which has judged all that was in the log when the request came.
async fn ask<T: Send + 'static>(
    api: &ApiState,
    question: impl FnOnce(&Rules) -> Result<T, RulesChanging> + Send + 'static,
) -> Result<T, Problem> {
    api.judged().await?;
    let permit = api.rule_questions.clone().acquire_owned().await;
    let permit = permit.map_err(|error| Problem::internal(&error))?;
    let rules = api.rules.clone();
    let answer = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        question(&rules)
    });
    let answer = answer.await.map_err(|error| Problem::internal(&error))?;
    answer.map_err(|changing| Problem::unavailable(changing.to_string()).hint("try again"))
}

fn parse_state(text: &str) -> Result<RuleState, Problem> {
    RuleState::parse(text).ok_or_else(|| {
        let text: String = text.chars().take(40).collect();
        let states = RuleState::ALL.map(RuleState::as_str).join(", ");
        Problem::bad_request(format!("state {text:?} is not known")).hint(format!("states are {states}"))
    })
}

impl From<RuleSummary> for RuleView {
    fn from(RuleSummary { rule, matches, counts, notes }: RuleSummary) -> Self {
        let mut states = RuleCounts::default();
        for (count, state) in counts.into_iter().zip(RuleState::ALL) {
            *match state {
                RuleState::Normal => &mut states.normal,
                RuleState::Pending => &mut states.pending,
                RuleState::Alert => &mut states.alert,
                RuleState::Unknown => &mut states.unknown,
                RuleState::NeverDecided => &mut states.never_decided,
                RuleState::Retired => &mut states.retired,
            } = count;
        }
        Self {
            name: rule.name.to_string(),
            pipeline: rule.pipeline,
            severity: rule.severity,
            assets: rule.assets,
            condition: rule.condition,
            version: rule.version,
            matches,
            states,
            notes,
        }
    }
}

impl From<RuleOnAsset> for RuleOnAssetView {
    fn from(RuleOnAsset { asset, state, alert, waits_for, notes }: RuleOnAsset) -> Self {
        let why: Vec<String> = waits_for.iter().map(ToString::to_string).chain(notes).collect();
        Self {
            asset: asset.to_string(),
            state: state.as_str(),
            alert: alert.map(|alert| alert.id.to_string()),
            alert_state: alert.map(|alert| alert.state.as_str()),
            waits_for: waits_for.into_iter().map(Into::into).collect(),
            why: why.join("; "),
        }
    }
}

impl From<Wait> for WaitView {
    fn from(Wait { signal, computes, lack, last, meant }: Wait) -> Self {
        let (age_seconds, tolerance_seconds) = match lack {
            Lack::TooOld { age_us, tolerance_us } => (Some(seconds(age_us)), Some(seconds(tolerance_us))),
            Lack::NeverHeard | Lack::Bad | Lack::Undefined => (None, None),
        };
        Self {
            signal: signal.to_string(),
            computes: computes.map(|signal| signal.to_string()),
            reason: lack.as_str(),
            did_you_mean: meant.map(|signal| signal.to_string()),
            age_seconds,
            tolerance_seconds,
            last,
        }
    }
}

fn seconds(us: i64) -> f64 {
    us as f64 / 1e6
}
