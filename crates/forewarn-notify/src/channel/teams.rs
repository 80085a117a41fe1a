//! Microsoft Teams, by a workflow that posts adaptive cards.

use forewarn_types::Secret;
use forewarn_types::Severity;
use reqwest::Client;
use serde_json::{Value, json};

use super::http;
use crate::message::Message;
use crate::refusal::Refusal;

/// A card may hold about 28 KB.
const MAX_TEXT: usize = 8_000;

pub(super) async fn send(client: &Client, url: &Secret, message: &Message) -> Result<String, Refusal> {
    http::send(client.post(url.reveal()).json(&body(message)), &message.key).await
}

/// The body of the request.
pub(crate) fn body(message: &Message) -> Value {
    let color = match (message.status.is_final(), message.severity) {
        (true, _) => "Good",
        (false, Severity::Critical | Severity::Major) => "Attention",
        (false, _) => "Warning",
    };
    // Teams joins lines unless a blank line stands between them.
    let text: String = message.text.replace('\n', "\n\n").chars().take(MAX_TEXT).collect();
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "body": [
                    {
                        "type": "TextBlock", "size": "Large", "weight": "Bolder", "wrap": true,
                        "color": color, "text": message.title,
                    },
                    { "type": "TextBlock", "wrap": true, "text": text },
                ],
                "actions": [{ "type": "Action.OpenUrl", "title": "Open in Forewarn", "url": message.link }],
            },
        }],
    })
}
