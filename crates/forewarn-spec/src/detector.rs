//! Detectors: the list of all kinds with their parameters, and how a pipeline writes them.
//!
//! A kind is a variant of [`Detector`] with its parameters, a [`Method`] with its keys, and the keys
//! themselves in [`RawDeviation`], from which the JSON Schema is derived. What it does stands in a file of
//! its own in the engine.

use chrono_tz::Tz;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::diagnostics::{Place, Report};
use crate::yaml::field::{Choice, Chosen, Placed, Text, choice};
use crate::yaml::kinds::{BaselineText, PositiveDuration, SignalText, Zone};
use crate::yaml::values::{positive, positive_duration, positive_microseconds, timezone};

/// How one series is judged.
#[derive(Debug, Clone, PartialEq)]
pub enum Detector {
    /// Three self-learnt envelopes.
    LearnedLimits(LearnedLimitsParams),
    /// Distance from a running median in running absolute deviations.
    RobustZ(RobustZParams),
    /// How fast the value changes.
    Rate(RateParams),
    /// Distance of a smoothed value from the running mean.
    Ewma(EwmaParams),
    /// The sum of what lies beyond a slack on one side of the running mean.
    Cusum(CusumParams),
}

/// Parameters of `learned_limits`.
#[derive(Debug, Clone, PartialEq)]
pub struct LearnedLimitsParams {
    /// How far outside the envelope, in envelope widths, scores 1. Rungs: high 0.04, medium 0.10, low 0.20.
    pub tolerance: f64,
    /// Time zone of the hour-of-week profile.
    pub timezone: Tz,
}

/// Parameters of `robust_z`.
#[derive(Debug, Clone, PartialEq)]
pub struct RobustZParams {
    /// How much past the running median and deviation remember.
    pub baseline: Baseline,
    /// The limit: this many (1.4826 × median absolute deviation).
    pub above: f64,
}

/// Parameters of `ewma`.
#[derive(Debug, Clone, PartialEq)]
pub struct EwmaParams {
    /// How much past the running mean and deviation remember.
    pub baseline: Baseline,
    /// The weight of a reading in the smoothed value, for readings five minutes apart.
    pub lambda: f64,
    /// The limit: this many deviations of a smoothed value.
    pub above: f64,
}

/// Parameters of `cusum`.
#[derive(Debug, Clone, PartialEq)]
pub struct CusumParams {
    /// How much past the running mean and deviation remember.
    pub baseline: Baseline,
    /// How many deviations off a reading may lie before it counts.
    pub slack: f64,
    /// The limit of the sum, in deviations, for readings five minutes apart.
    pub above: f64,
}

/// Parameters of `rate`.
#[derive(Debug, Clone, PartialEq)]
pub struct RateParams {
    /// Largest |dx/dt| allowed, per second; `None`: ten times its running mean.
    pub above_per_s: Option<f64>,
    /// The time in which its user counts changes, µs.
    pub per_us: i64,
    /// Whether the value only counts up, and begins at 0 again now and then.
    pub counter: bool,
}

/// The memory of a running statistic.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Baseline {
    /// So many readings.
    Readings(u32),
    /// So long, µs of event time.
    Duration(i64),
}

impl Detector {
    /// The detector on `signal` as a text in which everything that decides stands.
    pub(crate) fn canonical(&self, signal: &str) -> String {
        match self {
            Self::LearnedLimits(LearnedLimitsParams { tolerance, timezone }) => {
                format!("learned_limits {signal} {tolerance} {}", timezone.name())
            }
            Self::RobustZ(RobustZParams { baseline, above }) => {
                format!("robust_z {signal} {baseline:?} {above}")
            }
            Self::Ewma(EwmaParams { baseline, lambda, above }) => {
                format!("ewma {signal} {baseline:?} {lambda} {above}")
            }
            Self::Cusum(CusumParams { baseline, slack, above }) => {
                format!("cusum {signal} {baseline:?} {slack} {above}")
            }
            Self::Rate(RateParams { above_per_s, per_us: _, counter }) => {
                format!("rate {signal} {above_per_s:?}{}", if *counter { " counter" } else { "" })
            }
        }
    }
}

impl Detector {
    /// What its state belongs to: the method, and what is no mere number in its parameters.
    #[must_use]
    pub fn shape(&self) -> String {
        match self {
            Self::LearnedLimits(LearnedLimitsParams { timezone, .. }) => {
                format!("learned_limits {}", timezone.name())
            }
            Self::RobustZ(_) => "robust_z".to_owned(),
            Self::Ewma(_) => "ewma".to_owned(),
            Self::Cusum(_) => "cusum".to_owned(),
            Self::Rate(_) => "rate".to_owned(),
        }
    }
}

