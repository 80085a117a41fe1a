//! Ridge regression in closed form.
//!
//! The weights minimise mean squared error + alpha × Σ weight² on standardised columns (the penalty is alpha
//! × rows beside the sum of squares); the intercept is free. Normal equations in f64, one Cholesky factor for
//! all one-sided passes.

use linfa_linalg::triangular::{SolveTriangularInplace, UPLO};
use ndarray::Axis;
use serde::{Deserialize, Serialize};

use super::linear::Linear;
use super::rows::TrainingRows;
use super::settings::Settings;

/// Settings of ridge regression.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Ridge {
    /// Penalty on squared weights of standardised columns.
    pub alpha: f64,
}

impl Settings for Ridge {
    type Fitted = Linear;

    fn candidates() -> Vec<Self> {
        [1e-4, 1e-3, 1e-2, 1e-1, 1.0].map(|alpha| Self { alpha }).into()
    }

    fn fit(&self, rows: &TrainingRows) -> Result<Linear, String> {
        let factor = rows.normal().factor(self.alpha)?;
        rows.fit_linear(|covariance| {
            let mut solution = covariance.clone().insert_axis(Axis(1));
            factor.solve_triangular_inplace(&mut solution, UPLO::Lower).map_err(|error| error.to_string())?;
            factor
                .t()
                .solve_triangular_inplace(&mut solution, UPLO::Upper)
                .map_err(|error| error.to_string())?;
            Ok(solution.remove_axis(Axis(1)))
        })
    }
}
