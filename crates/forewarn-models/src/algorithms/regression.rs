//! What every kind of algorithm brings once it is fitted.

use ndarray::{Array2, ArrayView1, ArrayView2};

/// What has been fitted. It gets standardised rows: a column that is 0 has its mean in training.
pub(super) trait Regression {
    /// The predictions for `rows`.
    fn predict(&self, rows: ArrayView2<'_, f64>) -> Vec<f64>;

    /// How far each of `groups` groups of columns moves the prediction for `row`, where `group_of` names the
    /// group of each column. Where a kind knows nothing better, that is the difference between the prediction
    /// and the one with the group's columns at their mean.
    fn contributions(&self, row: ArrayView1<'_, f64>, group_of: &[usize], groups: usize) -> Vec<f64> {
        let mut rows = Array2::from_shape_fn((groups + 1, row.len()), |(_, column)| row[column]);
        for (column, &group) in group_of.iter().enumerate() {
            rows[[group, column]] = 0.0;
        }
        let predicted = self.predict(rows.view());
        (0..groups).map(|group| predicted[groups] - predicted[group]).collect()
    }
}
