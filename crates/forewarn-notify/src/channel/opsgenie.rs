//! Opsgenie's Alert API: an alert there for each of ours, closed when it is over.

use forewarn_spec::HttpKey;
use forewarn_types::Severity;
use reqwest::Client;
use serde_json::{Value, json};

use super::http;
use crate::item::Item;
use crate::message::Message;
use crate::refusal::Refusal;

pub(super) async fn send(client: &Client, key: &HttpKey, message: &Message) -> Result<String, Refusal> {
    let mut said = String::new();
    for item in &message.items {
        let (path, body) = request(item, message);
        let request = client
            .post(format!("{}{path}", key.url))
            .header("Authorization", format!("GenieKey {}", key.key.reveal()))
            .json(&body);
        said = http::send(request, &format!("{}-{}", message.key, item.alert)).await?;
    }
    Ok(said)
}

/// The path and the body of the request about one alert.
pub(crate) fn request(item: &Item, message: &Message) -> (String, Value) {
    if item.status.is_final() {
        let path = format!("/v2/alerts/{}/close?identifierType=alias", item.alert);
        return (path, json!({ "source": "Forewarn", "note": item.message }));
    }
    let priority = match item.severity {
        Severity::Critical => "P1",
        Severity::Major => "P2",
        Severity::Minor => "P3",
        Severity::Warning => "P4",
    };
    let title = format!("{}: {} on {}", item.status.as_str(), item.rule, item.asset);
    let body = json!({
        "message": title.chars().take(130).collect::<String>(),
        "alias": item.alert.to_string(),
        "description": message.text.chars().take(15_000).collect::<String>(),
        "entity": &*item.asset,
        "source": "Forewarn",
        "priority": priority,
        "tags": [&*item.rule, item.severity.as_str()],
        "details": { "link": message.link, "status": item.status.as_str() },
    });
    ("/v2/alerts".to_owned(), body)
}
