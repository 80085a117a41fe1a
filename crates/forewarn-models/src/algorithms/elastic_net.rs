//! linfa's elastic net, on as many rows as there are columns.
//!
//! The objective, (1/2n)‖y − Zw‖² + penalty·ratio·‖w‖₁ + ½·penalty·(1 − ratio)·‖w‖², sees the rows only
//! through `ZᵀZ` and `Zᵀy`. With the Cholesky factor `ZᵀZ/n = LLᵀ` the p rows `√p·Lᵀ` with targets
//! `√p·L⁻¹(Zᵀy/n)` have the same ones, so coordinate descent over p rows finds the very weights that it would
//! find over n, at a fraction of the cost.

use linfa::Dataset;
use linfa::traits::Fit;
use linfa_linalg::triangular::{SolveTriangularInplace, UPLO};
use ndarray::{Array1, Axis};
use serde::{Deserialize, Serialize};

use super::linear::Linear;
use super::rows::TrainingRows;
use super::settings::Settings;

/// Keeps the factor of collinear columns positive definite; far below any penalty of use.
const JITTER: f64 = 1e-8;
const MAX_SWEEPS: u32 = 500;
const TOLERANCE: f64 = 1e-4;

/// Settings of the elastic net.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ElasticNet {
    /// Penalty, in standard deviations of the target, so that it has no unit.
    pub penalty: f64,
    /// Share of the penalty on absolute weights.
    pub l1_ratio: f64,
}

impl Settings for ElasticNet {
    type Fitted = Linear;

    fn candidates() -> Vec<Self> {
        let of_penalty = |penalty| [0.1, 0.5, 0.9].map(|l1_ratio| Self { penalty, l1_ratio });
        [1e-3, 1e-2, 1e-1].into_iter().flat_map(of_penalty).collect()
    }

    fn fit(&self, training: &TrainingRows) -> Result<Linear, String> {
        let factor = training.normal().factor(JITTER)?;
        let scale = (factor.nrows() as f64).sqrt();
        // Transposed, the factor lies column by column in memory: the order in which coordinate descent
        // reads it.
        let rows = (&factor * scale).reversed_axes();
        let deviation = training.target_deviation();
        if deviation <= 0.0 {
            return training.fit_linear(|covariance| Ok(Array1::zeros(covariance.len())));
        }
        let parameters = linfa_elasticnet::ElasticNet::params()
            .penalty(self.penalty)
            .l1_ratio(self.l1_ratio)
            .with_intercept(false)
            .max_iterations(MAX_SWEEPS)
            .tolerance(TOLERANCE);
        training.fit_linear(|covariance| {
            let mut targets = (covariance / deviation).insert_axis(Axis(1));
            factor.solve_triangular_inplace(&mut targets, UPLO::Lower).map_err(|error| error.to_string())?;
            let targets = targets.remove_axis(Axis(1)) * scale;
            let fitted =
                parameters.fit(&Dataset::new(rows.clone(), targets)).map_err(|error| error.to_string())?;
            Ok(fitted.hyperplane() * deviation)
        })
    }
}
