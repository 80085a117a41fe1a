//! The frame of a job.

use std::collections::BTreeMap;

use forewarn_types::{SignalName, check_signal, did_you_mean};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::known::Known;
use crate::diagnostics::Report;
use crate::expr::{Expr, ExprError, Type};
use crate::frame::{Aggregate, Fill, Frame, FrameColumn, FrameSignal};
use crate::yaml::field::{Choice, Chosen, Kind, Placed, Selectors, Text, choice, only};
use crate::yaml::free::{Either, Keyed};
use crate::yaml::kinds::{Assets, ColumnFormula, PositiveDuration, SignalText, Truth};
use crate::yaml::values::{glob, positive_duration};

/// The columns that every frame has. The letters' case tells no columns of a table apart.
const OWN: [&str; 2] = ["asset", "time"];
/// Most columns of a frame beside its own.
const MAX_COLUMNS: usize = 200;

/// What becomes of readings, by signal.
type BySignal = Keyed<SignalText, Chosen<Aggregate>>;

/// A frame: one row for each asset and step of a time grid in which one of the signals has a reading, with
/// the columns asset, time (the start of the step, UTC) and one for each signal.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Frame")]
pub(super) struct RawFrame {
    /// The assets it has rows of.
    assets: Selectors<Assets>,
    /// The signals, each a column, in this order. A derived signal is written under columns instead.
    #[schemars(extend("minItems" = 1))]
    signals: Placed<Vec<Text<SignalText>>>,
    /// The length of a step. Steps are counted from 1970 on, in UTC; a run computes those that end within its
    /// interval.
    every: Text<PositiveDuration>,
    /// What becomes of several readings of a signal in one step, for all signals or by signal; of one that is
    /// not named, the mean.
    #[schemars(extend("default" = "mean"))]
    aggregate: Option<Either<Chosen<Aggregate>, BySignal>>,
    /// What a row holds of a signal that has no value in its step.
    #[schemars(extend("default" = "none"))]
    fill: Option<Placed<Either<Chosen<NoFill>, RawFill>>>,
    /// Further columns, computed from the signals and from columns before.
    columns: Option<Keyed<SignalText, Text<ColumnFormula>>>,
    /// Rows of which this is not true are left out.
    #[serde(rename = "where")]
    filter: Option<Text<Truth>>,
}

/// What a row holds of a signal that has no value in its step: exactly one of these. Lengths are those
/// between the starts of steps.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Fill", extend("oneOf" = one_fill()))]
struct RawFill {
    /// The value of the newest step before that has one, if it is at most so old; not shorter than a step.
    previous: Option<Text<PositiveDuration>>,
    /// What lies on the line between the values of the steps before and after, if these are at most so far
    /// apart; not shorter than two steps.
    linear: Option<Text<PositiveDuration>>,
}

fn one_fill() -> Value {
    json!([only("previous", &["linear"]), only("linear", &["previous"])])
}

#[derive(Clone, Copy)]
enum NoFill {
    None,
}

impl Choice for NoFill {
    const NAME: &'static str = "NoFill";
    const ABOUT: &'static str = "Nothing.";
    const CHOICES: &'static [(&'static str, Self)] = &[("none", Self::None)];
}

impl Choice for Aggregate {
    const NAME: &'static str = "Aggregate";
    const ABOUT: &'static str = "What becomes of several readings in one step.";
    const CHOICES: &'static [(&'static str, Self)] = &[
        ("mean", Self::Mean),
        ("min", Self::Min),
        ("max", Self::Max),
        ("sum", Self::Sum),
        ("count", Self::Count),
        ("first", Self::First),
        ("last", Self::Last),
        ("std", Self::Std),
        ("median", Self::Median),
    ];
}

