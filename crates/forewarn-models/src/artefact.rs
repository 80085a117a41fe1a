//! A trained model as it is stored: everything a prediction needs, and what it rests on.

use forewarn_spec::Model;
use forewarn_types::{AssetPath, Contribution, Timestamp, fingerprint};
use ndarray::{ArrayView1, ArrayView2, Axis};
use serde::{Deserialize, Serialize};

use crate::algorithms::{Candidate, Regressor};
use crate::features::{Column, statistic_name};
use crate::interval::Interval;
use crate::scaler::Scaler;
use crate::validate::{Metrics, Trial};

/// A signal counts as outside what was trained on above this multiple of the largest distance seen in
/// training.
const DISTANCE_MARGIN: f64 = 1.5;

/// A trained model. Stored as JSON; the version it is known by is not part of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Artefact {
    /// The model's name.
    pub model: String,
    /// Fingerprint of the parts of the definition that a prediction depends on.
    pub definition: String,
    /// What it was trained on, and how well it does.
    pub summary: Summary,
    /// The failed lives it was trained on. Those of an earlier release do not say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lives: Vec<SeenLife>,
    /// Unit of the target.
    pub unit: String,
    /// Cap of the target, in the unit.
    pub cap: f64,
    /// The signals used, in the order of the definition; constant ones are left out.
    pub signals: Vec<String>,
    columns: Vec<StoredColumn>,
    scaler: Scaler,
    /// Stored under the name of its form, such as `linear`.
    #[serde(flatten)]
    regressor: Regressor,
    interval: Interval,
    /// Per signal: the largest mean squared standardised value over its columns in training, times the
    /// margin.
    distance_limits: Vec<f64>,
}

/// A failed life that a version was trained on. Times are µs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SeenLife {
    /// The asset.
    pub asset: AssetPath,
    /// When it began.
    pub start: i64,
    /// When it failed.
    pub end: i64,
}

/// What a version was trained on, and how well it does on lives it has not seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// When it was trained, by the server's clock.
    pub trained: Timestamp,
    /// Start of the oldest life used.
    pub from: Timestamp,
    /// End of the data interval, exclusive.
    pub to: Timestamp,
    /// Failed lives used.
    pub lives: usize,
    /// Rows fitted to.
    pub rows: usize,
    /// Rows left out since a signal was unknown there.
    pub incomplete_rows: usize,
    /// Columns of the feature table.
    pub features: usize,
    /// Signals left out since they hold at most two distinct values.
    pub constant_signals: Vec<String>,
    /// The winner.
    pub chosen: Candidate,
    /// Its metrics on unseen lives.
    pub metrics: Metrics,
    /// Share of true values that the interval held, on unseen lives.
    pub coverage: f64,
    /// Mean width of the interval there, in the target's unit.
    pub width: f64,
    /// All candidates.
    pub trials: Vec<Trial>,
    /// What to know before one relies on it, such as that the lives are too few to tell how often the
    /// interval holds the truth.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct StoredColumn {
    name: String,
    /// Position in `signals`; `None`: the age.
    signal: Option<usize>,
}

/// What a model says about one row.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// Lower end of the interval: time to failure in the target's unit.
    pub p05: f64,
    /// The point prediction.
    pub p50: f64,
    /// Upper end of the interval; at the cap it means "at least this".
    pub p95: f64,
    /// How far each signal, and the age, moves the prediction from that for an average training row, largest
    /// first.
    pub contributions: Vec<Contribution>,
    /// Whether a signal lies outside what the model was trained on.
    pub out_of_distribution: bool,
}

/// The fitted parts of an artefact.
pub(crate) struct Parts<'a> {
    /// Columns of the table.
    pub columns: &'a [Column],
    /// Their standardisation.
    pub scaler: Scaler,
    /// The regression.
    pub regressor: Regressor,
    /// The interval.
    pub interval: Interval,
    /// The table itself, for the distance limits.
    pub x: ArrayView2<'a, f64>,
}

impl Artefact {
    pub(crate) fn new(model: &Model, signals: Vec<String>, summary: Summary, parts: Parts<'_>) -> Self {
        let columns = parts
            .columns
            .iter()
            .map(|column| StoredColumn { name: column.name.clone(), signal: column.signal });
        let mut artefact = Self {
            model: model.name.clone(),
            definition: definition_fingerprint(model),
            summary,
            lives: Vec::new(),
            unit: model.target.unit.to_string(),
            cap: model.target.cap,
            distance_limits: vec![0.0; signals.len()],
            signals,
            columns: columns.collect(),
            scaler: parts.scaler,
            regressor: parts.regressor,
            interval: parts.interval,
        };
        for row in parts.x.rows() {
            let distances = artefact.distances(row.iter().copied());
            for (limit, distance) in artefact.distance_limits.iter_mut().zip(distances) {
                *limit = limit.max(distance * DISTANCE_MARGIN);
            }
        }
        artefact
    }

