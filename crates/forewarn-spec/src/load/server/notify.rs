//! Contacts, and how they are reached: `contacts`, `channels` and `public_url`.

use forewarn_types::Secret;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::diagnostics::Report;
use crate::load::names::check_name;
use crate::model::{Contact, Destination, HttpKey, MqttTarget, NotifyConfig, Rotation, Smtp, Webhook};
use crate::yaml::field::{Text, only};
use crate::yaml::free::{Either, Keyed};
use crate::yaml::hours::{HandOverText, hand_over};
use crate::yaml::kinds::{Duration, Label, Setting, Zone};
use crate::yaml::many::Many;
use crate::yaml::values::{duration, timezone};

/// A contact that needs nothing but a URL.
type ByUrl = fn(Secret) -> Destination;

const KINDS: [&str; 10] = [
    "webhook",
    "email",
    "slack",
    "teams",
    "pagerduty",
    "opsgenie",
    "ntfy",
    "alertmanager",
    "mqtt",
    "rotation",
];
const METHODS: [&str; 5] = ["POST", "PUT", "PATCH", "GET", "DELETE"];

/// The contact that `channels.alertmanager` is.
const ALERTMANAGER: &str = "alertmanager";

/// A person or a program that alerts are sent to. It has exactly one of webhook, email, slack, teams, pagerduty,
/// opsgenie, ntfy, alertmanager, mqtt and rotation.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Contact", extend("oneOf" = one_kind()))]
pub(super) struct RawContact {
    /// An HTTP request: its URL, or more.
    webhook: Option<Either<Text<Setting>, RawWebhook>>,
    /// An e-mail to this address; it goes out by `channels.smtp`.
    email: Option<Text<Setting>>,
    /// The URL of an incoming webhook of Slack.
    slack: Option<Text<Setting>>,
    /// The URL of a workflow's webhook of Microsoft Teams.
    teams: Option<Text<Setting>>,
    /// The integration key of a PagerDuty service (Events API v2).
    pagerduty: Option<Either<Text<Setting>, RawKey>>,
    /// The key of an Opsgenie API integration.
    opsgenie: Option<Either<Text<Setting>, RawKey>>,
    /// The URL of a topic of ntfy, such as `https://ntfy.sh/pumps`.
    ntfy: Option<Text<Setting>>,
    /// The URL of Prometheus' Alertmanager, such as `http://localhost:9093`.
    alertmanager: Option<Text<Setting>>,
    /// A topic of an MQTT broker.
    mqtt: Option<RawMqttTarget>,
    /// Contacts that take turns.
    rotation: Option<Many<Label>>,
    /// When a turn of the rotation ends and the next begins; left out, `mon 08:00`.
    hand_over: Option<Text<HandOverText>>,
    /// The time zone of the hand-over; left out, UTC.
    timezone: Option<Text<Zone>>,
    /// The shortest time between two messages; left out, there is none.
    spacing: Option<Text<Duration>>,
}

fn one_kind() -> Value {
    let others = |kind: &str| {
        let mut keys: Vec<&str> = KINDS.into_iter().filter(|other| *other != kind).collect();
        if kind != "rotation" {
            keys.extend(["hand_over", "timezone"]);
        }
        keys
    };
    KINDS.iter().map(|kind| only(kind, &others(kind))).collect()
}

/// An HTTP request for each message.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Webhook")]
struct RawWebhook {
    /// Where to.
    url: Text<Setting>,
    /// The method; left out, POST.
    method: Option<Text<Setting>>,
    /// Further headers.
    headers: Option<Keyed<Setting, Text<Setting>>>,
    /// A key. With it the header `X-Forewarn-Signature` is `sha256=` and the HMAC-SHA256 of the body in hex.
    secret: Option<Text<Setting>>,
    /// The body, as a minijinja template; left out, it is JSON of Forewarn's own.
    template: Option<Text<Template>>,
}

/// A template.
enum Template {}

impl crate::yaml::field::Kind for Template {
    const NAME: &'static str = "Template";
    const ABOUT: &'static str = "A minijinja template.";
    const EXAMPLES: &'static [&'static str] = &["{{ title }}"];
    const TYPES: &'static [&'static str] = &["string", "number", "boolean"];
}

/// A service that is reached with a key.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ServiceKey")]
struct RawKey {
    /// The key.
    key: Text<Setting>,
    /// Where the service is; left out, that of its maker.
    url: Option<Text<Setting>>,
}

/// A topic of an MQTT broker.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "MqttTopic")]
struct RawMqttTarget {
    /// The broker: `mqtt://` or `mqtts://`, with host, and optional user, password and port.
    url: Text<Setting>,
    /// The topic.
    topic: Text<Setting>,
}

/// How messages go out.
#[derive(Deserialize, Default, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Channels")]
pub(super) struct RawChannels {
    /// How e-mail goes out.
    smtp: Option<RawSmtp>,
    /// Prometheus' Alertmanager; routes name it as the contact `alertmanager`.
    alertmanager: Option<RawAlertmanager>,
}

