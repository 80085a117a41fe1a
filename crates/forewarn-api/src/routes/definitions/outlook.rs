//! What other definitions would do to open alerts.

use std::collections::{BTreeMap, BTreeSet};

use forewarn_spec::{Definitions, Rule};
use forewarn_state::{Applied, RulesOutlook};
use forewarn_types::{AlertState, AlertTransition};
use serde::Serialize;
use utoipa::ToSchema;

use crate::context::ApiState;
use crate::problem::Problem;

/// Most alerts that are named in each list; all are counted.
const MAX_NAMED: usize = 100;

/// An alert that would change.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AlertChange {
    /// Its id.
    id: String,
    /// The rule.
    rule: String,
    /// The asset.
    asset: String,
    /// What would happen, in words.
    message: String,
}

/// What would happen to open alerts, by the newest values.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct OutlookView {
    /// How many would stay open.
    kept: usize,
    /// How many would end, or wait for their acknowledgement only.
    ended_total: usize,
    /// The first 100 that would end.
    ended: Vec<AlertChange>,
    /// How many would be raised, or begin to count towards `for`.
    raised_total: usize,
    /// The first 100 of these.
    raised: Vec<AlertChange>,
    /// How many would stay open with another severity, consequence or action.
    retexted_total: usize,
    /// The first 100 of these.
    retexted: Vec<AlertChange>,
    /// What is to be known of rules that are new or changed: signals that were never heard, assets that are
    /// not there.
    notes: Vec<String>,
}

/// What `applied` would do now.
pub(super) async fn outlook(api: &ApiState, applied: &Applied) -> Result<OutlookView, Problem> {
    api.judged().await?;
    let permit = api.rule_questions.clone().acquire_owned().await;
    let permit = permit.map_err(|error| Problem::internal(&error))?;
    let (rules, texts) = (api.rules.clone(), applied.texts.clone());
    let asked = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        rules.would(&texts)
    });
    let found = asked.await.map_err(|error| Problem::internal(&error))?;
    let found = found.map_err(|error| Problem::internal(&error))?;
    Ok(compare(api, &found, &api.definitions.get(), &applied.definitions))
}

fn compare(api: &ApiState, found: &RulesOutlook, old: &Definitions, new: &Definitions) -> OutlookView {
    let mut view = OutlookView::default();
    let mut gone = BTreeSet::new();
    for step in &found.transitions {
        let change = AlertChange::of(step);
        if matches!(step.state, AlertState::Normal | AlertState::Returned) {
            gone.insert(step.alert);
            add(&mut view.ended, &mut view.ended_total, change);
        } else if matches!(step.state, AlertState::Pending | AlertState::Unacknowledged) {
            add(&mut view.raised, &mut view.raised_total, change);
        }
    }
    let (before, after) = (by_name(old), by_name(new));
    let state = api.state.read();
    for alert in state.alerts().open().filter(|alert| !gone.contains(&alert.id)) {
        view.kept += 1;
        let texts = before.get(&*alert.rule).zip(after.get(&*alert.rule));
        if let Some(words) = texts.and_then(|(old, new)| retexted(old, new)) {
            let change = AlertChange {
                id: alert.id.to_string(),
                rule: alert.rule.to_string(),
                asset: alert.asset.to_string(),
                message: words,
            };
            add(&mut view.retexted, &mut view.retexted_total, change);
        }
    }
    drop(state);
    for rule in &found.rules {
        let name = &*rule.rule.name;
        let is_same = match (before.get(name), after.get(name)) {
            (Some(old), Some(new)) => format!("{old:?}") == format!("{new:?}"),
            _ => false,
        };
        if !is_same {
            view.notes.extend(rule.notes.iter().map(|note| format!("{name}: {note}")));
        }
    }
    view
}

fn by_name(definitions: &Definitions) -> BTreeMap<&str, &Rule> {
    let rules = definitions.pipelines.iter().flat_map(|pipeline| &pipeline.rules);
    rules.map(|rule| (&*rule.name, rule)).collect()
}

/// How the texts of a rule change, if they do.
fn retexted(old: &Rule, new: &Rule) -> Option<String> {
    let mut words = Vec::new();
    if old.severity != new.severity {
        words.push(format!("severity {} instead of {}", new.severity.as_str(), old.severity.as_str()));
    }
    if old.consequence != new.consequence {
        words.push("another consequence".to_owned());
    }
    if old.action != new.action {
        words.push("another action".to_owned());
    }
    (!words.is_empty()).then(|| words.join(", "))
}

fn add(list: &mut Vec<AlertChange>, total: &mut usize, change: AlertChange) {
    *total += 1;
    if list.len() < MAX_NAMED {
        list.push(change);
    }
}

impl AlertChange {
    fn of(step: &AlertTransition) -> Self {
        Self {
            id: step.alert.to_string(),
            rule: step.rule.to_string(),
            asset: step.asset.to_string(),
            message: step.message.clone(),
        }
    }
}
