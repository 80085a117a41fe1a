//! What the demo has seen, for the screen.

use anyhow::{Context as _, Result};
use forewarn_types::{Prediction, Timestamp};

/// What has happened.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Alerts that were raised.
    pub(super) alerts: usize,
    /// Predictions that were made.
    pub(super) predictions: usize,
    /// Pumps that failed.
    pub(super) failures: Vec<Failure>,
}

/// A pump that failed, and what had been known of it.
#[derive(Debug)]
pub(super) struct Failure {
    /// Which pump.
    pub(super) asset: String,
    /// When.
    pub(super) time: Timestamp,
    /// What the model said of it, oldest first.
    pub(super) predictions: Vec<Prediction>,
    /// When the first alert about it was raised.
    pub(super) first_alert: Option<Timestamp>,
}

/// A unit of predictions, in µs.
///
/// # Errors
/// If the unit is not one of time.
pub(super) fn unit_us(unit: &str) -> Result<f64> {
    let unit = match unit {
        "minutes" => Some(60e6),
        "hours" => Some(3_600e6),
        "days" => Some(86_400e6),
        _ => None,
    };
    unit.context("the demo's model predicts in minutes, hours or days")
}
