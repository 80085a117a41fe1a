//! ntfy: a message to a phone, by the URL of a topic.

use forewarn_types::Secret;
use forewarn_types::Severity;
use reqwest::Client;
use serde_json::{Value, json};

use super::http;
use crate::message::Message;
use crate::refusal::Refusal;

/// Longer messages become attachments.
const MAX_TEXT: usize = 3_500;

pub(super) async fn send(client: &Client, url: &Secret, message: &Message) -> Result<String, Refusal> {
    let Some((server, topic)) = url.reveal().trim_end_matches('/').rsplit_once('/') else {
        return Err(Refusal::new("the URL of ntfy has no topic"));
    };
    http::send(client.post(server).json(&body(topic, message)), &message.key).await
}

/// The body of the request. JSON, as headers take no other letters than English ones.
pub(crate) fn body(topic: &str, message: &Message) -> Value {
    let (priority, tag) = match (message.status.is_final(), message.severity) {
        (true, _) => (2, "white_check_mark"),
        (false, Severity::Critical) => (5, "rotating_light"),
        (false, Severity::Major) => (4, "warning"),
        (false, _) => (3, "warning"),
    };
    json!({
        "topic": topic,
        "title": message.title,
        "message": message.text.chars().take(MAX_TEXT).collect::<String>(),
        "priority": priority,
        "tags": [tag],
        "click": message.link,
    })
}
