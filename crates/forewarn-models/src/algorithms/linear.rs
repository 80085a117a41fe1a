//! A linear model: a weight for each column. Several algorithms fit one.

use ndarray::{ArrayView1, ArrayView2};
use serde::{Deserialize, Serialize};

use super::regression::Regression;

/// A linear model on standardised columns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Linear {
    /// One for each column.
    pub weights: Vec<f64>,
    /// Prediction where all standardised columns are 0.
    pub intercept: f64,
}

impl Regression for Linear {
    fn predict(&self, rows: ArrayView2<'_, f64>) -> Vec<f64> {
        rows.rows()
            .into_iter()
            .map(|row| self.intercept + row.iter().zip(&self.weights).map(|(z, w)| z * w).sum::<f64>())
            .collect()
    }

    fn contributions(&self, row: ArrayView1<'_, f64>, group_of: &[usize], groups: usize) -> Vec<f64> {
        let mut sums = vec![0.0; groups];
        for ((&z, &weight), &group) in row.iter().zip(&self.weights).zip(group_of) {
            sums[group] += weight * z;
        }
        sums
    }
}
