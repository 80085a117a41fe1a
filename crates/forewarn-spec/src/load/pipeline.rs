//! A pipeline file.

use std::path::PathBuf;

use forewarn_types::has_plain_password;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::derived::Derived;
use super::formula::expression;
use super::job::{self, Job, RawJob};
use super::known::Known;
use super::names::Names;
use super::route::{self, RawRoute};
use super::rule::{self, RawRule};
use super::server::size;
use crate::diagnostics::Report;
use crate::expr::ExprError;
use crate::model::{JsonPath, MqttPayload, MqttSource, MqttTls, Pipeline, Signal, Source};
use crate::yaml::field::{Choice, Chosen, Placed, Selectors, Text, Unsupported, choice, only};
use crate::yaml::kinds::{
    Assets, Broker, Formula, Identifier, Label, Name, PathText, PositiveDuration, Setting, SignalText, Size,
    Topic, TopicTemplate, Words,
};
use crate::yaml::values::{glob, positive_duration};

/// A pipeline: where readings come from, what they are, what to watch for, and what to compute from them. One
/// file of the pipelines folder.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Pipeline", title = "Forewarn pipeline")]
pub(crate) struct RawPipeline {
    /// The name of the pipeline.
    pipeline: Text<Name>,
    /// Where readings come from, beside HTTP.
    #[serde(default)]
    sources: Vec<RawSource>,
    /// The signals that sensors send, and those that are computed from others. Once a sensor's signal is
    /// declared, naming one that is not is a mistake.
    #[serde(default)]
    signals: Vec<RawSignal>,
    /// What to watch for.
    #[serde(default)]
    rules: Vec<RawRule>,
    /// What to compute on a schedule.
    #[serde(default)]
    jobs: Vec<RawJob>,
    #[serde(default)]
    #[schemars(skip)]
    views: Unsupported,
    /// Where alerts are sent.
    #[serde(default)]
    routes: Vec<RawRoute>,
}

impl RawPipeline {
    /// The contacts that the pipeline's routes name.
    pub(super) fn contacts(&self) -> impl Iterator<Item = &Text<Label>> {
        self.routes.iter().flat_map(RawRoute::contacts)
    }

    /// Adds the signals that the pipeline declares.
    pub(super) fn declare(&self, known: &mut Known) {
        for signal in &self.signals {
            known.add(&signal.name, signal.is_derived());
        }
    }
}

/// A place that readings come from.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Source")]
struct RawSource {
    /// A subscription at an MQTT broker.
    mqtt: RawMqtt,
}

/// A subscription at an MQTT 3.1.1 broker.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Mqtt", extend("oneOf" = keys_of_payloads()))]
struct RawMqtt {
    /// The broker.
    url: Text<Broker>,
    /// How the broker knows Forewarn; left out, it is `forewarn-` and the name of the pipeline, numbered from
    /// the second source on.
    client_id: Option<Text<Identifier>>,
    /// The topics subscribed to.
    topic: Text<Topic>,
    /// The path of the asset that a message is from.
    asset: Text<TopicTemplate>,
    /// The name of the signal that a message holds.
    signal: Text<TopicTemplate>,
    /// How a payload is read.
    payload: Chosen<Payload>,
    /// Where the value stands in a JSON payload.
    value: Option<Text<PathText>>,
    /// Where the time stands in a JSON payload; left out, it is that of arrival.
    time: Option<Text<PathText>>,
    /// Where the quality stands in a JSON payload; left out, it is good.
    quality: Option<Text<PathText>>,
    /// The quality of service of the subscription.
    #[schemars(extend("maximum" = 2, "default" = 1))]
    qos: Option<Placed<u8>>,
    /// For `mqtts`: a PEM file of the authorities that the broker's certificate may be from; left out, those
    /// of the system.
    ca: Option<Text<Setting>>,
    /// For `mqtts`: what the broker knows Forewarn by, if it asks for a certificate.
    certificate: Option<RawCertificate>,
    /// The largest packet that is taken from the broker. A larger one ends the connection, again and again,
    /// until the broker no longer sends it: bound what may be published at the broker.
    #[schemars(extend("default" = "16MiB"))]
    max_packet: Option<Text<Size>>,
}

