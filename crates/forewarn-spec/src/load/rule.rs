//! A rule of a pipeline.

use forewarn_types::{Severity, fingerprint};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::formula::expression;
use super::known::Known;
use super::names::Names;
use crate::diagnostics::Report;
use crate::model::{Baseline, Condition, DEFAULT_TOLERANCE_US, Detector, Rule};
use crate::yaml::field::{Choice, Chosen, Placed, Text, Unsupported, choice};
use crate::yaml::kinds::{
    Assets, BaselineText, Duration, Name, PositiveDuration, SignalText, Truth, Words, Zone,
};
use crate::yaml::values::{duration, glob, positive, positive_duration, positive_microseconds, timezone};

/// A rule: a condition to watch for on every asset that matches. It has exactly one of when, deviation,
/// missing and rate.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Rule", extend("oneOf" = one_condition()))]
pub(super) struct RawRule {
    /// The name of the rule.
    name: Text<Name>,
    /// The assets it watches.
    assets: Text<Assets>,
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
    /// A value older than this, in event time, is unknown.
    #[schemars(extend("default" = "5m"))]
    tolerance: Option<Text<PositiveDuration>>,
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
    /// What happens if nobody acts.
    consequence: Option<Text<Words>>,
    /// What to do.
    action: Option<Text<Words>>,
}

/// A signal that strays from what it has been.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Deviation", extend("oneOf" = keys_of_methods()))]
struct RawDeviation {
    /// The signal watched.
    signal: Text<SignalText>,
    /// How straying is judged.
    #[schemars(extend("default" = "learned_limits"))]
    method: Option<Chosen<Method>>,
    /// How little it takes; for `learned_limits`.
    #[schemars(extend("default" = "medium"))]
    sensitivity: Option<Chosen<Sensitivity>>,
    /// How little it takes, as a number: how far outside the learnt envelope is too far, in widths of the
    /// envelope. It takes the place of `sensitivity`, whose rungs are 0.04, 0.1 and 0.2; for
    /// `learned_limits`.
    #[schemars(extend("exclusiveMinimum" = 0))]
    tolerance: Option<Placed<f64>>,
    /// The time zone in which days and weeks repeat; for `learned_limits`.
    #[schemars(extend("default" = "UTC"))]
    timezone: Option<Text<Zone>>,
    /// How far back the median and the deviation remember; for `robust_z`.
    #[schemars(extend("default" = 2000))]
    baseline: Option<Text<BaselineText>>,
    /// How many robust standard deviations from the median are too many; for `robust_z`.
    #[schemars(extend("exclusiveMinimum" = 0, "default" = 6))]
    above: Option<Placed<f64>>,
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
}

/// A signal that changes too fast.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Rate")]
struct RawRate {
    /// The signal watched.
    signal: Text<SignalText>,
    /// The largest change allowed in the time of `per`; left out, it is ten times the running mean of the
    /// changes.
    #[schemars(extend("exclusiveMinimum" = 0))]
    above: Option<Placed<f64>>,
    /// The time in which `above` is counted.
    #[schemars(extend("default" = "1s"))]
    per: Option<Text<PositiveDuration>>,
}

/// A JSON Schema for objects in which `present` has a value and no key of `absent` has one.
fn only(present: &str, absent: &[&str]) -> Value {
    let mut properties: serde_json::Map<String, Value> =
        absent.iter().map(|key| ((*key).to_owned(), json!({ "type": "null" }))).collect();
    properties.insert(present.to_owned(), json!({ "not": { "type": "null" } }));
    json!({ "required": [present], "properties": properties })
}

const KEYS_OF_WHEN: [&str; 4] = ["for", "until", "clear_for", "tolerance"];

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

fn keys_of_methods() -> Value {
    let mut robust_z = only("method", &["sensitivity", "tolerance", "timezone"]);
    robust_z["properties"]["method"] = json!({ "const": "robust_z" });
    let learned_limits = json!({ "enum": ["learned_limits", null] });
    json!([{ "properties": { "method": learned_limits, "baseline": { "type": "null" }, "above": { "type": "null" } } }, robust_z])
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

#[derive(Clone, Copy)]
enum Method {
    LearnedLimits,
    RobustZ,
}

impl Choice for Method {
    const NAME: &'static str = "Method";
    const ABOUT: &'static str = "How straying is judged: `learned_limits` learns envelopes from the series itself, with its daily and weekly habits; `robust_z` is the distance from the running median in robust standard deviations.";
    const CHOICES: &'static [(&'static str, Self)] =
        &[("learned_limits", Self::LearnedLimits), ("robust_z", Self::RobustZ)];
}

/// A rung of the learnt limits: the tolerance it stands for.
#[derive(Clone, Copy)]
struct Sensitivity(f64);