/// A signal that strays from what it has been.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Deviation", extend("oneOf" = keys_of_methods()))]
pub(crate) struct RawDeviation {
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
    /// How far back the median or mean and the deviation remember: a duration, or a number of readings; for
    /// `robust_z`, `ewma` and `cusum` (left out, 83h20m, which is 2000 readings of five minutes).
    baseline: Option<Text<BaselineText>>,
    /// How many standard deviations are too many: from the median in robust ones for `robust_z` (left out,
    /// 6), from the mean in those of a smoothed value for `ewma` (left out, 3; 6 is better where each value
    /// resembles the one before), in sum beyond the slack for `cusum` (left out, 5; 10 is better there).
    #[schemars(extend("exclusiveMinimum" = 0))]
    above: Option<Placed<f64>>,
    /// How much a reading counts in the smoothed value if readings come every five minutes; those of a faster
    /// series count as much less. For `ewma`.
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 1, "default" = 0.2))]
    lambda: Option<Placed<f64>>,
    /// How many standard deviations off the mean a reading may lie before it counts; for `cusum`.
    #[schemars(extend("exclusiveMinimum" = 0, "default" = 0.5))]
    slack: Option<Placed<f64>>,
}

#[derive(Clone, Copy, PartialEq)]
enum Method {
    LearnedLimits,
    RobustZ,
    Ewma,
    Cusum,
}

impl Choice for Method {
    const NAME: &'static str = "Method";
    const ABOUT: &'static str = "How straying is judged: `learned_limits` learns envelopes from the series \
        itself, with its daily and weekly habits; `robust_z` is the distance from the running median in \
        robust standard deviations; `ewma` is the distance of a smoothed value from the running mean; `cusum` is the \
        sum of what lies beyond a slack on one side of it.";
    const CHOICES: &'static [(&'static str, Self)] = &[
        ("learned_limits", Self::LearnedLimits),
        ("robust_z", Self::RobustZ),
        ("ewma", Self::Ewma),
        ("cusum", Self::Cusum),
    ];
}

impl Method {
    /// The keys that go with the method.
    const fn keys(self) -> &'static [&'static str] {
        match self {
            Self::LearnedLimits => &["sensitivity", "tolerance", "timezone"],
            Self::RobustZ => &["baseline", "above"],
            Self::Ewma => &["baseline", "above", "lambda"],
            Self::Cusum => &["baseline", "above", "slack"],
        }
    }

    /// The names of the methods that `key` goes with.
    fn with(key: &str) -> Vec<&'static str> {
        let methods = Self::CHOICES.iter().filter(|(_, method)| method.keys().contains(&key));
        methods.map(|(name, _)| *name).collect()
    }
}