/// Checks a frame; `known` are the signals of its pipeline, `everywhere` those of all.
pub(super) fn check(
    raw: &RawFrame,
    known: &Known,
    everywhere: &Known,
    report: &mut Report<'_>,
) -> Option<Frame> {
    let before = report.found.len();
    let mut names = ColumnNames::default();
    let aggregates = aggregates(raw, report);
    let assets = glob(&raw.assets, report);
    let every_us = positive_duration(&raw.every, report);
    let signals = signals(raw, &aggregates, (known, everywhere), &mut names, report);
    let fill = fill(raw, every_us, report);
    let columns = columns(raw, &mut names, report);
    let filter = raw.filter.as_ref().and_then(|text| {
        let expr = names.expression(text, None, report)?;
        if expr.ty() != Type::Bool {
            report.on(text, format!("this must be a {}, but it is a {}", Type::Bool, expr.ty()), None);
        }
        Some(expr)
    });
    let count = signals.len() + columns.len();
    if count > MAX_COLUMNS {
        let hint = Some("make several frames of it".to_owned());
        report.on(&raw.signals, format!("a frame has at most {MAX_COLUMNS} columns, not {count}"), hint);
    }
    let assets = assets?;
    (report.found.len() == before).then_some(Frame { assets, every_us, signals, fill, columns, filter })
}

fn signals(
    raw: &RawFrame,
    aggregates: &Aggregates,
    (known, everywhere): (&Known, &Known),
    names: &mut ColumnNames,
    report: &mut Report<'_>,
) -> Vec<FrameSignal> {
    if raw.signals.value.is_empty() {
        report.on(&raw.signals, "a frame needs at least one signal", None);
    }
    let mut signals = Vec::new();
    for text in &raw.signals.value {
        if report.is_full() {
            break;
        }
        let name = known.check_name(text, report);
        if everywhere.is_derived(&name) {
            let hint = Some("leave it out here, and write its expression under `columns`".to_owned());
            let message = format!("the derived signal '{name}' has no readings of its own");
            report.on(text, message, hint);
        }
        names.add(text, "signal", Some(Type::Number), report);
        signals.push(FrameSignal { aggregate: aggregates.of(&name), name });
    }
    for (text, _) in &aggregates.by_signal {
        if signals.iter().all(|signal| *signal.name != *text.value) {
            let close = did_you_mean(&text.value, signals.iter().map(|signal| &*signal.name));
            let hint = close.map(|close| format!("did you mean '{close}'?"));
            report.on(text, format!("'{}' is not one of the frame's signals", text.value), hint);
        }
    }
    signals
}

/// What becomes of readings, as written.
struct Aggregates<'a> {
    all: Aggregate,
    by_signal: Vec<(&'a Text<SignalText>, Aggregate)>,
}

impl Aggregates<'_> {
    fn of(&self, signal: &str) -> Aggregate {
        let named = self.by_signal.iter().find(|(name, _)| name.value == signal);
        named.map_or(self.all, |(_, aggregate)| *aggregate)
    }
}

fn aggregates<'a>(raw: &'a RawFrame, report: &mut Report<'_>) -> Aggregates<'a> {
    let single = raw.aggregate.as_ref().and_then(|either| either.single.as_ref());
    let all = single.and_then(|text| choice(text, report)).unwrap_or(Aggregate::Mean);
    let keys = raw.aggregate.as_ref().and_then(|either| either.keys.as_ref());
    let mut by_signal = Vec::new();
    for (name, text) in keys.into_iter().flat_map(|keys| &keys.0) {
        by_signal.extend(choice(text, report).map(|aggregate| (name, aggregate)));
    }
    Aggregates { all, by_signal }
}

fn fill(raw: &RawFrame, every_us: i64, report: &mut Report<'_>) -> Fill {
    let Some(fill) = &raw.fill else { return Fill::None };
    if let Some(none) = &fill.value.single {
        return match choice(none, report) {
            Some(NoFill::None) | None => Fill::None,
        };
    }
    let Some(keys) = &fill.value.keys else { return Fill::None };
    // A value can only come from another step.
    let reach = |text: &Text<PositiveDuration>, steps: i64, report: &mut Report<'_>| {
        let reach_us = positive_duration(text, report);
        if reach_us < every_us.saturating_mul(steps) {
            let what = if steps == 1 { "a step" } else { "two steps" };
            let hint = Some(format!("`every` is '{}'; make this longer", raw.every.value));
            report.on(text, format!("this must not be shorter than {what}, or nothing is filled"), hint);
        }
        reach_us
    };
    match (&keys.previous, &keys.linear) {
        (Some(text), None) => Fill::Previous(reach(text, 1, report)),
        (None, Some(text)) => Fill::Linear(reach(text, 2, report)),
        _ => {
            let hint = Some("write `fill: none` for neither".to_owned());
            report.on(fill, "`fill` has exactly one of previous and linear", hint);
            Fill::None
        }
    }
}

