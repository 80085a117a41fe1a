//! Normal equations: what the linear algorithms share, made once for all their candidates.

use linfa_linalg::cholesky::Cholesky;
use ndarray::{Array1, Array2, ArrayView2, Axis};

use super::linear::Linear;

/// Passes over rows whose target is at the cap.
const ONE_SIDED_PASSES: usize = 3;

/// What the normal equations need of the columns: small, however many rows there are.
#[derive(Debug)]
pub(super) struct Normal {
    centre: Array1<f64>,
    /// Covariance of the columns.
    gram: Array2<f64>,
}

impl Normal {
    /// Of standardised rows.
    pub(super) fn of(z: ArrayView2<'_, f64>) -> Self {
        let n = z.nrows().max(1) as f64;
        let centre = z.sum_axis(Axis(0)) / n;
        let mut gram = z.t().dot(&z) / n;
        for i in 0..centre.len() {
            for j in 0..centre.len() {
                gram[[i, j]] -= centre[i] * centre[j];
            }
        }
        Self { centre, gram }
    }

    /// The Cholesky factor of the covariance plus `ridge` on its diagonal.
    ///
    /// # Errors
    /// What is wrong, if the sum is not positive definite.
    pub(super) fn factor(&self, ridge: f64) -> Result<Array2<f64>, String> {
        let mut sum = self.gram.clone();
        sum.diag_mut().mapv_inplace(|value| value + ridge);
        sum.cholesky().map_err(|error| {
            format!("the normal equations cannot be solved ({error}); remove signals that repeat one another")
        })
    }

    /// Fits by `solve`, which turns the covariance of columns and target into weights. A target at the cap
    /// means "at least this", so a row there whose prediction lies above the cap is no error: it gets its own
    /// prediction as target and the fit is repeated.
    ///
    /// # Errors
    /// Those of `solve`.
    pub(super) fn fit(
        &self,
        z: ArrayView2<'_, f64>,
        known: &Array1<f64>,
        cap: f64,
        solve: impl Fn(&Array1<f64>) -> Result<Array1<f64>, String>,
    ) -> Result<Linear, String> {
        let n = z.nrows().max(1) as f64;
        let mut targets = known.clone();
        let mut passes = 0;
        loop {
            let mean = targets.sum() / n;
            let covariance = z.t().dot(&targets) / n - &self.centre * mean;
            let weights = solve(&covariance)?;
            let intercept = mean - self.centre.dot(&weights);
            passes += 1;
            if passes > ONE_SIDED_PASSES {
                return Ok(Linear { weights: weights.to_vec(), intercept });
            }
            let predicted = z.dot(&weights) + intercept;
            for ((target, &known), &predicted) in targets.iter_mut().zip(known).zip(&predicted) {
                if known >= cap {
                    *target = predicted.max(known);
                }
            }
        }
    }
}
