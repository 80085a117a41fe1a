//! The ways to send a message: one file each, and the list of all of them here.

pub(crate) mod alertmanager;
mod email;
mod http;
mod mqtt;
pub(crate) mod ntfy;
pub(crate) mod opsgenie;
pub(crate) mod pagerduty;
pub(crate) mod slack;
pub(crate) mod teams;
pub(crate) mod webhook;

use forewarn_spec::{Contact, Destination, NotifyConfig};
use forewarn_types::Timestamp;
use reqwest::Client;

use crate::item::Item;
use crate::message::Message;
use crate::refusal::Refusal;

/// All channels.
#[derive(Clone)]
pub(crate) struct Channels {
    http: Client,
    mail: Option<email::Mail>,
}

impl Channels {
    /// Channels as the settings want them.
    pub(crate) fn new(settings: &NotifyConfig) -> Result<Self, String> {
        // Who talks TLS takes the process-wide provider; a second installation changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Ok(Self { http: http::client()?, mail: email::Mail::new(settings)? })
    }

    /// Sends a message; gives what the other side said.
    pub(crate) async fn send(&self, contact: &Contact, message: &Message) -> Result<String, Refusal> {
        let http = &self.http;
        match &contact.destination {
            Destination::Webhook(webhook) => webhook::send(http, webhook, message).await,
            Destination::Slack(url) => slack::send(http, url, message).await,
            Destination::Teams(url) => teams::send(http, url, message).await,
            Destination::Pagerduty(key) => pagerduty::send(http, key, message).await,
            Destination::Opsgenie(key) => opsgenie::send(http, key, message).await,
            Destination::Ntfy(url) => ntfy::send(http, url, message).await,
            Destination::Alertmanager(url) => alertmanager::send(http, url, message).await,
            Destination::Email(to) => match &self.mail {
                Some(mail) => mail.send(to, message).await,
                None => {
                    Err(Refusal::new("there is no mail server: channels.smtp is missing in the settings"))
                }
            },
            Destination::Mqtt(target) => mqtt::send(target, message).await,
            Destination::Rotation(_) => {
                Err(Refusal::new("a message goes to the contact whose turn it is, not to a rotation"))
            }
        }
    }

    /// Tells a channel that forgets what was told to it and is not over.
    pub(crate) async fn refresh(
        &self,
        contact: &Contact,
        items: &[Item],
        base: &str,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        match &contact.destination {
            Destination::Alertmanager(url) if !items.is_empty() => {
                alertmanager::post(&self.http, url, items, base, now).await.map(drop)
            }
            _ => Ok(()),
        }
    }
}

/// Whether a channel forgets what it was told unless it is told again.
pub(crate) const fn forgets(destination: &Destination) -> bool {
    matches!(destination, Destination::Alertmanager(_))
}
