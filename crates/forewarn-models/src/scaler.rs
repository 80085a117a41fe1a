//! Standardisation: every column with mean 0 and standard deviation 1, as all algorithms expect it.

use ndarray::{Array2, ArrayView2, Axis};
use serde::{Deserialize, Serialize};

/// Standardised values are clipped to this, so that a sensor far outside its range cannot carry the
/// prediction arbitrarily far.
const CLIP: f64 = 10.0;

/// Mean and standard deviation of each column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Scaler {
    /// Means.
    pub mean: Vec<f64>,
    /// Standard deviations; 0 for a column that does not vary, which then counts nothing.
    pub deviation: Vec<f64>,
}

impl Scaler {
    /// Of the columns of `x`.
    pub(crate) fn of(x: ArrayView2<'_, f64>) -> Self {
        let mean: Vec<f64> = x.mean_axis(Axis(0)).map_or_else(|| vec![0.0; x.ncols()], |mean| mean.to_vec());
        let deviation = (0..x.ncols()).map(|column| {
            let squares: f64 = x.column(column).iter().map(|value| (value - mean[column]).powi(2)).sum();
            let deviation = (squares / x.nrows().max(1) as f64).sqrt();
            // What rounding leaves of a constant is no variation.
            if deviation > 1e-10 * mean[column].abs() { deviation } else { 0.0 }
        });
        Self { deviation: deviation.collect(), mean }
    }

    /// The standardised value of column `column`, not clipped.
    pub(crate) fn z(&self, column: usize, value: f64) -> f64 {
        let deviation = self.deviation[column];
        if deviation > 0.0 { (value - self.mean[column]) / deviation } else { 0.0 }
    }

    /// The standardised value of column `column`, clipped, as regressors get it.
    fn clipped(&self, column: usize, value: f64) -> f64 {
        self.z(column, value).clamp(-CLIP, CLIP)
    }

    /// Rows of `x`, standardised and clipped.
    pub(crate) fn apply(&self, x: ArrayView2<'_, f64>) -> Array2<f64> {
        Array2::from_shape_fn(x.dim(), |(row, column)| self.clipped(column, x[[row, column]]))
    }
}