    /// Whether it was trained on `life`, or on a stretch that shares time with it, as its events have been
    /// corrected since.
    pub(crate) fn has_seen(&self, life: &SeenLife) -> bool {
        if self.lives.is_empty() {
            return life.end < self.summary.to.0;
        }
        let shares = |seen: &SeenLife| seen.start < life.end && life.start < seen.end;
        self.lives.iter().any(|seen| seen.asset == life.asset && shares(seen))
    }

    /// How many of the lives it was trained on are no lives any more, as their events have been corrected or
    /// withdrawn. `lives` are those there are now; of the time before them nothing is known.
    pub(crate) fn taken_back(&self, lives: &[SeenLife]) -> usize {
        let oldest = lives.iter().map(|life| life.end).min().unwrap_or(i64::MAX);
        let is_life =
            |seen: &&SeenLife| lives.iter().any(|life| life.asset == seen.asset && life.end == seen.end);
        self.lives.iter().filter(|seen| seen.end >= oldest && !is_life(seen)).count()
    }

    /// Whether `columns` are those the model was fitted to.
    pub(crate) fn fits(&self, columns: &[Column]) -> bool {
        columns.len() == self.columns.len()
            && columns.iter().zip(&self.columns).all(|(a, b)| a.name == b.name && a.signal == b.signal)
    }

    /// Predicts from the features of one row.
    pub(crate) fn state(&self, row: &[f64]) -> Statement {
        let z = self.scaler.apply(ArrayView1::from(row).insert_axis(Axis(0)));
        let predicted = self.regressor.predict(z.view()).into_iter().sum();
        // One group of columns for each signal, and one for the age.
        let signals = self.signals.len();
        let group_of: Vec<usize> =
            self.columns.iter().map(|column| column.signal.unwrap_or(signals)).collect();
        let weights = self.regressor.contributions(z.row(0), &group_of, signals + 1);
        let (p05, p50, p95) = self.interval.around(predicted);
        let aged = group_of.contains(&signals).then_some("age");
        let mut contributions: Vec<Contribution> = self
            .signals
            .iter()
            .map(String::as_str)
            .chain(aged)
            .zip(weights)
            .map(|(signal, weight)| Contribution { signal: signal.into(), weight })
            .collect();
        contributions.sort_by(|a, b| b.weight.abs().total_cmp(&a.weight.abs()));
        let distances = self.distances(row.iter().copied());
        let out_of_distribution =
            distances.iter().zip(&self.distance_limits).any(|(distance, limit)| distance > limit);
        Statement { p05, p50, p95, contributions, out_of_distribution }
    }

    #[cfg(test)]
    pub(crate) fn columns_len(&self) -> usize {
        self.columns.len()
    }

    /// Per signal: the mean squared standardised value over its columns.
    fn distances(&self, row: impl Iterator<Item = f64>) -> Vec<f64> {
        let mut sums = vec![(0.0, 0.0); self.signals.len()];
        for (column, value) in row.enumerate() {
            if let Some(signal) = self.columns[column].signal {
                sums[signal].0 += self.scaler.z(column, value).powi(2);
                sums[signal].1 += 1.0;
            }
        }
        sums.into_iter().map(|(sum, columns): (f64, f64)| sum / columns.max(1.0)).collect()
    }
}

/// Fingerprint of what a prediction depends on: assets, signals, features, target, coverage. Schedules,
/// algorithms and folds may change without making a trained version useless.
pub(crate) fn definition_fingerprint(model: &Model) -> String {
    let features = &model.features;
    let statistics: Vec<&str> =
        features.statistics.iter().map(|&statistic| statistic_name(statistic)).collect();
    let text = format!(
        "{:?} {:?} {} {:?} {statistics:?} {} {} {} {}",
        model.assets.as_str(),
        model.signals,
        features.every_us,
        features.windows_us,
        features.age,
        model.target.unit,
        model.target.cap,
        model.coverage,
    );
    fingerprint(text.as_bytes())
}
