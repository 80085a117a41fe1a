//! E-mail, as text and as HTML.
//!
//! Letters and SMTP are written out here: the library for both wants other features of crates that polars,
//! the lake and the HTTP clients share, and would have all of them built anew.

mod letter;
mod smtp;

use forewarn_spec::{NotifyConfig, Smtp};

use self::letter::{Address, Letter};
use self::smtp::Server;
use crate::message::Message;
use crate::refusal::Refusal;

/// A mail server, and who sends by it.
#[derive(Clone)]
pub(crate) struct Mail {
    server: Server,
    from: Address,
}

impl Mail {
    /// The mail server of the settings, if they have one.
    pub(super) fn new(settings: &NotifyConfig) -> Result<Option<Self>, String> {
        settings.smtp.as_ref().map(Self::of).transpose()
    }

    fn of(smtp: &Smtp) -> Result<Self, String> {
        let from = Address::parse(&smtp.from).map_err(|problem| format!("channels.smtp.from: {problem}"))?;
        let server = Server::new(smtp).map_err(|problem| format!("channels.smtp: {problem}"))?;
        Ok(Self { server, from })
    }

    /// Sends a message to an address.
    pub(super) async fn send(&self, to: &str, message: &Message) -> Result<String, Refusal> {
        let to = Address::parse(to).map_err(Refusal::new)?;
        let letter = Letter {
            from: &self.from,
            to: &to,
            subject: &message.title,
            text: &message.text,
            html: &message.html,
            key: &message.key,
            time: message.time,
        };
        let sent = self.server.send(&self.from.address, &to.address, &letter.bytes()).await;
        sent.map_err(Refusal::new)
    }
}