/// How e-mail goes out.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Smtp")]
struct RawSmtp {
    /// The mail server: `smtps://host` (TLS from the start), `smtp+starttls://host` (TLS by STARTTLS) or
    /// `smtp://host` (no TLS), each with an optional port.
    url: Text<Setting>,
    /// The user's name at the server.
    user: Option<Text<Setting>>,
    /// The password.
    password: Option<Text<Setting>>,
    /// The sender's address.
    from: Text<Setting>,
}

/// Prometheus' Alertmanager.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Alertmanager")]
struct RawAlertmanager {
    /// Its URL.
    url: Text<Setting>,
}

/// Contacts by their names.
pub(super) type RawContacts = Keyed<Label, RawContact>;

/// Checks contacts and channels.
pub(super) fn check(
    contacts: Option<&RawContacts>,
    channels: &RawChannels,
    public_url: Option<&Text<Setting>>,
    report: &mut Report<'_>,
) -> NotifyConfig {
    let mut config = NotifyConfig {
        public_url: public_url.map(|url| http_url(url, report).trim_end_matches('/').to_owned()),
        smtp: channels.smtp.as_ref().map(|smtp| self::smtp(smtp, report)),
        contacts: Vec::new(),
    };
    for (name, raw) in contacts.into_iter().flat_map(|contacts| &contacts.0) {
        check_name(name, report);
        let destination = destination(name, raw, report);
        let spacing_us = raw.spacing.as_ref().map_or(0, |text| duration(text, report));
        config.contacts.extend(destination.map(|destination| Contact {
            name: name.value.clone(),
            destination,
            spacing_us,
        }));
    }
    if let Some(raw) = &channels.alertmanager {
        let url = http_url(&raw.url, report);
        if config.contact(ALERTMANAGER).is_some() {
            report.on(&raw.url, "a contact is called `alertmanager`, as this one is", None);
        }
        let destination = Destination::Alertmanager(Secret::from(url));
        config.contacts.push(Contact { name: ALERTMANAGER.to_owned(), destination, spacing_us: 0 });
    }
    config
}

fn destination(name: &Text<Label>, raw: &RawContact, report: &mut Report<'_>) -> Option<Destination> {
    let given = [
        raw.webhook.is_some(),
        raw.email.is_some(),
        raw.slack.is_some(),
        raw.teams.is_some(),
        raw.pagerduty.is_some(),
        raw.opsgenie.is_some(),
        raw.ntfy.is_some(),
        raw.alertmanager.is_some(),
        raw.mqtt.is_some(),
        raw.rotation.is_some(),
    ];
    if given.iter().filter(|given| **given).count() != 1 {
        let problem = format!("the contact '{}' must be reached in one way", name.value);
        report.on(name, problem, Some(format!("give exactly one of {}", KINDS.join(", "))));
        return None;
    }
    if raw.rotation.is_none() {
        let places =
            [raw.hand_over.as_ref().map(|text| text.place), raw.timezone.as_ref().map(|text| text.place)];
        for (key, place) in ["hand_over", "timezone"].into_iter().zip(places) {
            if let Some(place) = place {
                let hint = Some("leave it out".to_owned());
                report.at(place, format!("`{key}` goes with `rotation` only"), hint);
            }
        }
    }
    if let Some(either) = &raw.webhook {
        return webhook(either, report).map(Destination::Webhook);
    }
    if let Some(mqtt) = &raw.mqtt {
        return Some(Destination::Mqtt(mqtt_target(mqtt, report)));
    }
    if let Some(contacts) = &raw.rotation {
        return Some(Destination::Rotation(rotation(contacts, raw, report)));
    }
    if let Some(either) = &raw.pagerduty {
        return key(either, "https://events.pagerduty.com", report).map(Destination::Pagerduty);
    }
    if let Some(either) = &raw.opsgenie {
        return key(either, "https://api.opsgenie.com", report).map(Destination::Opsgenie);
    }
    if let Some(text) = &raw.email {
        return Some(Destination::Email(address(text, report)));
    }
    let urls: [(&Option<Text<Setting>>, ByUrl); 4] = [
        (&raw.slack, Destination::Slack),
        (&raw.teams, Destination::Teams),
        (&raw.ntfy, Destination::Ntfy),
        (&raw.alertmanager, Destination::Alertmanager),
    ];
    let (text, destination) = urls.into_iter().find_map(|(text, make)| Some((text.as_ref()?, make)))?;
    Some(destination(Secret::from(http_url(text, report))))
}

