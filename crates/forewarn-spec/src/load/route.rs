//! A route of a pipeline: which alerts are sent to which contacts.

use forewarn_types::{Severity, fingerprint};
use schemars::JsonSchema;
use serde::Deserialize;

use super::names::{Names, check_name};
use crate::diagnostics::Report;
use crate::glob::AssetGlob;
use crate::model::{Escalation, GroupKey, Grouping, QuietHours, Route};
use crate::yaml::field::{Choice, Chosen, OneOf, Selectors, Text, choice};
use crate::yaml::hours::{HoursText, parse_hours};
use crate::yaml::kinds::{Assets, Duration, Label, PositiveDuration, Zone};
use crate::yaml::many::Many;
use crate::yaml::values::{duration, glob, positive_duration, timezone};

/// Where the alerts that match are sent, of whichever pipeline their rules are. Each route that matches
/// tells.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Route")]
pub(super) struct RawRoute {
    /// The name of the route. With one, it stays the same route when what it matches is changed.
    name: Option<Text<Label>>,
    /// Which alerts; left out, all.
    #[serde(rename = "match")]
    matches: Option<RawMatch>,
    /// The contacts it sends to, by their names in the server's settings.
    to: Many<Label>,
    /// What is sent together; left out, each alert is sent by itself, at once.
    group: Option<RawGroup>,
    /// Further contacts when an alert is not acknowledged.
    escalate: Option<Vec<RawEscalation>>,
    /// Hours in which nothing is sent; what was held back is sent when they end.
    quiet: Option<RawQuiet>,
}

impl RawRoute {
    /// The contacts that it names.
    pub(super) fn contacts(&self) -> impl Iterator<Item = &Text<Label>> {
        let steps = self.escalate.iter().flatten().flat_map(|step| &step.to.0);
        self.to.0.iter().chain(steps)
    }
}

/// Which alerts: those that all of these match.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Match")]
struct RawMatch {
    /// The severity is one of these.
    severity: Option<Many<OneOf<Severity>>>,
    /// The asset is one of these.
    assets: Option<Selectors<Assets>>,
    /// The rule is one of these; `*` stands for any characters.
    rule: Option<Selectors<Assets>>,
}

/// What is sent together.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Group")]
struct RawGroup {
    /// Alerts that have these in common are sent together; an empty list: all alerts of the route. Left out,
    /// each alert is sent by itself.
    by: Option<Vec<Chosen<GroupKey>>>,
    /// How long a change waits for others of its group.
    wait: Option<Text<Duration>>,
    /// How often it is said that alerts are still active, until they are acknowledged; left out, never.
    repeat: Option<Text<PositiveDuration>>,
}

/// Further contacts when an alert has not been acknowledged for so long.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Escalation")]
struct RawEscalation {
    /// So long after the alert was first sent.
    after: Text<PositiveDuration>,
    /// The contacts.
    to: Many<Label>,
}

/// Hours in which nothing is sent.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "QuietHours")]
struct RawQuiet {
    /// The hours of every day.
    daily: Text<HoursText>,
    /// Their time zone; left out, UTC.
    timezone: Option<Text<Zone>>,
    /// Alerts of this severity or worse are sent all the same.
    except: Option<Chosen<Severity>>,
}

impl Choice for GroupKey {
    const NAME: &'static str = "GroupKey";
    const ABOUT: &'static str = "What alerts have in common.";
    const CHOICES: &'static [(&'static str, Self)] =
        &[("asset", Self::Asset), ("rule", Self::Rule), ("severity", Self::Severity)];
}

/// Checks a route. Whether its contacts are there is checked with the server's settings.
pub(super) fn check(
    raw: &RawRoute,
    pipeline: &str,
    names: &mut Names,
    report: &mut Report<'_>,
) -> Option<Route> {
    let before = report.found.len();
    if let Some(name) = &raw.name {
        names.claim("route", name, report);
    }
    let matches = raw.matches.as_ref();
    let severities = matches.and_then(|raw| raw.severity.as_ref()).map_or_else(Vec::new, |severity| {
        not_empty(severity, "severity", report);
        severity.0.iter().filter_map(|text| choice(text, report)).collect()
    });
    let mut selected = |selectors: Option<&Selectors<Assets>>| -> Option<AssetGlob> {
        selectors.and_then(|selectors| glob(selectors, report))
    };
    let assets = selected(matches.and_then(|raw| raw.assets.as_ref()));
    let rules = selected(matches.and_then(|raw| raw.rule.as_ref()));
    let to = contacts(&raw.to, report);
    let escalate = escalations(raw.escalate.as_deref().unwrap_or_default(), report);
    let group = grouping(raw.group.as_ref(), report);
    let quiet = raw.quiet.as_ref().and_then(|quiet| quiet_hours(quiet, report));
    let name = raw.name.as_ref().map_or_else(
        || {
            let what = format!("{severities:?} {assets:?} {rules:?} {to:?}");
            format!("{pipeline}/{}", &fingerprint(what.as_bytes())[..8])
        },
        |name| name.value.clone(),
    );
    let pipeline = pipeline.to_owned();
    let route = Route { name, pipeline, severities, assets, rules, to, group, escalate, quiet };
    (report.found.len() == before).then_some(route)
}

fn not_empty<K>(texts: &Many<K>, key: &str, report: &mut Report<'_>) {
    if texts.0.is_empty() {
        report
            .whole_file(format!("the list `{key}` of a route is empty: name at least one, or leave it out"));
    }
}

fn contacts(raw: &Many<Label>, report: &mut Report<'_>) -> Vec<String> {
    not_empty(raw, "to", report);
    let mut named: Vec<String> = Vec::new();
    for text in &raw.0 {
        check_name(text, report);
        if named.contains(&text.value) {
            report.on(text, format!("the contact '{}' stands twice", text.value), None);
        }
        named.push(text.value.clone());
    }
    named
}

fn escalations(raw: &[RawEscalation], report: &mut Report<'_>) -> Vec<Escalation> {
    let mut found: Vec<Escalation> = Vec::new();
    for step in raw {
        let after_us = positive_duration(&step.after, report);
        if found.last().is_some_and(|last| last.after_us >= after_us) {
            report.on(
                &step.after,
                "the steps of `escalate` must stand in the order of their times",
                Some("each `after` counts from when the alert was first sent".to_owned()),
            );
        }
        found.push(Escalation { after_us, to: contacts(&step.to, report) });
    }
    found
}

fn grouping(raw: Option<&RawGroup>, report: &mut Report<'_>) -> Grouping {
    let Some(raw) = raw else { return Grouping { by: None, wait_us: 0, repeat_us: None } };
    Grouping {
        by: raw.by.as_ref().map(|keys| keys.iter().filter_map(|key| choice(key, report)).collect()),
        wait_us: raw.wait.as_ref().map_or(0, |text| duration(text, report)),
        repeat_us: raw.repeat.as_ref().map(|text| positive_duration(text, report)),
    }
}

fn quiet_hours(raw: &RawQuiet, report: &mut Report<'_>) -> Option<QuietHours> {
    let timezone = timezone(raw.timezone.as_ref(), report);
    let except = raw.except.as_ref().and_then(|text| choice(text, report));
    let Some((from_minute, to_minute)) = parse_hours(&raw.daily.value) else {
        report.on(
            &raw.daily,
            format!("'{}' is no hours of the day", raw.daily.value),
            Some("write a time and a time, such as \"22:00-06:00\", in quotes".to_owned()),
        );
        return None;
    };
    Some(QuietHours { from_minute, to_minute, timezone, except })
}