/// A certificate and its key.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Certificate")]
struct RawCertificate {
    /// A PEM file with the certificate, and those between it and its authority.
    file: Text<Setting>,
    /// A PEM file with its key.
    key: Text<Setting>,
}

fn keys_of_payloads() -> Value {
    let number = json!({ "value": { "type": "null" }, "time": { "type": "null" }, "quality": { "type": "null" }, "payload": { "const": "number" } });
    let json = json!({ "value": { "not": { "type": "null" } }, "payload": { "const": "json" } });
    json!([{ "properties": number }, { "properties": json, "required": ["value"] }])
}

/// Only what is computed can wait.
fn settling() -> Value {
    let sent = json!({ "properties": { "expr": { "type": "null" }, "settle": { "type": "null" } } });
    json!([only("expr", &[]), sent])
}

/// A signal: one measured or computed quantity of an asset.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "SignalDeclaration", extend("oneOf" = settling()))]
struct RawSignal {
    /// The name of the signal.
    name: Text<SignalText>,
    /// The assets that have it.
    assets: Selectors<Assets>,
    /// Its unit, for display.
    unit: Option<Text<Words>>,
    /// How it is computed from other signals of the same asset; left out, a sensor sends it.
    expr: Option<Text<Formula>>,
    /// How long `expr` waits for the other values of one time where they come in separate messages. Left
    /// out, the signal is computed as each value comes, with the last values of the others.
    settle: Option<Text<PositiveDuration>>,
}

impl RawSignal {
    const fn is_derived(&self) -> bool {
        self.expr.is_some()
    }
}

#[derive(Clone, Copy)]
enum Payload {
    Json,
    Number,
}

impl Choice for Payload {
    const NAME: &'static str = "Payload";
    const ABOUT: &'static str = "How a payload is read: as JSON, or as a bare number.";
    const CHOICES: &'static [(&'static str, Self)] = &[("json", Self::Json), ("number", Self::Number)];
}

/// Checks a pipeline; `number` is that of its report, and `everywhere` knows the signals of all pipelines.
/// What concerns its derived signals among those of all pipelines is left to [`super::derived::check`].
pub(super) fn check(
    raw: &RawPipeline,
    number: usize,
    everywhere: &Known,
    names: &mut Names,
    derived: &mut Vec<Derived>,
    report: &mut Report<'_>,
) -> Option<Pipeline> {
    let before = report.found.len();
    names.claim("pipeline", &raw.pipeline, report);
    let mut known = Known::default();
    raw.declare(&mut known);
    raw.views.refuse(
        "views",
        "leave it out; a job computes such a table: its `sql` aggregates `readings`",
        report,
    );
    let sources = sources(raw, report);
    let signals = signals(&raw.signals, &known, number, derived, report);
    let mut rules = Vec::new();
    for rule in &raw.rules {
        if report.is_full() {
            break;
        }
        rules.extend(rule::check(rule, &raw.pipeline.value, &known, names, report));
    }
    let mut routes = Vec::new();
    for route in &raw.routes {
        routes.extend(route::check(route, &raw.pipeline.value, names, report));
    }
    let (mut jobs, mut frames) = (Vec::new(), Vec::new());
    for job in &raw.jobs {
        match job::check(job, &known, everywhere, names, report) {
            Some(Job::Sql(job)) => jobs.push(job),
            Some(Job::Frame(job)) => frames.push(*job),
            None => {}
        }
    }
    (report.found.len() == before).then(|| Pipeline {
        name: raw.pipeline.value.clone(),
        sources,
        signals,
        rules,
        routes,
        jobs,
        frames,
    })
}

