//! A topic of an MQTT broker: the JSON of a message, with QoS 1.

use std::time::Duration;

use forewarn_spec::MqttTarget;
use forewarn_types::{decode_user_part, fingerprint};
use rumqttc::{AsyncClient, Event, MqttOptions, Packet, PublishOptions, QoS, Transport};
use url::Url;

use crate::message::Message;
use crate::refusal::Refusal;

/// The longest that a broker may take to acknowledge.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long the farewell may take.
const FAREWELL: Duration = Duration::from_secs(1);

pub(super) async fn send(target: &MqttTarget, message: &Message) -> Result<String, Refusal> {
    let options = options(target, &message.key).map_err(Refusal::new)?;
    let publish = publish(options, &target.topic, message.json.to_string());
    let Ok(done) = tokio::time::timeout(TIMEOUT, publish).await else {
        return Err(Refusal::new("the broker has not acknowledged it in time"));
    };
    done.map_err(Refusal::new)
}

async fn publish(options: MqttOptions, topic: &str, payload: String) -> Result<String, String> {
    let (client, mut event_loop) = AsyncClient::builder(options).capacity(4).build();
    client
        .publish(topic.to_owned(), payload, PublishOptions::new(QoS::AtLeastOnce))
        .await
        .map_err(|error| error.to_string())?;
    loop {
        match event_loop.poll().await {
            Ok(Event::Incoming(Packet::PubAck(_))) => break,
            Ok(_) => {}
            Err(error) => return Err(error.to_string()),
        }
    }
    if client.try_disconnect().is_ok() {
        let farewell = async { while event_loop.poll().await.is_ok() {} };
        let _ended = tokio::time::timeout(FAREWELL, farewell).await;
    }
    Ok("acknowledged".to_owned())
}

fn options(target: &MqttTarget, key: &str) -> Result<MqttOptions, String> {
    let url =
        Url::parse(target.url.reveal()).map_err(|error| format!("the broker's url is no URL: {error}"))?;
    let tls = url.scheme() == "mqtts";
    let host = url.host_str().ok_or("the broker's url names no host")?;
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let port = url.port().unwrap_or(if tls { 8883 } else { 1883 });
    // Each message has a connection of its own, and a broker knows one connection by a name.
    let mut options = MqttOptions::new(format!("forewarn-{}", fingerprint(key.as_bytes())), (host, port));
    options.set_keep_alive(30);
    if !url.username().is_empty() {
        options.set_credentials(decoded(url.username())?, decoded(url.password().unwrap_or_default())?);
    }
    if tls {
        let transport = Transport::try_tls_with_default_config();
        options.set_transport(transport.map_err(|error| format!("TLS cannot be set up: {error}"))?);
    }
    Ok(options)
}

fn decoded(text: &str) -> Result<String, String> {
    let error = || "the user or password in the broker's url is not percent-encoded UTF-8".to_owned();
    decode_user_part(text).ok_or_else(error)
}