impl Choice for Sensitivity {
    const NAME: &'static str = "Sensitivity";
    const ABOUT: &'static str = "How little it takes to raise an alert: `high` raises the most alerts.";
    const CHOICES: &'static [(&'static str, Self)] =
        &[("high", Self(0.04)), ("medium", Self(0.10)), ("low", Self(0.20))];
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
        ];
        for (key, place) in KEYS_OF_WHEN.into_iter().zip(places) {
            if let Some(place) = place {
                report.at(place, format!("`{key}` goes with `when` only"), Some("leave it out".to_owned()));
            }
        }
    }
    if let Some(when) = &raw.when {
        let when = expression(when, known, report);
        let until = raw.until.as_ref().map(|until| expression(until, known, report));
        let hold_us = raw.hold.as_ref().map_or(0, |text| duration(text, report));
        let clear_hold_us = raw.clear_for.as_ref().map_or(0, |text| duration(text, report));
        let tolerance_us =
            raw.tolerance.as_ref().map_or(DEFAULT_TOLERANCE_US, |text| positive_duration(text, report));
        let until = match until {
            Some(until) => Some(until?),
            None => None,
        };
        return Some(Condition::When { when: when?, hold_us, until, clear_hold_us, tolerance_us });
    }
    if let Some(missing) = &raw.missing {
        let longer_than_us = positive_duration(&missing.longer_than, report);
        return Some(Condition::Missing {
            signal: known.check_name(&missing.signal, report),
            longer_than_us,
        });
    }
    if let Some(rate) = &raw.rate {
        let per_us = rate.per.as_ref().map_or(1_000_000, |per| positive_duration(per, report));
        let above_per_s = rate.above.as_ref().map(|above| positive(above, report) / (per_us as f64 / 1e6));
        return Some(Condition::Rate { signal: known.check_name(&rate.signal, report), above_per_s });
    }
    let deviation = raw.deviation.as_ref()?;
    Some(Condition::Deviation {
        signal: known.check_name(&deviation.signal, report),
        detector: detector(deviation, report)?,
    })
}

/// Reports the conditions that a later version knows, and says whether there are any.
fn refuse_unsupported(raw: &RawRule, report: &mut Report<'_>) -> bool {
    let stuck = "leave the rule out; a job can find such signals: `SELECT asset … GROUP BY asset HAVING min(value) = max(value)`";
    let sequence =
        "write what must come together in one `when`, with a `tolerance` as long as the steps may lie apart";
    raw.stuck.refuse("stuck", stuck, report) | raw.sequence.refuse("sequence", sequence, report)
}

fn detector(raw: &RawDeviation, report: &mut Report<'_>) -> Option<Detector> {
    let method = raw.method.as_ref().map_or(Some(Method::LearnedLimits), |method| choice(method, report))?;
    let of_learned_limits = [
        ("sensitivity", raw.sensitivity.as_ref().map(|text| text.place)),
        ("tolerance", raw.tolerance.as_ref().map(|number| number.place)),
        ("timezone", raw.timezone.as_ref().map(|text| text.place)),
    ];
    let of_robust_z = [
        ("baseline", raw.baseline.as_ref().map(|text| text.place)),
        ("above", raw.above.as_ref().map(|number| number.place)),
    ];
    let (other, foreign, instead) = match method {
        Method::LearnedLimits => ("robust_z", &of_robust_z[..], "use `sensitivity` or `tolerance`"),
        Method::RobustZ => ("learned_limits", &of_learned_limits[..], "use `baseline` or `above`"),
    };
    for (key, place) in foreign {
        if let Some(place) = place {
            report.at(*place, format!("`{key}` goes with `method: {other}` only"), Some(instead.to_owned()));
        }
    }
    if matches!(method, Method::LearnedLimits) {
        let Sensitivity(rung) =
            raw.sensitivity.as_ref().map_or(Some(Sensitivity(0.10)), |rung| choice(rung, report))?;
        let tolerance = raw.tolerance.as_ref().map_or(rung, |tolerance| positive(tolerance, report));
        return Some(Detector::LearnedLimits {
            tolerance,
            timezone: timezone(raw.timezone.as_ref(), report),
        });
    }
    let baseline =
        raw.baseline.as_ref().map_or(Baseline::Readings(2_000), |text| match text.value.parse::<u32>() {
            Ok(readings) if readings >= 2 => Baseline::Readings(readings),
            Ok(_) => {
                report.on(text, "a baseline has at least 2 readings", None);
                Baseline::Readings(2)
            }
            Err(_) => Baseline::Duration(positive_microseconds(text, report)),
        });
    Some(Detector::RobustZ {
        baseline,
        above: raw.above.as_ref().map_or(6.0, |above| positive(above, report)),
    })
}

/// The condition as a text in which everything that decides stands, and nothing else: two ways to write an
/// expression are one text.
fn canonical(condition: &Condition) -> String {
    match condition {
        Condition::When { when, hold_us, until, clear_hold_us, tolerance_us } => {
            let until = until.as_ref().map_or_else(String::new, ToString::to_string);
            format!("when {when} for {hold_us} until {until} clear {clear_hold_us} tolerance {tolerance_us}")
        }
        Condition::Deviation { signal, detector: Detector::LearnedLimits { tolerance, timezone } } => {
            format!("learned_limits {signal} {tolerance} {}", timezone.name())
        }
        Condition::Deviation { signal, detector: Detector::RobustZ { baseline, above } } => {
            format!("robust_z {signal} {baseline:?} {above}")
        }
        Condition::Missing { signal, longer_than_us } => format!("missing {signal} {longer_than_us}"),
        Condition::Rate { signal, above_per_s } => format!("rate {signal} {above_per_s:?}"),
    }
}
