//! What the linear regressors share: standardised columns, normal equations, and the fit against a capped
//! target.

use linfa_linalg::cholesky::Cholesky;
use ndarray::{Array1, Array2, ArrayView2, Axis};
use serde::{Deserialize, Serialize};

/// Standardised values are clipped to this: a sensor far outside its range must not throw the prediction out
/// of the world.
pub(crate) const CLIP: f64 = 10.0;

/// Passes over rows whose target is at the cap.
const ONE_SIDED_PASSES: usize = 3;

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

    /// Rows of `x`, standardised and clipped.
    pub(crate) fn apply(&self, x: ArrayView2<'_, f64>) -> Array2<f64> {
        Array2::from_shape_fn(x.dim(), |(row, column)| self.z(column, x[[row, column]]).clamp(-CLIP, CLIP))
    }
}

/// A linear model on standardised columns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Linear {
    /// One for each column.
    pub weights: Vec<f64>,
    /// Prediction where all standardised columns are 0.
    pub intercept: f64,
}

impl Linear {
    /// The predictions for standardised rows.
    pub(crate) fn predict(&self, z: ArrayView2<'_, f64>) -> Vec<f64> {
        z.rows()
            .into_iter()
            .map(|row| self.intercept + row.iter().zip(&self.weights).map(|(z, w)| z * w).sum::<f64>())
            .collect()
    }
}

/// Training rows as normal equations: enough for ridge and elastic net, and small.
#[derive(Debug)]
pub(crate) struct Normal {
    z: Array2<f64>,
    centre: Array1<f64>,
    /// Covariance of the columns.
    pub gram: Array2<f64>,
    targets: Array1<f64>,
    cap: f64,
}

impl Normal {
    /// Of standardised rows and their targets, which are at most `cap`.
    pub(crate) fn new(z: Array2<f64>, targets: Vec<f64>, cap: f64) -> Self {
        let n = z.nrows().max(1) as f64;
        let centre = z.sum_axis(Axis(0)) / n;
        let mut gram = z.t().dot(&z) / n;
        for i in 0..centre.len() {
            for j in 0..centre.len() {
                gram[[i, j]] -= centre[i] * centre[j];
            }
        }
        Self { z, centre, gram, targets: Array1::from_vec(targets), cap }
    }

    /// Standard deviation of the targets.
    pub(crate) fn target_deviation(&self) -> f64 {
        self.targets.std(0.0)
    }

    /// The Cholesky factor of the covariance plus `ridge` on its diagonal.
    ///
    /// # Errors
    /// What is wrong, if the sum is not positive definite.
    pub(crate) fn factor(&self, ridge: f64) -> Result<Array2<f64>, String> {
        let mut sum = self.gram.clone();
        sum.diag_mut().mapv_inplace(|value| value + ridge);
        sum.cholesky().map_err(|error| {
            format!("the normal equations cannot be solved ({error}); drop signals that repeat one another")
        })
    }

    /// Fits by `solve`, which turns the covariance of columns and target into weights. A target at the cap
    /// means "at least this", so a row there whose prediction lies above the cap is no error: it gets its own
    /// prediction as target and the fit is repeated.
    ///
    /// # Errors
    /// Those of `solve`.
    pub(crate) fn fit(
        &self,
        solve: impl Fn(&Array1<f64>) -> Result<Array1<f64>, String>,
    ) -> Result<Linear, String> {
        let n = self.z.nrows().max(1) as f64;
        let mut targets = self.targets.clone();
        let mut passes = 0;
        loop {
            let mean = targets.sum() / n;
            let covariance = self.z.t().dot(&targets) / n - &self.centre * mean;
            let weights = solve(&covariance)?;
            let intercept = mean - self.centre.dot(&weights);
            passes += 1;
            if passes > ONE_SIDED_PASSES {
                return Ok(Linear { weights: weights.to_vec(), intercept });
            }
            let predicted = self.z.dot(&weights) + intercept;
            for ((target, &known), &predicted) in targets.iter_mut().zip(&self.targets).zip(&predicted) {
                if known >= self.cap {
                    *target = predicted.max(known);
                }
            }
        }
    }
}