/// For each method an object that has none of the other methods' keys; the first is the default.
fn keys_of_methods() -> Value {
    let all: std::collections::BTreeSet<&str> =
        Method::CHOICES.iter().flat_map(|(_, method)| method.keys()).copied().collect();
    let schema = |(name, method): &(&str, Method)| {
        let foreign = all.iter().filter(|key| !method.keys().contains(key));
        let mut properties: serde_json::Map<String, Value> =
            foreign.map(|key| ((*key).to_owned(), json!({ "type": "null" }))).collect();
        if *method == Method::LearnedLimits {
            properties.insert("method".to_owned(), json!({ "enum": [name, null] }));
            json!({ "properties": properties })
        } else {
            properties.insert("method".to_owned(), json!({ "const": name }));
            json!({ "required": ["method"], "properties": properties })
        }
    };
    Method::CHOICES.iter().map(schema).collect()
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

impl RawDeviation {
    pub(crate) const fn signal(&self) -> &Text<SignalText> {
        &self.signal
    }

    /// The detector, unless its method is none.
    pub(crate) fn detector(&self, report: &mut Report<'_>) -> Option<Detector> {
        let chosen = self.method.as_ref();
        let method = chosen.map_or(Some(Method::LearnedLimits), |method| choice(method, report))?;
        self.refuse_keys_of_others(method, report);
        Some(match method {
            Method::LearnedLimits => {
                let rung = self.sensitivity.as_ref();
                let Sensitivity(rung) = rung.map_or(Some(Sensitivity(0.10)), |rung| choice(rung, report))?;
                let tolerance = self.tolerance.as_ref().map_or(rung, |number| positive(number, report));
                let timezone = timezone(self.timezone.as_ref(), report);
                Detector::LearnedLimits(LearnedLimitsParams { tolerance, timezone })
            }
            Method::RobustZ => {
                let baseline = self.baseline(MEAN_BASELINE, report);
                Detector::RobustZ(RobustZParams { baseline, above: self.above(6.0, report) })
            }
            Method::Ewma => {
                let baseline = self.baseline(MEAN_BASELINE, report);
                let lambda = self.lambda.as_ref().map_or(0.2, |number| share(number, report));
                Detector::Ewma(EwmaParams { baseline, lambda, above: self.above(3.0, report) })
            }
            Method::Cusum => {
                let baseline = self.baseline(MEAN_BASELINE, report);
                let slack = self.slack.as_ref().map_or(0.5, |number| positive(number, report));
                Detector::Cusum(CusumParams { baseline, slack, above: self.above(5.0, report) })
            }
        })
    }

    /// Reports the keys that do not go with the method.
    fn refuse_keys_of_others(&self, method: Method, report: &mut Report<'_>) {
        let given: [(&str, Option<Place>); 7] = [
            ("sensitivity", self.sensitivity.as_ref().map(|text| text.place)),
            ("tolerance", self.tolerance.as_ref().map(|number| number.place)),
            ("timezone", self.timezone.as_ref().map(|text| text.place)),
            ("baseline", self.baseline.as_ref().map(|text| text.place)),
            ("above", self.above.as_ref().map(|number| number.place)),
            ("lambda", self.lambda.as_ref().map(|number| number.place)),
            ("slack", self.slack.as_ref().map(|number| number.place)),
        ];
        for (key, place) in given.into_iter().filter(|(key, _)| !method.keys().contains(key)) {
            if let Some(place) = place {
                let problem = format!("`{key}` goes with `method: {}` only", Method::with(key).join(" or "));
                let hint = format!("the keys of this method are {}", method.keys().join(", "));
                report.at(place, problem, Some(hint));
            }
        }
    }

    fn baseline(&self, default: Baseline, report: &mut Report<'_>) -> Baseline {
        let Some(text) = &self.baseline else { return default };
        match text.value.parse::<u32>() {
            Ok(readings) if readings >= 2 => Baseline::Readings(readings),
            Ok(_) => {
                report.on(text, "a baseline has at least 2 readings", None);
                Baseline::Readings(2)
            }
            Err(_) => Baseline::Duration(positive_microseconds(text, report)),
        }
    }

    fn above(&self, default: f64, report: &mut Report<'_>) -> f64 {
        self.above.as_ref().map_or(default, |above| positive(above, report))
    }
}

/// How far back a running mean remembers where nothing else is said: a rate of 2 / 2001 for readings five
/// minutes apart.
const MEAN_BASELINE: Baseline = Baseline::Duration(300_000_000_000);

/// A number above zero and at most one.
fn share(number: &Placed<f64>, report: &mut Report<'_>) -> f64 {
    if number.value > 1.0 {
        report.on(number, "this must be a number above zero and at most 1", None);
    }
    positive(number, report)
}

/// A signal that changes too fast.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Rate")]
pub(crate) struct RawRate {
    /// The signal watched.
    signal: Text<SignalText>,
    /// The largest change allowed in the time of `per`; left out, it is ten times the running mean of the
    /// changes.
    #[schemars(extend("exclusiveMinimum" = 0))]
    above: Option<Placed<f64>>,
    /// The time in which `above` is counted.
    #[schemars(extend("default" = "1s"))]
    per: Option<Text<PositiveDuration>>,
    /// Whether the value counts up: where it is lower than before, the counter was reset and has counted
    /// from 0.
    #[schemars(extend("default" = false))]
    counter: Option<bool>,
}

impl RawRate {
    pub(crate) const fn signal(&self) -> &Text<SignalText> {
        &self.signal
    }

    pub(crate) fn detector(&self, report: &mut Report<'_>) -> Detector {
        let per_us = self.per.as_ref().map_or(1_000_000, |per| positive_duration(per, report));
        let above = self.above.as_ref().map(|above| positive(above, report));
        let above_per_s = above.map(|above| above / (per_us as f64 / 1e6));
        Detector::Rate(RateParams { above_per_s, per_us, counter: self.counter.unwrap_or(false) })
    }
}
