//! PagerDuty's Events API v2: an incident for each alert, which ends with it.

use forewarn_spec::HttpKey;
use forewarn_types::Severity;
use reqwest::Client;
use serde_json::{Value, json};

use super::http;
use crate::item::Item;
use crate::message::Message;
use crate::refusal::Refusal;

pub(super) async fn send(client: &Client, key: &HttpKey, message: &Message) -> Result<String, Refusal> {
    let url = format!("{}/v2/enqueue", key.url);
    let mut said = String::new();
    for item in &message.items {
        let body = body(key.key.reveal(), item, message);
        // The service knows an event that it gets twice by its incident, so that a part may be sent again.
        said = http::send(client.post(&url).json(&body), &format!("{}-{}", message.key, item.alert)).await?;
    }
    Ok(said)
}

/// The event of one alert.
pub(crate) fn body(key: &str, item: &Item, message: &Message) -> Value {
    let action = if item.status.is_final() { "resolve" } else { "trigger" };
    let severity = match item.severity {
        Severity::Critical => "critical",
        Severity::Major => "error",
        Severity::Minor => "warning",
        Severity::Warning => "info",
    };
    json!({
        "routing_key": key,
        "event_action": action,
        "dedup_key": item.alert.to_string(),
        "payload": {
            "summary": format!("{}: {} on {}: {}", item.status.as_str(), item.rule, item.asset, item.message)
                .chars().take(1_000).collect::<String>(),
            "source": &*item.asset,
            "severity": severity,
            "timestamp": item.time,
            "component": item.signal.as_deref(),
            "class": &*item.rule,
            "custom_details": {
                "status": item.status.as_str(), "value": item.value, "unit": item.about.unit.as_deref(),
                "limit": item.about.limit.as_deref(), "consequence": item.about.consequence.as_deref(),
                "action": item.about.action.as_deref(),
            },
        },
        "links": [{ "href": message.link, "text": "Open in Forewarn" }],
    })
}
