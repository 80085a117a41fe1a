//! `hosts`, `connections` and `tls` of `forewarn.yaml`.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::Deserialize;

use super::values::{count, size};
use crate::diagnostics::Report;
use crate::model::{AllowedHost, ConnectionLimits, HttpConfig, TlsFiles};
use crate::yaml::field::{Placed, Text};
use crate::yaml::kinds::{HostText, PositiveDuration, Setting, Size};
use crate::yaml::values::positive_duration;

/// How many connections there are, and how long they may stay without use.
#[derive(Deserialize, Default, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Connections")]
pub(super) struct RawConnections {
    /// Most connections at one time. Where the system allows the process fewer open files, fewer are taken. A
    /// sixteenth of them is kept for health checks and for those who work with alerts.
    #[schemars(extend("default" = 4_096))]
    max: Option<Placed<usize>>,
    /// Most connections from one address. At the bound the one that has waited longest for a request is
    /// closed.
    #[schemars(extend("default" = 1_024))]
    max_per_address: Option<Placed<usize>>,
    /// The head of a request must arrive within this time.
    #[schemars(extend("default" = "10s"))]
    header_timeout: Option<Text<PositiveDuration>>,
    /// A connection without a request is closed after this time.
    #[schemars(extend("default" = "75s"))]
    idle_timeout: Option<Text<PositiveDuration>>,
    /// A client that takes nothing of its answer for this time is cut off.
    #[schemars(extend("default" = "30s"))]
    write_timeout: Option<Text<PositiveDuration>>,
    /// Most event streams at one time.
    #[schemars(extend("default" = 256))]
    streams: Option<Placed<usize>>,
    /// Most event streams of one user, or of one address where there are no users.
    #[schemars(extend("default" = 64))]
    streams_per_client: Option<Placed<usize>>,
    /// The memory that all request bodies together may take, and that all answers together may take. A request
    /// that finds no room waits for a moment, and is then asked to come again.
    #[schemars(extend("default" = "256MiB"))]
    buffer_bytes: Option<Text<Size>>,
}

/// HTTPS. The files are in PEM form and are read again when they change.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Tls")]
pub(super) struct RawTls {
    /// The server's certificate, followed by those between it and its root.
    cert: Text<Setting>,
    /// Its private key.
    key: Text<Setting>,
    /// The roots of clients' certificates. With it a gateway can prove by a certificate who it is.
    #[serde(default)]
    client_ca: Option<Text<Setting>>,
}

/// Checks the front door's settings. The name in `listen`, if it is one, is a name of the server, too.
pub(super) fn http(
    listen: &str,
    hosts: &[Text<HostText>],
    connections: &RawConnections,
    tls: Option<&RawTls>,
    report: &mut Report<'_>,
) -> HttpConfig {
    let mut allowed = Vec::new();
    for host in hosts {
        match AllowedHost::parse(&host.value.clone()) {
            Ok(host) => allowed.push(host),
            Err(problem) => {
                let hint = "write a name, or name:port, such as forewarn.plant.example";
                report.on(host, problem, Some(hint.to_owned()));
            }
        }
    }
    let (listen_name, _) = listen.rsplit_once(':').unwrap_or((listen, ""));
    if listen_name.parse::<IpAddr>().is_err() {
        allowed.extend(AllowedHost::parse(listen_name));
    }
    let mut path = |text: &Text<Setting>| text.value.clone().into();
    let tls = tls.map(|tls| TlsFiles {
        cert: path(&tls.cert),
        key: path(&tls.key),
        client_ca: tls.client_ca.as_ref().map(&mut path),
    });
    HttpConfig { hosts: allowed, connections: limits(connections, report), tls }
}

fn limits(raw: &RawConnections, report: &mut Report<'_>) -> ConnectionLimits {
    let default = ConnectionLimits::default();
    let mut duration = |text: Option<&Text<PositiveDuration>>, default| {
        text.map_or(default, |text| positive_duration(text, report))
    };
    let header_timeout_us = duration(raw.header_timeout.as_ref(), default.header_timeout_us);
    let idle_timeout_us = duration(raw.idle_timeout.as_ref(), default.idle_timeout_us);
    let write_timeout_us = duration(raw.write_timeout.as_ref(), default.write_timeout_us);
    ConnectionLimits {
        max: count(raw.max.as_ref(), default.max).max(16),
        max_per_address: count(raw.max_per_address.as_ref(), default.max_per_address).max(1),
        header_timeout_us,
        idle_timeout_us,
        write_timeout_us,
        streams: count(raw.streams.as_ref(), default.streams),
        streams_per_client: count(raw.streams_per_client.as_ref(), default.streams_per_client),
        buffer_bytes: size(raw.buffer_bytes.as_ref(), default.buffer_bytes, report),
    }
}
