//! The algorithms against naive solutions, and what holds for all kinds.

use forewarn_spec::Algorithm;
use ndarray::{Array1, Array2, ArrayView2};

use super::elastic_net::ElasticNet;
use super::regression::Regression;
use super::ridge::Ridge;
use super::settings::Settings as _;
use super::{Candidate, TrainingRows};
use crate::scaler::Scaler;
use crate::tests::core::{Noise, close};

/// Rows with some correlation between columns, and a target from `weights`.
fn problem(rows: usize, weights: &[f64], noise_size: f64) -> (Array2<f64>, Vec<f64>) {
    let mut noise = Noise(11);
    let mut x = Array2::from_shape_fn((rows, weights.len()), |_| noise.next() - 0.5);
    for row in 0..rows {
        x[[row, 1]] += 0.5 * x[[row, 0]];
    }
    let y = x.dot(&Array1::from(weights.to_vec())) + 40.0;
    let y = y.iter().map(|y| y + noise_size * (noise.next() - 0.5)).collect();
    (x, y)
}

/// Solves `a x = b` by Gaussian elimination with pivots.
fn eliminate(mut a: Array2<f64>, mut b: Vec<f64>) -> Vec<f64> {
    let n = b.len();
    for column in 0..n {
        let pivot =
            (column..n).max_by(|&i, &j| a[[i, column]].abs().total_cmp(&a[[j, column]].abs())).unwrap();
        for k in 0..n {
            a.swap([column, k], [pivot, k]);
        }
        b.swap(column, pivot);
        for row in column + 1..n {
            let factor = a[[row, column]] / a[[column, column]];
            for k in column..n {
                a[[row, k]] -= factor * a[[column, k]];
            }
            b[row] -= factor * b[column];
        }
    }
    for row in (0..n).rev() {
        let known: f64 = (row + 1..n).map(|k| a[[row, k]] * b[k]).sum();
        b[row] = (b[row] - known) / a[[row, row]];
    }
    b
}

#[test]
#[expect(clippy::many_single_char_names, reason = "the names of the formula")]
fn ridge_agrees_with_a_naive_solution() {
    let (x, y) = problem(200, &[3.0, -2.0, 0.0, 5.0], 1.0);
    let alpha = 0.05;
    let scaler = Scaler::of(x.view());
    let z = scaler.apply(x.view());
    let fitted = Ridge { alpha }.fit(&TrainingRows::new(z.clone(), y.clone(), 1e9)).unwrap();
    // With a column of ones whose weight is not penalised, and sums in plain loops.
    let n = 5;
    let at = |row: usize, column: usize| if column == 4 { 1.0 } else { z[[row, column]] };
    let mut a =
        Array2::from_shape_fn((n, n), |(i, j)| (0..200).map(|row| at(row, i) * at(row, j)).sum::<f64>());
    (0..4).for_each(|i| a[[i, i]] += alpha * 200.0);
    let b = (0..n).map(|i| (0..200).map(|row| at(row, i) * y[row]).sum::<f64>()).collect();
    let naive = eliminate(a, b);
    for (actual, expected) in fitted.weights.iter().chain([&fitted.intercept]).zip(naive) {
        assert!(close(*actual, expected, 1.0), "{actual} {expected}");
    }
}

#[test]
fn elastic_net_recovers_a_sparse_truth() {
    let (x, y) = problem(400, &[4.0, 0.0, 0.0, -6.0, 0.0, 0.0, 0.0, 0.0], 0.4);
    let scaler = Scaler::of(x.view());
    let fitted = ElasticNet { penalty: 0.05, l1_ratio: 0.9 }
        .fit(&TrainingRows::new(scaler.apply(x.view()), y, 1e9))
        .unwrap();
    let weights: Vec<f64> =
        fitted.weights.iter().zip(&scaler.deviation).map(|(w, deviation)| w / deviation).collect();
    assert!((weights[0] - 4.0).abs() < 0.7 && (weights[3] + 6.0).abs() < 0.7, "{weights:?}");
    for column in [1, 2, 4, 5, 6, 7] {
        assert!(weights[column].abs() < 0.05, "{weights:?}");
    }
}

#[test]
fn elastic_net_on_few_rows_is_elastic_net_on_all() {
    use linfa::traits::Fit;
    let (x, y) = problem(300, &[4.0, 1.0, 0.0, -6.0, 2.0], 2.0);
    let z = Scaler::of(x.view()).apply(x.view());
    let fitted = ElasticNet { penalty: 0.1, l1_ratio: 0.5 }
        .fit(&TrainingRows::new(z.clone(), y.clone(), 1e9))
        .unwrap();
    let y = Array1::from(y);
    let deviation = y.std(0.0);
    let direct = linfa_elasticnet::ElasticNet::params()
        .penalty(0.1)
        .l1_ratio(0.5)
        .tolerance(1e-9)
        .fit(&linfa::Dataset::new(z, &y / deviation))
        .unwrap();
    for (actual, expected) in fitted.weights.iter().zip(direct.hyperplane() * deviation) {
        assert!((actual - expected).abs() < 1e-3, "{actual} {expected}");
    }
}

#[test]
fn a_target_at_the_cap_is_a_lower_bound() {
    // A line that climbs past the cap: plain least squares bends down, one-sided passes follow the line.
    let x = Array2::from_shape_fn((100, 1), |(row, _)| row as f64);
    let y: Vec<f64> = (0..100).map(|row| f64::from(row).min(60.0)).collect();
    let scaler = Scaler::of(x.view());
    let slope = |cap| {
        let rows = TrainingRows::new(scaler.apply(x.view()), y.clone(), cap);
        Ridge { alpha: 1e-6 }.fit(&rows).unwrap().weights[0] / scaler.deviation[0]
    };
    let (plain, one_sided) = (slope(1e9), slope(60.0));
    assert!(plain < 0.7 && one_sided > 0.8, "{plain} {one_sided}");
}

#[test]
fn every_kind_has_candidates_that_fit_and_are_stored_under_their_name() {
    let (x, y) = problem(100, &[3.0, -2.0, 0.0], 0.1);
    let rows = TrainingRows::new(Scaler::of(x.view()).apply(x.view()), y.clone(), 1e9);
    for &(name, algorithm) in Algorithm::NAMED {
        let candidates = Candidate::of(algorithm);
        assert!(!candidates.is_empty(), "{name}");
        let stored = serde_json::to_value(candidates[0]).unwrap();
        assert_eq!(stored["algorithm"], name, "{stored}");
        assert_eq!(serde_json::from_value::<Candidate>(stored).unwrap(), candidates[0]);
        let fitted = candidates[0].fit(&rows).unwrap();
        let z = Scaler::of(x.view()).apply(x.view());
        let worst = fitted.predict(z.view()).iter().zip(&y).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(worst < 0.5, "{name} misses a simple line by {worst}");
    }
}

/// A regression that is no sum over its columns.
struct Product;

impl Regression for Product {
    fn predict(&self, rows: ArrayView2<'_, f64>) -> Vec<f64> {
        rows.rows().into_iter().map(|row| row[0] * row[1] + row[2]).collect()
    }
}

#[test]
fn contributions_are_what_a_group_of_columns_changes() {
    let row = Array1::from(vec![2.0, 3.0, 5.0]);
    assert_eq!(Product.contributions(row.view(), &[0, 0, 1], 2), [6.0, 5.0]);
    let linear = super::Linear { weights: vec![1.0, -2.0, 4.0], intercept: 7.0 };
    assert_eq!(linear.contributions(row.view(), &[0, 1, 0], 3), [22.0, -6.0, 0.0]);
}
