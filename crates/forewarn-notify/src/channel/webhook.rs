//! An HTTP request with Forewarn's own JSON, or what a template makes of it.

use forewarn_spec::Webhook;
use reqwest::{Client, Method};
use ring::hmac;
use std::fmt::Write as _;

use super::http;
use crate::message::Message;
use crate::refusal::Refusal;

pub(super) async fn send(client: &Client, webhook: &Webhook, message: &Message) -> Result<String, Refusal> {
    let method = Method::from_bytes(webhook.method.as_bytes())
        .map_err(|error| Refusal::new(format!("{:?} is no method: {error}", webhook.method)))?;
    let body = body(webhook, message)?;
    let mut request = client.request(method, webhook.url.reveal());
    let names = |name: &str| webhook.headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name));
    if !names("content-type") {
        request = request.header("Content-Type", "application/json");
    }
    for (name, value) in &webhook.headers {
        request = request.header(name, value.reveal());
    }
    if let Some(secret) = &webhook.secret {
        request = request.header("X-Forewarn-Signature", signature(secret.reveal(), body.as_bytes()));
    }
    http::send(request.body(body), &message.key).await
}

/// The body of the request.
pub(crate) fn body(webhook: &Webhook, message: &Message) -> Result<String, Refusal> {
    let Some(template) = &webhook.template else { return Ok(message.json.to_string()) };
    let environment = minijinja::Environment::new();
    environment
        .render_str(template, minijinja::value::Serde(&message.json))
        .map_err(|error| Refusal::new(format!("the template cannot be filled in: {error}")))
}

/// The signature of a body: that it comes from somebody who knows the secret.
pub(crate) fn signature(secret: &str, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, body);
    tag.as_ref().iter().fold("sha256=".to_owned(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
