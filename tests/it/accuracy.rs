//! How good alerts and predictions are on reference data.

mod cmapss;
mod nab;
