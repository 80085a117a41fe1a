//! linfa's elastic net, on as many rows as there are columns.
//!
//! The objective, (1/2n)‖y − Zw‖² + penalty·ratio·‖w‖₁ + ½·penalty·(1 − ratio)·‖w‖², sees the rows only
//! through `ZᵀZ` and `Zᵀy`. With the Cholesky factor `ZᵀZ/n = LLᵀ` the p rows `√p·Lᵀ` with targets
//! `√p·L⁻¹(Zᵀy/n)` have the same ones, so coordinate descent over p rows finds the very weights that it would
//! find over n, at a fraction of the cost.

use linfa::Dataset;
use linfa::traits::Fit;
use linfa_elasticnet::ElasticNet;
use linfa_linalg::triangular::{SolveTriangularInplace, UPLO};
use ndarray::{Array1, Axis};

use crate::linear::{Linear, Normal};

/// Keeps the factor of collinear columns positive definite; far below any penalty of use.
const JITTER: f64 = 1e-8;
const MAX_SWEEPS: u32 = 500;
const TOLERANCE: f64 = 1e-4;

/// Fits with `penalty`, measured in standard deviations of the target, so that it has no unit, and
/// `l1_ratio`.
///
/// # Errors
/// What is wrong, if the rows cannot be fitted.
pub(crate) fn fit(normal: &Normal, penalty: f64, l1_ratio: f64) -> Result<Linear, String> {
    let factor = normal.factor(JITTER)?;
    let scale = (factor.nrows() as f64).sqrt();
    // Transposed, the factor lies column by column in memory: the order in which coordinate descent walks.
    let rows = (&factor * scale).reversed_axes();
    let deviation = normal.target_deviation();
    if deviation <= 0.0 {
        return normal.fit(|covariance| Ok(Array1::zeros(covariance.len())));
    }
    let parameters = ElasticNet::params()
        .penalty(penalty)
        .l1_ratio(l1_ratio)
        .with_intercept(false)
        .max_iterations(MAX_SWEEPS)
        .tolerance(TOLERANCE);
    normal.fit(|covariance| {
        let mut targets = (covariance / deviation).insert_axis(Axis(1));
        factor.solve_triangular_inplace(&mut targets, UPLO::Lower).map_err(|error| error.to_string())?;
        let targets = targets.remove_axis(Axis(1)) * scale;
        let fitted =
            parameters.fit(&Dataset::new(rows.clone(), targets)).map_err(|error| error.to_string())?;
        Ok(fitted.hyperplane() * deviation)
    })
}