/// Checks each of the signals by itself. The derived ones among them are added to `derived`.
fn signals(
    raw: &[RawSignal],
    known: &Known,
    number: usize,
    derived: &mut Vec<Derived>,
    report: &mut Report<'_>,
) -> Vec<Signal> {
    let mut signals = Vec::new();
    for signal in raw {
        let name = known.check_name(&signal.name, report);
        let expr = signal.expr.as_ref().and_then(|text| expression(text, known, report));
        let unit = signal.unit.as_ref().map(|unit| unit.value.clone());
        let settle_us = signal.settle.as_ref().map_or(0, |text| positive_duration(text, report));
        if let Some(settle) = signal.settle.as_ref().filter(|_| !signal.is_derived()) {
            let hint = "leave it out: what a sensor sends waits for nothing".to_owned();
            report.on(settle, "`settle` goes with `expr` only", Some(hint));
        }
        let assets = glob(&signal.assets, report);
        if signal.is_derived() && !signal.name.place.is_unknown() {
            let inputs = expr.as_ref().map_or_else(Vec::new, |expr| expr.signals().to_vec());
            derived.push(Derived {
                report: number,
                place: signal.name.place,
                name: name.clone(),
                assets: assets.clone(),
                inputs,
            });
        }
        signals.extend(assets.map(|assets| Signal { name, assets, unit, expr, settle_us }));
    }
    signals
}

/// The sources. A broker knows one client by an identifier and throws out the other, so each source has one
/// of its own.
fn sources(raw: &RawPipeline, report: &mut Report<'_>) -> Vec<Source> {
    let mut sources: Vec<MqttSource> = Vec::new();
    for (number, source) in (1..).zip(&raw.sources) {
        let by_default = match number {
            1 => format!("forewarn-{}", raw.pipeline.value),
            number => format!("forewarn-{}-{number}", raw.pipeline.value),
        };
        let Some(read) = mqtt(&source.mqtt, by_default, report) else { continue };
        if sources.iter().any(|other| (&other.url, &other.client_id) == (&read.url, &read.client_id)) {
            let problem = format!("another source already talks to this broker as '{}'", read.client_id);
            report.on(&source.mqtt.url, problem, Some("give each source a client_id of its own".to_owned()));
        }
        sources.push(read);
    }
    sources.into_iter().map(Source::Mqtt).collect()
}

fn mqtt(raw: &RawMqtt, client_id: String, report: &mut Report<'_>) -> Option<MqttSource> {
    if !["mqtt://", "mqtts://"]
        .iter()
        .any(|scheme| raw.url.value.len() > scheme.len() && raw.url.value.starts_with(scheme))
    {
        report.on(
            &raw.url,
            format!("'{}' is no broker", raw.url.value),
            Some("write mqtt://host:1883 or mqtts://host:8883".to_owned()),
        );
    }
    if has_plain_password(&raw.url.value) && report.has_plain_password(raw.url.place) {
        let hint = "write `${file:/run/secrets/mqtt}` in its place, and the password into that file";
        report.warn(
            &raw.url,
            "the password stands in the pipeline, and with it in the log, in snapshots and in backups",
            Some(hint.to_owned()),
        );
    }
    let wildcards = topic_wildcards(&raw.topic, report);
    if !raw.topic.place.is_unknown() {
        for template in [&raw.asset, &raw.signal] {
            check_template(template, wildcards, report);
        }
    }
    let qos = raw.qos.as_ref().map_or(1, |qos| {
        if qos.value > 2 {
            report.on(qos, "qos is 0, 1 or 2", None);
        }
        qos.value
    });
    let payload = match choice(&raw.payload, report)? {
        Payload::Json => json_payload(raw, report)?,
        Payload::Number => number_payload(raw, report),
    };
    Some(MqttSource {
        url: raw.url.value.as_str().into(),
        client_id: raw
            .client_id
            .as_ref()
            .filter(|id| !id.place.is_unknown())
            .map_or(client_id, |id| id.value.clone()),
        topic: raw.topic.value.clone(),
        asset: raw.asset.value.clone(),
        signal: raw.signal.value.clone(),
        payload,
        qos,
        tls: tls(raw, report),
        max_packet_bytes: usize::try_from(size(raw.max_packet.as_ref(), 16 << 20, report))
            .unwrap_or(usize::MAX),
    })
}

