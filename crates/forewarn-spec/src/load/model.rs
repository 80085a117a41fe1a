//! A model file.

use schemars::JsonSchema;
use serde::Deserialize;

use super::known::Known;
use super::names::Names;
use crate::algorithm::Algorithm;
use crate::diagnostics::Report;
use crate::model::{Features, Model, Promote, Schedule, Statistic, Target, TimeUnit};
use crate::yaml::field::{Choice, Chosen, Placed, Selectors, Text, choice};
use crate::yaml::kinds::{Assets, CronText, Name, PositiveDuration, SignalText, Zone};
use crate::yaml::values::{cron, glob, positive_duration, timezone};

/// A model: what it learns from, what it predicts, and when. One file of the models folder.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Model", title = "Forewarn model")]
pub(crate) struct RawModel {
    /// The name of the model.
    model: Text<Name>,
    /// What kind of model it is.
    kind: Chosen<ModelKind>,
    /// The assets it learns from and speaks about.
    assets: Selectors<Assets>,
    /// The signals it looks at.
    #[schemars(extend("minItems" = 1))]
    signals: Placed<Vec<Text<SignalText>>>,
    /// What is computed from the signals.
    features: RawFeatures,
    /// What is predicted.
    target: RawTarget,
    /// The candidates, of which the best by cross-validation wins.
    #[schemars(extend("minItems" = 1, "default" = default_algorithms()))]
    algorithms: Option<Placed<Vec<Chosen<Algorithm>>>>,
    /// How candidates are judged.
    validate: Option<RawValidate>,
    /// The interval that goes with every prediction.
    interval: Option<RawInterval>,
    /// When it is trained by itself; left out, it is trained on request only.
    train: Option<RawTrain>,
    /// When it predicts by itself; left out, it predicts on request only.
    predict: Option<RawPredict>,
    /// Whether a new version takes over by itself.
    #[schemars(extend("default" = "when_better"))]
    promote: Option<Chosen<Promote>>,
}

/// Features: trailing windows over rows of fixed spacing.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Features")]
struct RawFeatures {
    /// The spacing of the rows, at least 1s.
    every: Text<PositiveDuration>,
    /// The trailing windows, none shorter than `every`.
    #[schemars(extend("minItems" = 1))]
    windows: Placed<Vec<Text<PositiveDuration>>>,
    /// What is computed over each window.
    #[schemars(extend("minItems" = 1, "default" = ["last", "mean", "slope"]))]
    statistics: Option<Placed<Vec<Chosen<Statistic>>>>,
    /// Whether the age since installation or repair is a feature; it assumes a healthy start and a full
    /// history.
    #[schemars(extend("default" = true))]
    age: Option<bool>,
}

/// What a model predicts.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Target")]
struct RawTarget {
    /// The unit of predictions.
    unit: Chosen<TimeUnit>,
    /// The longest time to failure that is told apart, in that unit.
    #[schemars(extend("exclusiveMinimum" = 0))]
    cap: Placed<f64>,
}

/// How candidates are judged.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Validate")]
struct RawValidate {
    /// The number of parts of the cross-validation.
    #[schemars(extend("minimum" = 2, "maximum" = 20, "default" = 5))]
    folds: Option<Placed<usize>>,
    /// What is never divided between two folds.
    #[schemars(extend("default" = "life"))]
    group: Option<Chosen<Group>>,
}

/// The interval that goes with every prediction.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Interval")]
struct RawInterval {
    /// The share of true values that the interval shall hold.
    #[schemars(extend("minimum" = 0.5, "exclusiveMaximum" = 1))]
    coverage: Placed<f64>,
}

/// When a model is trained.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Train")]
struct RawTrain {
    /// When it is trained.
    schedule: Text<CronText>,
    /// The time zone of the schedule.
    #[schemars(extend("default" = "UTC"))]
    timezone: Option<Text<Zone>>,
}

/// When a model predicts.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Predict")]
struct RawPredict {
    /// The time between two predictions of an asset.
    every: Text<PositiveDuration>,
}

#[derive(Clone, Copy)]
struct ModelKind;

impl Choice for ModelKind {
    const NAME: &'static str = "ModelKind";
    const ABOUT: &'static str = "What kind of model it is: `time_to_failure` predicts when each asset fails.";
    const CHOICES: &'static [(&'static str, Self)] = &[("time_to_failure", Self)];
}

#[derive(Clone, Copy)]
struct Group;

impl Choice for Group {
    const NAME: &'static str = "Group";
    const ABOUT: &'static str = "What is never divided between two folds: `life` is a stretch from \
        installation or repair to failure.";
    const CHOICES: &'static [(&'static str, Self)] = &[("life", Self)];
}

impl Choice for TimeUnit {
    const NAME: &'static str = "TimeUnit";
    const ABOUT: &'static str = "A unit of time to failure; `cycles` are rows, one each `features.every`.";
    const CHOICES: &'static [(&'static str, Self)] =
        &[("minutes", Self::Minutes), ("hours", Self::Hours), ("days", Self::Days), ("cycles", Self::Cycles)];
}

