//! Contacts, and how they are reached.

use chrono_tz::Tz;
use forewarn_types::Secret;

/// What the server knows about telling people.
#[derive(Debug, Clone, Default)]
pub struct NotifyConfig {
    /// The contacts; names are unique.
    pub contacts: Vec<Contact>,
    /// How e-mail is sent.
    pub smtp: Option<Smtp>,
    /// What links in messages begin with, without a slash at the end.
    pub public_url: Option<String>,
}

impl NotifyConfig {
    /// The contact of that name.
    #[must_use]
    pub fn contact(&self, name: &str) -> Option<&Contact> {
        self.contacts.iter().find(|contact| contact.name == name)
    }
}

/// A person or a program that alerts are sent to.
#[derive(Debug, Clone)]
pub struct Contact {
    /// The name that routes use.
    pub name: String,
    /// How.
    pub destination: Destination,
    /// Shortest time between two messages once `burst` have been sent, µs; 0: none.
    pub spacing_us: i64,
}

/// How a contact is reached.
#[derive(Debug, Clone)]
pub enum Destination {
    /// An HTTP request.
    Webhook(Webhook),
    /// An e-mail to this address.
    Email(String),
    /// Slack's incoming webhook.
    Slack(Secret),
    /// A Microsoft Teams workflow's webhook.
    Teams(Secret),
    /// A PagerDuty integration.
    Pagerduty(HttpKey),
    /// An Opsgenie integration.
    Opsgenie(HttpKey),
    /// A topic of ntfy, by its URL.
    Ntfy(Secret),
    /// Prometheus' Alertmanager, by its base URL.
    Alertmanager(Secret),
    /// A topic of an MQTT broker.
    Mqtt(MqttTarget),
    /// Whose turn it is of these.
    Rotation(Rotation),
}

impl Destination {
    /// The channel's name, as in definitions.
    #[must_use]
    pub const fn channel(&self) -> &'static str {
        match self {
            Self::Webhook(_) => "webhook",
            Self::Email(_) => "email",
            Self::Slack(_) => "slack",
            Self::Teams(_) => "teams",
            Self::Pagerduty(_) => "pagerduty",
            Self::Opsgenie(_) => "opsgenie",
            Self::Ntfy(_) => "ntfy",
            Self::Alertmanager(_) => "alertmanager",
            Self::Mqtt(_) => "mqtt",
            Self::Rotation(_) => "rotation",
        }
    }
}

/// An HTTP request for each message.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// Where to.
    pub url: Secret,
    /// The method, in capitals.
    pub method: String,
    /// Further headers.
    pub headers: Vec<(String, Secret)>,
    /// The key of the body's signature.
    pub secret: Option<Secret>,
    /// The body as a minijinja template; `None`: Forewarn's own JSON.
    pub template: Option<String>,
}

/// A service that is reached with a key.
#[derive(Debug, Clone)]
pub struct HttpKey {
    /// The key.
    pub key: Secret,
    /// Where the service is.
    pub url: String,
}

/// A topic of an MQTT broker.
#[derive(Debug, Clone)]
pub struct MqttTarget {
    /// The broker: `mqtt://` or `mqtts://`, with host, optional port, user and password.
    pub url: Secret,
    /// The topic.
    pub topic: String,
}

/// Contacts that take turns, a week each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotation {
    /// The contacts, in the order of their turns.
    pub contacts: Vec<String>,
    /// How many days a turn lasts: 1 or 7.
    pub turn_days: u32,
    /// Day of the week of the hand-over, 0 is Monday; of no meaning if turns last a day.
    pub weekday: u8,
    /// Minute of the day of the hand-over.
    pub minute: u16,
    /// Time zone of both.
    pub timezone: Tz,
}

/// How e-mail is sent.
#[derive(Debug, Clone)]
pub struct Smtp {
    /// `smtp://`, `smtps://` or `smtp+starttls://`, with host and optional port.
    pub url: String,
    /// The user's name at the server.
    pub user: Option<String>,
    /// The password.
    pub password: Option<Secret>,
    /// The sender's address.
    pub from: String,
}