fn webhook(raw: &Either<Text<Setting>, RawWebhook>, report: &mut Report<'_>) -> Option<Webhook> {
    if let Some(url) = &raw.single {
        let url = Secret::from(http_url(url, report));
        return Some(Webhook {
            url,
            method: "POST".to_owned(),
            headers: Vec::new(),
            secret: None,
            template: None,
        });
    }
    let raw = raw.keys.as_ref()?;
    let method = raw.method.as_ref().map_or_else(
        || "POST".to_owned(),
        |text| {
            let method = text.value.clone().to_ascii_uppercase();
            if !METHODS.contains(&method.as_str()) {
                let problem = format!("'{method}' is no method of a webhook");
                report.on(text, problem, Some(format!("use one of {}", METHODS.join(", "))));
            }
            method
        },
    );
    let mut headers = Vec::new();
    for (name, value) in raw.headers.iter().flat_map(|headers| &headers.0) {
        let known = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        if name.value.is_empty() || !name.value.chars().all(known) {
            report.on(name, format!("'{}' is no name of a header", name.value), None);
        }
        let text = value.value.clone();
        if text.chars().any(char::is_control) {
            report.on(value, "a header is one line of text", None);
        }
        headers.push((name.value.clone(), Secret::from(text)));
    }
    Some(Webhook {
        url: Secret::from(http_url(&raw.url, report)),
        method,
        headers,
        secret: raw.secret.as_ref().map(|text| Secret::from(text.value.clone())),
        template: raw.template.as_ref().map(|text| text.value.clone()),
    })
}

fn key(raw: &Either<Text<Setting>, RawKey>, default: &str, report: &mut Report<'_>) -> Option<HttpKey> {
    if let Some(key) = &raw.single {
        return Some(HttpKey { key: Secret::from(key.value.clone()), url: default.to_owned() });
    }
    let raw = raw.keys.as_ref()?;
    let url = raw.url.as_ref().map_or_else(|| default.to_owned(), |url| http_url(url, report));
    Some(HttpKey { key: Secret::from(raw.key.value.clone()), url: url.trim_end_matches('/').to_owned() })
}

fn mqtt_target(raw: &RawMqttTarget, report: &mut Report<'_>) -> MqttTarget {
    let url = raw.url.value.clone();
    if !["mqtt://", "mqtts://"].iter().any(|scheme| url.len() > scheme.len() && url.starts_with(scheme)) {
        let hint = Some("write mqtt://host:1883 or mqtts://host:8883".to_owned());
        report.on(&raw.url, format!("'{url}' is no broker"), hint);
    }
    let topic = raw.topic.value.clone();
    if topic.is_empty() || topic.contains(['+', '#']) {
        let hint = Some("a topic has no `+` and no `#`".to_owned());
        report.on(&raw.topic, format!("'{topic}' is no topic that can be published to"), hint);
    }
    MqttTarget { url: Secret::from(url), topic }
}

fn rotation(contacts: &Many<Label>, raw: &RawContact, report: &mut Report<'_>) -> Rotation {
    if contacts.0.is_empty() {
        report.whole_file("the list `rotation` of a contact is empty: name at least one contact");
    }
    for text in &contacts.0 {
        check_name(text, report);
    }
    let (weekday, minute) = raw.hand_over.as_ref().map_or((Some(0), 8 * 60), |text| {
        hand_over(&text.value).unwrap_or_else(|| {
            let hint = Some("write a day and a time such as \"mon 08:00\", or a time alone".to_owned());
            report.on(text, format!("'{}' is no time of a hand-over", text.value), hint);
            (Some(0), 0)
        })
    });
    Rotation {
        contacts: contacts.0.iter().map(|text| text.value.clone()).collect(),
        turn_days: if weekday.is_some() { 7 } else { 1 },
        weekday: weekday.unwrap_or(0),
        minute,
        timezone: timezone(raw.timezone.as_ref(), report),
    }
}

fn smtp(raw: &RawSmtp, report: &mut Report<'_>) -> Smtp {
    let url = raw.url.value.clone();
    let schemes = ["smtp://", "smtps://", "smtp+starttls://"];
    if !schemes.iter().any(|scheme| url.len() > scheme.len() && url.starts_with(scheme)) {
        let hint = Some("write smtps://host, smtp+starttls://host or smtp://host".to_owned());
        report.on(&raw.url, format!("'{url}' is no mail server"), hint);
    }
    Smtp {
        url,
        user: raw.user.as_ref().map(|text| text.value.clone()),
        password: raw.password.as_ref().map(|text| Secret::from(text.value.clone())),
        from: address(&raw.from, report),
    }
}

fn address(text: &Text<Setting>, report: &mut Report<'_>) -> String {
    let address = text.value.clone();
    let complete = |(user, host): (&str, &str)| !user.is_empty() && !host.is_empty() && !host.contains('@');
    if !address.rsplit_once('@').is_some_and(complete)
        || address.chars().any(|c| c.is_whitespace() && c != ' ')
    {
        let hint = Some("write user@host".to_owned());
        report.on(text, format!("'{address}' is no e-mail address"), hint);
    }
    address
}

fn http_url(text: &Text<Setting>, report: &mut Report<'_>) -> String {
    let url = text.value.clone();
    let scheme = ["http://", "https://"].iter().find(|scheme| url.starts_with(**scheme));
    let host = scheme.map(|scheme| &url[scheme.len()..]).unwrap_or_default();
    if host.is_empty() || host.starts_with(['/', ':', '?']) || url.chars().any(char::is_whitespace) {
        let hint = Some("write http://host/… or https://host/…".to_owned());
        report.on(text, "this is no URL that can be called", hint);
    }
    url
}