fn tls(raw: &RawMqtt, report: &mut Report<'_>) -> MqttTls {
    let is_open = raw.url.value.starts_with("mqtt://") && !raw.url.place.is_unknown();
    let first = raw.ca.as_ref().or_else(|| raw.certificate.as_ref().map(|certificate| &certificate.file));
    if let Some(text) = first.filter(|_| is_open) {
        report.warn(text, "certificates are of no use with mqtt://", Some("write mqtts://".to_owned()));
    }
    let path = |text: &Text<Setting>| PathBuf::from(&text.value);
    let identity = raw.certificate.as_ref();
    MqttTls {
        ca: raw.ca.as_ref().map(path),
        identity: identity.map(|RawCertificate { file, key }| (path(file), path(key))),
    }
}

fn json_payload(raw: &RawMqtt, report: &mut Report<'_>) -> Option<MqttPayload> {
    let Some(value) = &raw.value else {
        report.on(
            &raw.payload,
            "a JSON payload needs `value`: where the value stands",
            Some("value: \"$.v\"".to_owned()),
        );
        return None;
    };
    Some(MqttPayload::Json {
        value: json_path(value, report),
        time: raw.time.as_ref().map(|path| json_path(path, report)),
        quality: raw.quality.as_ref().map(|path| json_path(path, report)),
    })
}

fn number_payload(raw: &RawMqtt, report: &mut Report<'_>) -> MqttPayload {
    for (key, path) in [("value", &raw.value), ("time", &raw.time), ("quality", &raw.quality)] {
        if let Some(path) = path {
            report.on(
                path,
                format!("`{key}` goes with `payload: json` only"),
                Some("leave it out".to_owned()),
            );
        }
    }
    MqttPayload::Number
}

fn topic_wildcards(topic: &Text<Topic>, report: &mut Report<'_>) -> usize {
    let levels: Vec<&str> = topic.value.split('/').collect();
    for (i, level) in levels.iter().enumerate() {
        let misplaced = (level.contains('#') && (*level != "#" || i + 1 != levels.len()))
            || (level.contains('+') && *level != "+");
        if misplaced || topic.value.is_empty() {
            report.on(
                topic,
                format!("'{}' is no topic filter", topic.value),
                Some("`+` stands for one whole level, `#` for all at the end".to_owned()),
            );
            break;
        }
    }
    levels.iter().filter(|level| matches!(**level, "+" | "#")).count()
}

fn check_template(template: &Text<TopicTemplate>, wildcards: usize, report: &mut Report<'_>) {
    let text = &template.value;
    let mut at = 0;
    while let Some(open) = text[at..].find('{').map(|open| at + open) {
        let close = text[open..].find('}').map(|close| open + close);
        let message = match close.map(|close| text[open + 1..close].parse::<usize>()) {
            Some(Ok(number)) if (1..=wildcards).contains(&number) => None,
            Some(_) => Some(format!("'{text}' names a wildcard that is not in the topic")),
            None => Some(format!("in '{text}', a `{{` has no `}}`")),
        };
        if let Some(message) = message {
            let hint = format!("the topic has {wildcards} wildcard(s): {{1}} is what the first one took");
            report.inside(template, &ExprError { span: open..open + 1, message, hint: Some(hint) });
            return;
        }
        at = close.map_or(text.len(), |close| close + 1);
    }
}

fn json_path(path: &Text<PathText>, report: &mut Report<'_>) -> JsonPath {
    let Some(rest) = path.value.strip_prefix('$') else {
        report.on(
            path,
            format!("'{}' is no JSON path", path.value),
            Some("a path is $ or $.key or $.key.inner".to_owned()),
        );
        return JsonPath(Vec::new());
    };
    let keys: Vec<String> = rest.split('.').skip(1).map(str::to_owned).collect();
    if (!rest.is_empty() && !rest.starts_with('.')) || keys.iter().any(String::is_empty) {
        report.on(
            path,
            format!("'{}' is no JSON path", path.value),
            Some("a path is $ or $.key or $.key.inner".to_owned()),
        );
    }
    JsonPath(keys)
}
