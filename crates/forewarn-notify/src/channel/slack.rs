//! Slack's incoming webhooks.

use forewarn_types::Secret;
use reqwest::Client;
use serde_json::{Value, json};

use super::http;
use crate::message::Message;
use crate::refusal::Refusal;

/// The longest text of a block that Slack takes is 3,000 characters.
const MAX_TEXT: usize = 2_900;

pub(super) async fn send(client: &Client, url: &Secret, message: &Message) -> Result<String, Refusal> {
    http::send(client.post(url.reveal()).json(&body(message)), &message.key).await
}

/// The body of the request.
pub(crate) fn body(message: &Message) -> Value {
    let escape = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let text: String = message.text.chars().take(MAX_TEXT).collect();
    let title: String = message.title.chars().take(140).collect();
    let link = format!("<{}|Open in Forewarn>", message.link);
    json!({
        "text": escape(&message.title),
        "blocks": [
            { "type": "header", "text": { "type": "plain_text", "text": title } },
            { "type": "section", "text": { "type": "mrkdwn", "text": escape(&text) } },
            { "type": "context", "elements": [{ "type": "mrkdwn", "text": link }] },
        ],
    })
}
