//! A rule for pumps that get too hot, and the readings that raise its alert.

use serde_json::json;

use crate::cli::done_json;
use crate::site::Server;

/// A pipeline with the rule.
pub const HOT: &str = "\
pipeline: p
rules:
  - name: hot
    assets: \"plant1/**\"
    when: \"temperature > 90.0\"
    severity: critical
    action: \"Reduce speed\"
";

/// Sends a temperature of a pump.
pub async fn heat(server: &Server, pump: &str, value: f64) {
    server
        .post(
            "/v1/readings",
            &json!({ "asset": format!("plant1/{pump}"), "signal": "temperature", "value": value }),
        )
        .await;
}

/// The id of the one alert that there is.
///
/// # Panics
/// If there is none, or another one.
pub async fn only_alert(server: &Server) -> String {
    let alerts = done_json(server, &["alert", "list"]).await;
    assert_eq!(alerts["alerts"].as_array().map(Vec::len), Some(1), "{alerts}");
    alerts["alerts"][0]["id"].as_str().expect("an id").to_owned()
}
