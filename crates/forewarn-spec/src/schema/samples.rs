//! Definitions in which every key of every object stands at least once, to try the schemas and the loader on
//! the same text.

use serde_json::Value;

use crate::{Diagnostics, load_definitions_with, parse_server_config};

const PIPELINE: &str = r#"
pipeline: everything
sources:
  - mqtt:
      url: "mqtts://user:${PASSWORD:-word}@broker:8883"
      client_id: forewarn-7
      topic: "plant1/+/+/#"
      asset: "plant1/{1}"
      signal: "{3}"
      payload: json
      value: "$.reading.value"
      time: "$.t"
      quality: "$.q"
      qos: 2
      ca: /etc/ssl/plant.pem
      certificate: { file: ./client.pem, key: ./client.key }
      max_packet: 1MB
  - mqtt: { url: "mqtt://broker", topic: "t/+", asset: "{1}", signal: temperature, payload: number }
signals:
  - { name: temperature, assets: "plant1/**", unit: °C }
  - { name: flow, assets: "**" }
  - { name: margin, assets: "plant1/**/pump*", unit: K, expr: "90.0 - temperature", settle: 500ms }
rules:
  - name: hot
    assets: "plant1/**/pump*"
    when: "temperature > 90.0 && flow < 4.5"
    for: 30s
    until: "temperature < 85.0"
    clear_for: 1h30m
    tolerance: 10m
    settle: 500ms
    severity: critical
    consequence: "Seal damage within the hour"
    action: "Reduce speed"
  - { name: strange, assets: "**", deviation: { signal: flow, method: learned_limits, sensitivity: low, tolerance: 0.3, timezone: UTC }, severity: major }
  - { name: spread, assets: "**", deviation: { signal: margin, method: robust_z, baseline: 24h, above: 5.5 }, severity: minor }
  - { name: silent, assets: "**", missing: { signal: flow, longer_than: 5m, expected: true }, severity: warning }
  - { name: steep, assets: "**", rate: { signal: flow, above: 2.5, per: 1m, counter: true }, severity: warning }
  - { name: plain, assets: ["**", "!plant1/test/**"], when: "flow > 9.0", severity: warning }
  - { name: plain-drift, assets: "**", deviation: { signal: flow }, severity: warning }
  - name: shift
    assets: "**"
    deviation: { signal: flow, method: ewma, baseline: 7d, above: 6, lambda: 0.1 }
    severity: warning
  - name: creep
    assets: "**"
    deviation: { signal: flow, method: cusum, baseline: 500, above: 10, slack: 1 }
    severity: warning
routes:
  - name: worst-first
    match: { severity: [critical, major], assets: ["plant1/**", "!plant1/test/**"], rule: "hot*" }
    to: [on-call, ops]
    group: { by: [asset, rule], wait: 30s, repeat: 4h }
    escalate: [ { after: 15m, to: [lead] } ]
    quiet: { daily: "22:00-06:00", timezone: Europe/Oslo, except: critical }
  - { to: ops }
jobs:
  - { name: daily, schedule: "0 2 * * *", timezone: Europe/Oslo, sql: "SELECT 1", into: health_daily, catch_up: latest, delay: 10m, recompute: 3d }
  - { name: hourly, schedule: "0 * * * *", sql: "SELECT 2", into: health_hourly }
  - name: minutes
    schedule: "5 * * * *"
    frame:
      assets: "plant1/**/pump*"
      signals: [temperature, flow]
      every: 1m
      aggregate: { temperature: max, flow: last }
      fill: { previous: 5m }
      columns: { margin_k: "90.0 - temperature", near: "temperature > 80.0" }
      where: "flow > 1.0"
    into: pump_minutes
  - name: lines
    schedule: "5 * * * *"
    frame: { assets: "**", signals: [flow], every: 1m, aggregate: median, fill: { linear: 1h } }
    into: flow_lines
  - { name: bare, schedule: "5 * * * *", frame: { assets: "**", signals: [flow], every: 1m, fill: none }, into: bare }
"#;

const MODEL: &str = r#"
model: pump-life
kind: time_to_failure
assets: "plant1/**/pump*"
signals: [vibration_rms, temperature]
features: { every: 1h, windows: [6h, 24h], statistics: [last, mean, std, min, max, slope], age: false }
target: { unit: hours, cap: 720 }
algorithms: [ridge]
validate: { folds: 4, group: life }
interval: { coverage: 0.8 }
train: { schedule: "0 3 * * 0", timezone: Europe/Oslo }
predict: { every: 1h }
promote: manually
"#;

