//! Choosing and judging: cross-validation in folds that never split a life.
//!
//! Each fold's model is fitted to the other folds' lives, standardisation included, and predicts the held-out
//! lives at 20 points from 30 % to 97 % of their rows. The candidate with the smallest error wins; its misses
//! make the interval. The error reported is that of the winner, so it is a little too good where many
//! candidates are close.

use ndarray::{Array2, Axis};
use serde::{Deserialize, Serialize};

use crate::algorithms::{Candidate, TrainingRows};
use crate::dataset::{Dataset, LifeExtent};
use crate::interval::Scored;
use crate::scaler::Scaler;

/// How far predictions for unseen lives were off. Errors are in the target's unit, both sides capped.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Root mean squared error.
    pub rmse: f64,
    /// Mean absolute error.
    pub mae: f64,
    /// Mean NASA score of the targets scaled to a cap of 125 (Saxena et al. 2008): late predictions cost more
    /// than early ones.
    pub nasa_score: f64,
    /// Share of predictions later than the truth.
    pub late_share: f64,
}

/// A candidate and how it fared.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// The candidate.
    pub candidate: Candidate,
    /// Its metrics in cross-validation.
    pub metrics: Metrics,
}

/// The outcome of a cross-validation.
#[derive(Debug)]
pub(crate) struct Validation {
    /// All candidates, in the order tried.
    pub trials: Vec<Trial>,
    /// The winner.
    pub best: Trial,
    /// The winner's predictions for unseen lives.
    pub scored: Vec<Scored>,
}

/// The cap of the benchmark on which the NASA score was defined.
const NASA_CAP: f64 = 125.0;

impl Metrics {
    /// Of predictions and truths where the target's cap is `cap`. Predictions are expected to lie between 0
    /// and the cap.
    #[must_use]
    pub fn of(pairs: &[(f64, f64)], cap: f64) -> Self {
        let n = pairs.len().max(1) as f64;
        let mean = |of: &dyn Fn(f64) -> f64| {
            pairs.iter().map(|(predicted, truth)| of(predicted - truth)).sum::<f64>() / n
        };
        Self {
            rmse: mean(&|miss| miss * miss).sqrt(),
            mae: mean(&f64::abs),
            nasa_score: mean(&|miss| nasa_score(miss * NASA_CAP / cap)),
            late_share: mean(&|miss| f64::from(u8::from(miss > 0.0))),
        }
    }
}

/// The NASA score of one prediction that is `late_by` cycles after the truth (negative: before it). Saxena,
/// Goebel, Simon, Eklund, "Damage propagation modeling for aircraft engine run-to-failure simulation", PHM
/// 2008.
#[must_use]
pub fn nasa_score(late_by: f64) -> f64 {
    if late_by < 0.0 { (-late_by / 13.0).exp_m1() } else { (late_by / 10.0).exp_m1() }
}

/// The fold of each life. Lives are dealt out in order of length, so that each fold has short and long ones;
/// nothing depends on names or on the order in which lives are given.
pub(crate) fn folds(lives: &[LifeExtent], folds: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..lives.len()).collect();
    order.sort_by_key(|&life| (lives[life].rows, lives[life].end));
    let mut fold_of = vec![0; lives.len()];
    for (place, life) in order.into_iter().enumerate() {
        fold_of[life] = place % folds.max(1);
    }
    fold_of
}

/// The training rows of `data` of those lives that `keep` wants, and their standardisation.
pub(crate) fn training_rows(
    data: &Dataset,
    cap: f64,
    keep: impl Fn(usize) -> bool,
) -> (Scaler, TrainingRows) {
    let rows: Vec<usize> =
        (0..data.rows.len()).filter(|&row| data.rows[row].train && keep(data.rows[row].life)).collect();
    let x = data.x.select(Axis(0), &rows);
    let scaler = Scaler::of(x.view());
    let targets = rows.iter().map(|&row| data.rows[row].target).collect();
    let training = TrainingRows::new(scaler.apply(x.view()), targets, cap);
    (scaler, training)
}

/// Tries all candidates.
///
/// # Errors
/// What is wrong with the numbers, or that there is nothing to choose from.
pub(crate) fn cross_validate(
    data: &Dataset,
    fold_of: &[usize],
    candidates: &[Candidate],
    cap: f64,
) -> Result<Validation, String> {
    let mut scored: Vec<Vec<Scored>> = vec![Vec::new(); candidates.len()];
    let count = fold_of.iter().map(|fold| fold + 1).max().unwrap_or(0);
    for fold in 0..count {
        let (scaler, training) = training_rows(data, cap, |life| fold_of[life] != fold);
        let held: Vec<usize> = (0..data.rows.len())
            .filter(|&row| data.rows[row].evaluate && fold_of[data.rows[row].life] == fold)
            .collect();
        let z: Array2<f64> = scaler.apply(data.x.select(Axis(0), &held).view());
        for (candidate, scored) in candidates.iter().zip(&mut scored) {
            let predicted = candidate.fit(&training)?.predict(z.view());
            let outcomes = held.iter().zip(predicted);
            scored.extend(outcomes.map(|(&row, predicted)| Scored {
                predicted: predicted.clamp(0.0, cap),
                truth: data.rows[row].target,
                fold,
                row: (data.rows[row].life, data.rows[row].number),
            }));
        }
    }
    let trials: Vec<Trial> = candidates
        .iter()
        .zip(&scored)
        .map(|(&candidate, scored)| {
            let pairs: Vec<(f64, f64)> =
                scored.iter().map(|outcome| (outcome.predicted, outcome.truth)).collect();
            Trial { candidate, metrics: Metrics::of(&pairs, cap) }
        })
        .collect();
    let winner = (0..trials.len()).min_by(|&a, &b| trials[a].metrics.rmse.total_cmp(&trials[b].metrics.rmse));
    let winner = winner.ok_or("the definition names no algorithm")?;
    Ok(Validation { best: trials[winner], scored: scored.swap_remove(winner), trials })
}
