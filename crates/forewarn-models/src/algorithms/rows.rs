//! The rows that algorithms are fitted to.

use std::cell::OnceCell;

use ndarray::{Array1, Array2};

use super::linear::Linear;
use super::normal::Normal;

/// Standardised rows with their targets. All candidates of one fold share them, and what is made of them.
#[derive(Debug)]
pub(crate) struct TrainingRows {
    z: Array2<f64>,
    targets: Array1<f64>,
    cap: f64,
    normal: OnceCell<Normal>,
}

impl TrainingRows {
    /// Of standardised rows and their targets, which are at most `cap`; a target at the cap means "at least
    /// this".
    pub(crate) fn new(z: Array2<f64>, targets: Vec<f64>, cap: f64) -> Self {
        Self { z, targets: targets.into(), cap, normal: OnceCell::new() }
    }

    /// Standard deviation of the targets.
    pub(super) fn target_deviation(&self) -> f64 {
        self.targets.std(0.0)
    }

    /// The normal equations, made at the first call.
    pub(super) fn normal(&self) -> &Normal {
        self.normal.get_or_init(|| Normal::of(self.z.view()))
    }

    /// Fits a linear model by `solve`, which turns the covariance of columns and target into weights.
    ///
    /// # Errors
    /// Those of `solve`.
    pub(super) fn fit_linear(
        &self,
        solve: impl Fn(&Array1<f64>) -> Result<Array1<f64>, String>,
    ) -> Result<Linear, String> {
        self.normal().fit(self.z.view(), &self.targets, self.cap, solve)
    }
}