const SERVER: &str = r#"
listen: "127.0.0.1:9090"
hosts: [forewarn.plant.example, "gateway:9443"]
connections: { max: 1000, max_per_address: 100, header_timeout: 5s, idle_timeout: 1m, write_timeout: 20s, streams: 10, streams_per_client: 2, buffer_bytes: 64MiB }
auth: { mode: users, session_idle: 1h, session: 2d }
tls: { cert: server.pem, key: server.key, client_ca: gateways.pem }
data_dir: "${DATA:-/var/lib}/forewarn"
lake: s3://bucket/prefix
pipelines: ./p
models: ./m
log: { max_bytes: 512MB, segment_bytes: 1048576, group_delay: 5ms, compression: lz4 }
branch: { commit_rows: 1000, commit_every: 5s, commit_bytes: 1MB, max_tail_rows: 100000, max_tail_bytes: 64MiB }
maintenance: { every: 2h, file_bytes: 64MiB, delete_after: 2d, keep_log: 9d, retain: { readings: 730d, alert_events: 3650d, predictions: 90d, job_runs: 90d, commands: 90d, life_events: 3650d, promotions: 3650d, notifications: 90d, silences: 90d, audit: 365d, tables: [{ table: health_daily, keep: 365d }] } }
snapshot: { every: 5m }
limits: { max_series: 10, max_body_bytes: 1MB, max_line_bytes: 1 KiB, max_future: 1h, max_sql_rows: 5, max_sql: 5s, max_sql_memory: 256MB, max_sql_spill: 1GB, max_sql_answer: 10MB, max_ahead: 2m, min_time: 1995-06-30 }
influx: { asset: "{tag:host}", signal: "{field}" }
public_url: "https://forewarn.example"
contacts:
  ops: { webhook: "http://localhost:9000/alerts" }
  tool: { webhook: { url: "https://tool.example", method: put, headers: { X-Team: pumps }, secret: s3cret, template: "{{ title }}" }, spacing: 5s }
  anna: { email: anna@example.com }
  ole: { ntfy: "https://ntfy.sh/pumps" }
  chat: { slack: "https://hooks.slack.com/x" }
  teams: { teams: "https://teams.example/x" }
  pager: { pagerduty: abc }
  pager2: { pagerduty: { key: abc, url: "https://events.eu.pagerduty.com" } }
  genie: { opsgenie: abc }
  am: { alertmanager: "http://localhost:9093" }
  line: { mqtt: { url: "mqtt://broker", topic: alerts } }
  on-call: { rotation: [anna, ole], hand_over: "mon 08:00", timezone: Europe/Oslo }
channels:
  smtp: { url: "smtps://mail.example.com", user: forewarn, password: secret, from: forewarn@example.com }
  alertmanager: { url: "http://localhost:9093" }
"#;

/// The sample of a kind of definition, as data.
pub(super) fn sample(kind: &str) -> Value {
    let text = match kind {
        "pipeline" => PIPELINE,
        "model" => MODEL,
        "server" => SERVER,
        other => panic!("there is no sample of a {other}"),
    };
    serde_saphyr::from_str(text).unwrap()
}

/// What the loader makes of `text`: all that was read, as a text to compare, or every mistake.
pub(super) fn load(kind: &str, text: &str) -> Result<String, Diagnostics> {
    let file = |name: &str| [(format!("{name}.yaml"), text.to_owned())];
    let files = |name: &str| name.strip_prefix("file:").map(|_| "secret".to_owned());
    match kind {
        "pipeline" => load_definitions_with(&file(kind), &[], &files).map(|loaded| format!("{loaded:#?}")),
        "model" => load_definitions_with(&[], &file(kind), &files).map(|loaded| format!("{loaded:#?}")),
        _ => parse_server_config("server.yaml", text, &files).map(|loaded| format!("{loaded:#?}")),
    }
}

/// What the loader makes of data. JSON is YAML, but for characters that YAML wants escaped.
pub(super) fn load_value(kind: &str, value: &Value) -> Result<String, Diagnostics> {
    let escape =
        |c: char| if (' '..='~').contains(&c) { c.to_string() } else { format!("\\U{:08x}", u32::from(c)) };
    load(kind, &value.to_string().chars().map(escape).collect::<String>())
}

/// The pointers to `value` and everything in it.
pub(super) fn pointers(value: &Value) -> Vec<String> {
    let mut found = vec![String::new()];
    let members: Vec<(String, &Value)> = match value {
        Value::Object(object) => object.iter().map(|(key, member)| (key.clone(), member)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(i, item)| (i.to_string(), item)).collect(),
        _ => Vec::new(),
    };
    for (key, member) in members {
        found.extend(pointers(member).into_iter().map(|pointer| format!("/{key}{pointer}")));
    }
    found
}

/// `value` with something else at `pointer`.
pub(super) fn with(value: &Value, pointer: &str, other: Value) -> Value {
    let mut changed = value.clone();
    let (parent, key) = pointer.rsplit_once('/').unwrap_or(("", ""));
    match changed.pointer_mut(pointer) {
        Some(place) => *place = other,
        None => changed.pointer_mut(parent).unwrap()[key] = other,
    }
    changed
}

/// `value` without the key at `pointer`.
pub(super) fn without(value: &Value, pointer: &str) -> Value {
    let mut changed = value.clone();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    changed.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(key).unwrap();
    changed
}
