//! What every kind of algorithm brings before it is fitted.

use super::regression::Regression;
use super::rows::TrainingRows;

/// An algorithm with its settings, before it is fitted.
pub(super) trait Settings: Sized {
    /// What a fit yields.
    type Fitted: Regression;

    /// The settings that cross-validation tries.
    fn candidates() -> Vec<Self>;

    /// Fits to `rows`.
    ///
    /// # Errors
    /// What is wrong with the numbers.
    fn fit(&self, rows: &TrainingRows) -> Result<Self::Fitted, String>;
}
