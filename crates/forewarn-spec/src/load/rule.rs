//! A rule of a pipeline.

use forewarn_types::{Severity, fingerprint};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::formula::expression;
use super::known::Known;
use super::names::Names;
use crate::detector::{RawDeviation, RawRate};
use crate::diagnostics::Report;
use crate::expr::Expr;
use crate::model::{Condition, DEFAULT_TOLERANCE_US, Rule};
use crate::yaml::field::{Choice, Chosen, Selectors, Text, Unsupported, choice, only};
use crate::yaml::kinds::{Assets, Duration, Name, PositiveDuration, SignalText, Truth, Words};
use crate::yaml::values::{duration, glob, positive_duration};

/// A rule: a condition to watch for on every asset that matches. It has exactly one of when, deviation,
/// missing and rate.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Rule", extend("oneOf" = one_condition()))]
pub(super) struct RawRule {
    /// The name of the rule.
    name: Text<Name>,
    /// The assets it watches.
    assets: Selectors<Assets>,
    /// The condition: while it is true, something is wrong.
    when: Option<Text<Truth>>,
    /// How long `when` must be true, in event time, before the alert is raised.
    #[serde(rename = "for")]
    #[schemars(extend("default" = "0s"))]
    hold: Option<Text<Duration>>,
    /// When this is true the alert ends; left out, it ends when `when` is false.
    until: Option<Text<Truth>>,
    /// How long the end must last, in event time, before the alert ends.
    #[schemars(extend("default" = "0s"))]
    clear_for: Option<Text<Duration>>,
    /// A value older than this, in event time, is unknown. Left out, it is five minutes, or three usual gaps
    /// between the readings of the series if that is longer.
    tolerance: Option<Text<PositiveDuration>>,
    /// How long the rule waits for the other values of one time where they come in separate messages. Left
    /// out, it judges each value as it comes, with the last values of the others.
    settle: Option<Text<PositiveDuration>>,
    /// Watch for a signal that strays from what it has been.
    deviation: Option<RawDeviation>,
    /// Watch for a signal that falls silent.
    missing: Option<RawMissing>,
    /// Watch for a signal that changes too fast.
    rate: Option<RawRate>,
    #[serde(default)]
    #[schemars(skip)]
    stuck: Unsupported,
    #[serde(default)]
    #[schemars(skip)]
    sequence: Unsupported,
    /// How bad it is.
    severity: Chosen<Severity>,
    /// What happens without action.
    consequence: Option<Text<Words>>,
    /// What to do.
    action: Option<Text<Words>>,
}

/// A signal that falls silent.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Missing")]
struct RawMissing {
    /// The signal watched.
    signal: Text<SignalText>,
    /// The longest silence, in wall-clock time, that is no alert.
    longer_than: Text<PositiveDuration>,
    /// Whether every asset that matches must have the signal: then silence counts from the start, and not
    /// from the first reading. An asset is known by its readings, or by its path in `assets` if that has
    /// no wildcard.
    #[schemars(extend("default" = false))]
    expected: Option<bool>,
}

const KEYS_OF_WHEN: [&str; 5] = ["for", "until", "clear_for", "tolerance", "settle"];

fn one_condition() -> Value {
    let conditions = ["when", "deviation", "missing", "rate"];
    let others = |condition: &str| {
        let mut keys: Vec<&str> = conditions.into_iter().filter(|other| *other != condition).collect();
        if condition != "when" {
            keys.extend(KEYS_OF_WHEN);
        }
        keys
    };
    conditions.iter().map(|condition| only(condition, &others(condition))).collect()
}

impl Choice for Severity {
    const NAME: &'static str = "Severity";
    const ABOUT: &'static str = "How bad an alert is.";
    const CHOICES: &'static [(&'static str, Self)] = &[
        (Self::Critical.as_str(), Self::Critical),
        (Self::Major.as_str(), Self::Major),
        (Self::Minor.as_str(), Self::Minor),
        (Self::Warning.as_str(), Self::Warning),
    ];
}

pub(super) fn check(
    raw: &RawRule,
    pipeline: &str,
    known: &Known,
    names: &mut Names,
    report: &mut Report<'_>,
) -> Option<Rule> {
    names.claim("rule", &raw.name, report);
    let severity = choice(&raw.severity, report);
    let assets = glob(&raw.assets, report);
    let condition = condition(raw, known, report);
    let (severity, assets, condition) = (severity?, assets?, condition?);
    let version = fingerprint(format!("{assets} {}", canonical(&condition)).as_bytes());
    Some(Rule {
        name: raw.name.value.as_str().into(),
        pipeline: pipeline.to_owned(),
        assets,
        condition,
        severity,
        consequence: raw.consequence.as_ref().map(|text| text.value.clone()),
        action: raw.action.as_ref().map(|text| text.value.clone()),
        version,
    })
}