fn columns(raw: &RawFrame, names: &mut ColumnNames, report: &mut Report<'_>) -> Vec<FrameColumn> {
    let entries = raw.columns.as_ref().map_or(&[][..], |columns| &columns.0);
    let later: Vec<&str> = entries.iter().map(|(name, _)| name.value.as_str()).collect();
    let mut columns = Vec::new();
    for (number, (name, text)) in entries.iter().enumerate() {
        if report.is_full() {
            break;
        }
        if let Err(error) = check_signal(&name.value) {
            let problem = error.to_string();
            report.on(name, problem.replacen("signal", "column", 1), None);
        }
        let expr = names.expression(text, Some(&later[number..]), report);
        let ty = expr.as_ref().map(Expr::ty);
        if ty.is_some_and(|ty| !matches!(ty, Type::Number | Type::Bool)) {
            let hint = Some("divide it by a duration, as in `x / 1s`".to_owned());
            report.on(text, "a column must be a number, or true or false", hint);
        }
        names.add(name, "column", ty, report);
        let name: SignalName = name.value.as_str().into();
        columns.extend(expr.map(|expr| FrameColumn { name, expr }));
    }
    columns
}

/// The columns so far.
#[derive(Default)]
struct ColumnNames {
    /// By name, in small letters.
    taken: BTreeMap<String, &'static str>,
    /// What each holds; nothing where that is not known, as its expression has a mistake.
    types: BTreeMap<String, Option<Type>>,
}

impl ColumnNames {
    /// Adds the column `name`, which is a `what`.
    fn add<K>(&mut self, name: &Text<K>, what: &'static str, ty: Option<Type>, report: &mut Report<'_>) {
        if name.place.is_unknown() {
            return;
        }
        let small = name.value.to_lowercase();
        if OWN.contains(&small.as_str()) {
            let hint = Some("asset and time are columns of every frame; use another name".to_owned());
            report.on(name, format!("a {what} of a frame cannot be named '{}'", name.value), hint);
        } else if let Some(other) = self.taken.insert(small, what) {
            let hint = Some("upper and lower case are the same; leave one out or rename it".to_owned());
            report.on(name, format!("there is a {other} named '{}' already", name.value), hint);
        }
        self.types.insert(name.value.clone(), ty);
    }

    /// Reads an expression over the columns so far; `later` are those that come with it or after it.
    fn expression<K: Kind>(
        &self,
        text: &Text<K>,
        later: Option<&[&str]>,
        report: &mut Report<'_>,
    ) -> Option<Expr> {
        let expr = Expr::parse(&text.value).map_err(|error| report.inside(text, &error)).ok()?;
        let mut good = true;
        for (name, span) in expr.signals().iter().zip(expr.signal_spans()) {
            let (message, hint) = match self.types.get(&**name) {
                Some(Some(Type::Number)) => continue,
                // Its own mistake is reported.
                Some(None) => (String::new(), None),
                Some(Some(_)) => {
                    let hint = "write its expression here in its place".to_owned();
                    (format!("the column '{name}' is no number and cannot be used here"), Some(hint))
                }
                None if later.is_some_and(|later| later.contains(&&**name)) => {
                    let hint = "a column can use those before it".to_owned();
                    (format!("the column '{name}' does not come before this one"), Some(hint))
                }
                None => {
                    let hint = match did_you_mean(name, self.types.keys().map(String::as_str)) {
                        Some(close) => format!("did you mean '{close}'?"),
                        None => "add it to the frame's `signals`".to_owned(),
                    };
                    (format!("'{name}' is neither a signal nor a column of this frame"), Some(hint))
                }
            };
            good = false;
            if !message.is_empty() && !report.is_full() {
                report.inside(text, &ExprError { span: span.clone(), message, hint });
            }
        }
        good.then_some(expr)
    }
}
