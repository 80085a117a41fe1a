//! Prometheus' Alertmanager, API v2. It takes an alert as over when it has not heard of it for a while, so
//! that active ones are sent again and again.

use forewarn_types::Secret;
use forewarn_types::Timestamp;
use reqwest::Client;
use serde_json::{Value, json};

use super::http;
use crate::item::{Item, Status};
use crate::message::Message;
use crate::refusal::Refusal;

pub(super) async fn send(client: &Client, url: &Secret, message: &Message) -> Result<String, Refusal> {
    let base = message.link.split("/v1/alerts").next().unwrap_or_default();
    post_at(client, url, &message.items, base, message.time, &message.key).await
}

/// Sends alerts as they stand.
pub(super) async fn post(
    client: &Client,
    url: &Secret,
    items: &[Item],
    base: &str,
    now: Timestamp,
) -> Result<String, Refusal> {
    post_at(client, url, items, base, now, "refresh").await
}

async fn post_at(
    client: &Client,
    url: &Secret,
    items: &[Item],
    base: &str,
    now: Timestamp,
    key: &str,
) -> Result<String, Refusal> {
    let url = format!("{}/api/v2/alerts", url.reveal().trim_end_matches('/'));
    let alerts: Vec<Value> = items.iter().map(|item| alert(item, base, now)).collect();
    http::send(client.post(url).json(&alerts), key).await
}

/// An alert as Alertmanager takes it. Without `endsAt` it ends there after `resolve_timeout`, by default five
/// minutes, unless it is sent again.
pub(crate) fn alert(item: &Item, base: &str, now: Timestamp) -> Value {
    let mut alert = json!({
        "labels": {
            "alertname": &*item.rule,
            "asset": &*item.asset,
            "severity": item.severity.as_str(),
            "alert": item.alert.to_string(),
        },
        "annotations": {
            "summary": item.message,
            "status": item.status.as_str(),
            "description": item.about.consequence.as_deref().unwrap_or_default(),
            "action": item.about.action.as_deref().unwrap_or_default(),
        },
        "startsAt": item.started,
        "generatorURL": format!("{base}/v1/alerts/{}", item.alert),
    });
    if item.status.is_final() {
        // By the server's clock: what ended long ago by its own would be forgotten before anybody is told.
        alert["endsAt"] = json!(now.max(item.started.plus_us(1_000)));
    }
    debug_assert!(item.status != Status::Unknown || alert.get("endsAt").is_none());
    alert
}
