//! Ridge regression in closed form.
//!
//! The weights minimise mean squared error + alpha × Σ weight² on standardised columns (the penalty is alpha
//! × rows beside the sum of squares); the intercept is free. Normal equations in f64, one Cholesky factor for
//! all one-sided passes.

use linfa_linalg::triangular::{SolveTriangularInplace, UPLO};
use ndarray::{Array1, Axis};

use crate::linear::{Linear, Normal};

/// Fits with penalty `alpha`.
///
/// # Errors
/// What is wrong, if the normal equations cannot be solved.
pub(crate) fn fit(normal: &Normal, alpha: f64) -> Result<Linear, String> {
    let factor = normal.factor(alpha)?;
    normal.fit(|covariance: &Array1<f64>| {
        let mut solution = covariance.clone().insert_axis(Axis(1));
        factor.solve_triangular_inplace(&mut solution, UPLO::Lower).map_err(|error| error.to_string())?;
        factor.t().solve_triangular_inplace(&mut solution, UPLO::Upper).map_err(|error| error.to_string())?;
        Ok(solution.remove_axis(Axis(1)))
    })
}
