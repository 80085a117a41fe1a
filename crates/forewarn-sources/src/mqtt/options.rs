//! From the definition of a subscription to the options of its connection.

use std::path::PathBuf;
use std::sync::Arc;

use forewarn_spec::{MqttSource, MqttTls};
use forewarn_types::decode_user_part;
use rumqttc::{AckMode, MqttOptions, TlsConfiguration, Transport};
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use url::Url;

use super::message::MAX_PAYLOAD_BYTES;

const KEEP_ALIVE_S: u16 = 30;

/// Connection options as the definition asks for them; the message of a failure is for the operator.
pub(super) fn connect_options(source: &MqttSource) -> Result<MqttOptions, String> {
    let example = "write mqtt://host:1883 or mqtts://host:8883";
    let url = Url::parse(source.url.reveal())
        .map_err(|error| format!("its url is not a URL ({error}); {example}"))?;
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
    options.set_max_packet_size(source.max_packet_bytes, MAX_PAYLOAD_BYTES);
    if !url.username().is_empty() {
        options.set_credentials(
            percent_decode(url.username())?,
            percent_decode(url.password().unwrap_or_default())?,
        );
    }
    if tls {
        options.set_transport(transport(&source.tls)?);
    }
    Ok(options)
}

/// TLS with the authorities that the definition names, or else those of the system.
fn transport(tls: &MqttTls) -> Result<Transport, String> {
    let failed = |error: &dyn std::fmt::Display| format!("TLS cannot be set up: {error}");
    if *tls == MqttTls::default() {
        return Transport::try_tls_with_default_config().map_err(|error| failed(&error));
    }
    let pem = |path: &PathBuf| {
        std::fs::read(path).map_err(|error| {
            format!(
                "TLS cannot be set up: {} cannot be read: {error}; check its name and mode",
                path.display()
            )
        })
    };
    let mut roots = RootCertStore::empty();
    if let Some(path) = &tls.ca {
        let certificates = CertificateDer::pem_slice_iter(&pem(path)?).flatten().collect::<Vec<_>>();
        roots.add_parsable_certificates(certificates);
        if roots.is_empty() {
            return Err(failed(&format!("{} holds no certificate in PEM form", path.display())));
        }
    } else {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(&error))?
        .with_root_certificates(roots);
    let config = match &tls.identity {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain = CertificateDer::pem_slice_iter(&pem(certificate)?).flatten().collect::<Vec<_>>();
            let odd = |path: &PathBuf, what: &str| {
                failed(&format!("{} holds no {what} in PEM form", path.display()))
            };
            if chain.is_empty() {
                return Err(odd(certificate, "certificate"));
            }
            let secret = PrivateKeyDer::from_pem_slice(&pem(key)?).map_err(|_| odd(key, "private key"))?;
            builder.with_client_auth_cert(chain, secret).map_err(|error| failed(&error))?
        }
    };
    Ok(Transport::tls_with_config(TlsConfiguration::Rustls(Arc::new(config))))
}

fn percent_decode(text: &str) -> Result<String, String> {
    let error = || "the user or password in its url is not percent-encoded UTF-8; write % as %25".to_owned();
    decode_user_part(text).ok_or_else(error)
}