impl Choice for Statistic {
    const NAME: &'static str = "Statistic";
    const ABOUT: &'static str =
        "A statistic over a trailing window; `slope` is the least-squares slope times the window's length.";
    const CHOICES: &'static [(&'static str, Self)] = &[
        ("last", Self::Last),
        ("mean", Self::Mean),
        ("std", Self::Std),
        ("min", Self::Min),
        ("max", Self::Max),
        ("slope", Self::Slope),
    ];
}

impl Choice for Algorithm {
    const NAME: &'static str = "Algorithm";
    const ABOUT: &'static str = "A regression algorithm.";
    const CHOICES: &'static [(&'static str, Self)] = Self::NAMED;
    const LATER: &'static [&'static str] = Self::RESERVED;
}

impl Choice for Promote {
    const NAME: &'static str = "Promote";
    const ABOUT: &'static str = "Whether a new version takes over by itself: if its cross-validated error \
        is not larger, always, or only on request.";
    const CHOICES: &'static [(&'static str, Self)] =
        &[("when_better", Self::WhenBetter), ("always", Self::Always), ("manually", Self::Manually)];
}

const SECOND_US: i64 = 1_000_000;

fn default_algorithms() -> Vec<&'static str> {
    Algorithm::DEFAULT.iter().map(|algorithm| algorithm.as_str()).collect()
}

pub(super) fn check(
    raw: &RawModel,
    known: &Known,
    names: &mut Names,
    report: &mut Report<'_>,
) -> Option<Model> {
    let before = report.found.len();
    names.claim("model", &raw.model, report);
    choice(&raw.kind, report);
    if raw.signals.value.is_empty() {
        report.on(&raw.signals, "a model needs at least one signal", None);
    }
    let signals = raw.signals.value.iter().map(|name| known.check_name(name, report)).collect();
    let assets = glob(&raw.assets, report);
    let features = features(&raw.features, report);
    let unit = choice(&raw.target.unit, report);
    if !(raw.target.cap.value > 0.0 && raw.target.cap.value.is_finite()) {
        report.on(&raw.target.cap, "the cap must be a number above zero", None);
    }
    let algorithms = match &raw.algorithms {
        Some(names) => chosen(names, "algorithm", report),
        None => Algorithm::DEFAULT.to_vec(),
    };
    let (folds, coverage) = validation(raw, report);
    let train = raw.train.as_ref().map(|train| Schedule {
        cron: cron(&train.schedule, report),
        timezone: timezone(train.timezone.as_ref(), report),
    });
    let predict_every_us = raw.predict.as_ref().map(|predict| positive_duration(&predict.every, report));
    let promote = raw.promote.as_ref().and_then(|text| choice(text, report)).unwrap_or_default();
    let (assets, unit) = (assets?, unit?);
    (report.found.len() == before).then(|| Model {
        name: raw.model.value.clone(),
        assets,
        signals,
        features,
        target: Target { unit, cap: raw.target.cap.value },
        algorithms,
        folds,
        coverage,
        train,
        predict_every_us,
        promote,
    })
}

fn features(raw: &RawFeatures, report: &mut Report<'_>) -> Features {
    let every_us = positive_duration(&raw.every, report);
    if every_us < SECOND_US {
        report.on(&raw.every, "rows must be at least 1s apart", None);
    }
    let mut windows_us = Vec::new();
    for window in &raw.windows.value {
        let us = positive_duration(window, report);
        if us < every_us {
            report.on(window, format!("the window {} is shorter than `every`", window.value), None);
        }
        windows_us.push(us);
    }
    windows_us.sort_unstable();
    windows_us.dedup();
    if windows_us.is_empty() {
        report.on(&raw.windows, "give at least one window", None);
    }
    let statistics = match &raw.statistics {
        Some(names) => chosen(names, "statistic", report),
        None => vec![Statistic::Last, Statistic::Mean, Statistic::Slope],
    };
    Features { every_us, windows_us, statistics, age: raw.age.unwrap_or(true) }
}

/// The values that a list names; a list without any leaves nothing to compute.
fn chosen<T: Choice>(names: &Placed<Vec<Chosen<T>>>, what: &str, report: &mut Report<'_>) -> Vec<T> {
    if names.value.is_empty() {
        report.on(names, format!("give at least one {what}"), Some("or leave the key out".to_owned()));
    }
    names.value.iter().filter_map(|name| choice(name, report)).collect()
}

fn validation(raw: &RawModel, report: &mut Report<'_>) -> (usize, f64) {
    let mut folds = 5;
    if let Some(validate) = &raw.validate {
        if let Some(given) = &validate.folds {
            folds = given.value;
            if !(2..=20).contains(&folds) {
                report.on(given, "folds must be 2 to 20", None);
            }
        }
        if let Some(group) = &validate.group {
            choice(group, report);
        }
    }
    let coverage = raw.interval.as_ref().map_or(0.9, |interval| {
        if !(0.5..1.0).contains(&interval.coverage.value) {
            report.on(&interval.coverage, "the coverage must be at least 0.5 and below 1", None);
        }
        interval.coverage.value
    });
    (folds, coverage)
}