fn condition(raw: &RawRule, known: &Known, report: &mut Report<'_>) -> Option<Condition> {
    if refuse_unsupported(raw, report) {
        return None;
    }
    let given = [raw.when.is_some(), raw.deviation.is_some(), raw.missing.is_some(), raw.rate.is_some()];
    if given.iter().filter(|given| **given).count() != 1 {
        let hint = Some("give exactly one of when, deviation, missing and rate".to_owned());
        report.on(&raw.name, format!("the rule '{}' must have one condition", raw.name.value), hint);
        return None;
    }
    if raw.when.is_none() {
        let places = [
            raw.hold.as_ref().map(|text| text.place),
            raw.until.as_ref().map(|text| text.place),
            raw.clear_for.as_ref().map(|text| text.place),
            raw.tolerance.as_ref().map(|text| text.place),
            raw.settle.as_ref().map(|text| text.place),
        ];
        for (key, place) in KEYS_OF_WHEN.into_iter().zip(places) {
            if let Some(place) = place {
                report.at(place, format!("`{key}` goes with `when` only"), Some("leave it out".to_owned()));
            }
        }
    }
    if let Some(when) = &raw.when {
        let when = condition_text(when, known, report);
        let until = raw.until.as_ref().map(|until| condition_text(until, known, report));
        let hold_us = raw.hold.as_ref().map_or(0, |text| duration(text, report));
        let clear_hold_us = raw.clear_for.as_ref().map_or(0, |text| duration(text, report));
        let tolerance_us = raw.tolerance.as_ref().map(|text| positive_duration(text, report));
        let settle_us = raw.settle.as_ref().map_or(0, |text| positive_duration(text, report));
        let until = match until {
            Some(until) => Some(until?),
            None => None,
        };
        let when = when?;
        return Some(Condition::When { when, hold_us, until, clear_hold_us, tolerance_us, settle_us });
    }
    if let Some(missing) = &raw.missing {
        let longer_than_us = positive_duration(&missing.longer_than, report);
        return Some(Condition::Missing {
            signal: known.check_name(&missing.signal, report),
            longer_than_us,
            expected: missing.expected.unwrap_or(false),
        });
    }
    let (signal, detector) = match (&raw.rate, &raw.deviation) {
        (Some(rate), _) => (rate.signal(), Some(rate.detector(report))),
        (None, Some(deviation)) => (deviation.signal(), deviation.detector(report)),
        (None, None) => return None,
    };
    let signal = known.check_name(signal, report);
    Some(Condition::Detector { signal, detector: detector? })
}

/// Reads a condition, with a warning if it can never hold.
fn condition_text(text: &Text<Truth>, known: &Known, report: &mut Report<'_>) -> Option<Expr> {
    let expr = expression(text, known, report)?;
    if let Some(why) = expr.never_holds() {
        report.warn(text, "this condition can never hold", Some(why));
    }
    Some(expr)
}

/// Reports the conditions that a later version knows, and says whether there are any.
fn refuse_unsupported(raw: &RawRule, report: &mut Report<'_>) -> bool {
    let stuck = "leave the rule out; a job can find such signals: `SELECT asset … GROUP BY asset HAVING \
        min(value) = max(value)`";
    let sequence =
        "write what must come together in one `when`, with a `tolerance` as long as the steps may lie apart";
    raw.stuck.refuse("stuck", stuck, report) | raw.sequence.refuse("sequence", sequence, report)
}

/// The condition as a text in which everything that decides stands, and nothing else: two ways to write an
/// expression are one text.
fn canonical(condition: &Condition) -> String {
    match condition {
        Condition::When { when, hold_us, until, clear_hold_us, tolerance_us, settle_us } => {
            let until = until.as_ref().map_or_else(String::new, ToString::to_string);
            // What goes by the rhythm of the series reads as it did when it was five minutes, so that an
            // upgrade changes no rule.
            let tolerance = match tolerance_us {
                None => DEFAULT_TOLERANCE_US.to_string(),
                Some(DEFAULT_TOLERANCE_US) => format!("{DEFAULT_TOLERANCE_US} at most"),
                Some(us) => us.to_string(),
            };
            let settle = if *settle_us == 0 { String::new() } else { format!(" settle {settle_us}") };
            format!(
                "when {when} for {hold_us} until {until} clear {clear_hold_us} tolerance {tolerance}{settle}"
            )
        }
        Condition::Detector { signal, detector } => detector.canonical(signal),
        Condition::Missing { signal, longer_than_us, expected } => {
            format!("missing {signal} {longer_than_us}{}", if *expected { " expected" } else { "" })
        }
    }
}
