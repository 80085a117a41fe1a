//! From the definition of a subscription to the options of its connection.

use forewarn_spec::MqttSource;
use rumqttc::{AckMode, MqttOptions, Transport};
use url::Url;

use super::message::MAX_PAYLOAD_BYTES;

/// The largest packet of the protocol. A smaller bound would close the connection, and the broker would send
/// the packet again.
const MAX_PACKET_BYTES: usize = 268_435_460;
const KEEP_ALIVE_S: u16 = 30;

/// Connection options as the definition asks for them; the message of a failure is for the operator.
pub(super) fn connect_options(source: &MqttSource) -> Result<MqttOptions, String> {
    let example = "write mqtt://host:1883 or mqtts://host:8883";
    let url =
        Url::parse(&source.url).map_err(|error| format!("its url is not a URL ({error}); {example}"))?;
    let (port, tls) = match url.scheme() {
        "mqtt" => (1883, false),
        "mqtts" => (8883, true),
        other => return Err(format!("its url has the scheme {other}; {example}")),
    };
    let host = url
        .host_str()
        .filter(|host| !host.is_empty())
        .ok_or_else(|| format!("its url names no host; {example}"))?;
    if source.client_id.is_empty() {
        return Err(
            "its client_id is empty; a stable one is needed for the broker to keep the session".into()
        );
    }
    // A URL writes an IPv6 address in brackets, a socket does not.
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let mut options = MqttOptions::new(source.client_id.clone(), (host, url.port().unwrap_or(port)));
    options.set_clean_session(false).set_ack_mode(AckMode::Manual).set_keep_alive(KEEP_ALIVE_S);
    options.set_max_packet_size(MAX_PACKET_BYTES, MAX_PAYLOAD_BYTES);
    if !url.username().is_empty() {
        options.set_credentials(
            percent_decode(url.username())?,
            percent_decode(url.password().unwrap_or_default())?,
        );
    }
    if tls {
        options.set_transport(
            Transport::try_tls_with_default_config()
                .map_err(|error| format!("TLS cannot be set up: {error}"))?,
        );
    }
    Ok(options)
}

/// Reads `%40` as `@`, as URLs write such characters in user names and passwords.
fn percent_decode(text: &str) -> Result<String, String> {
    let error = || "the user or password in its url is not percent-encoded UTF-8; write % as %25".to_owned();
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let digits = part.get(..2).ok_or_else(error)?;
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| error())?);
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    String::from_utf8(bytes).map_err(|_| error())
}
