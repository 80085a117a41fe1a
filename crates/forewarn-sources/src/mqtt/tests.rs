//! Against a real broker: nothing is acknowledged before it is durable, and nothing is lost or taken in
//! twice.

use std::process::Stdio;
use std::sync::Arc;

use forewarn_ingest::{IngestError, Intake};
use forewarn_log::{Follower, LocalLog, Log, LogOptions, MemoryLog};
use forewarn_spec::{JsonPath, MqttTls};
use forewarn_types::{JournalError, Offset, Record};
use rumqttc::{Event, Outgoing, Packet, PublishOptions};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};

use super::*;
use crate::error::SourceError;
use crate::testing::{PATIENCE, Running, intake, readings};

const MOSQUITTO: &str = "/usr/sbin/mosquitto";

struct Broker {
    process: Child,
    _dir: TempDir,
    port: u16,
}

impl Broker {
    /// Starts a broker on a free port; `None` if it is not installed, which CI does not accept.
    async fn start() -> Option<Self> {
        // The listener that found the port must be gone before the broker takes it.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self::start_on(port).await
    }

    async fn start_on(port: u16) -> Option<Self> {
        if !std::path::Path::new(MOSQUITTO).exists() {
            assert!(std::env::var_os("CI").is_none(), "{MOSQUITTO} is missing: apt-get install mosquitto");
            println!("skipped: {MOSQUITTO} is not installed");
            return None;
        }
        let dir = TempDir::new().unwrap();
        let config = dir.path().join("mosquitto.conf");
        let text = format!(
            "listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n\
             max_queued_messages 0\nlog_dest stderr\n"
        );
        std::fs::write(&config, text).unwrap();
        let mut process = Command::new(MOSQUITTO)
            .arg("-c")
            .arg(&config)
            .stderr(Stdio::piped())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        while !lines.next_line().await.unwrap().expect("mosquitto did not start").ends_with("running") {}
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Some(Self { process, _dir: dir, port })
    }

    fn source(&self) -> MqttSource {
        MqttSource {
            url: format!("mqtt://127.0.0.1:{}", self.port).into(),
            client_id: "forewarn-test".into(),
            topic: "plant/+/+/+".into(),
            asset: "plant/{1}/{2}".into(),
            signal: "{3}".into(),
            payload: MqttPayload::Json {
                value: JsonPath(vec!["v".into()]),
                time: Some(JsonPath(vec!["t".into()])),
                quality: None,
            },
            qos: 1,
            tls: MqttTls::default(),
            max_packet_bytes: 1 << 20,
        }
    }

    /// Publishes at QoS 1 and returns once the broker has all messages.
    async fn publish(&self, messages: Vec<(String, String)>) {
        let (client, mut event_loop) = AsyncClient::builder(MqttOptions::new(
            "forewarn-test-sender",
            ("127.0.0.1".to_owned(), self.port),
        ))
        .unbounded()
        .build();
        let mut missing = messages.len();
        for (topic, payload) in messages {
            client.try_publish(topic, payload, PublishOptions::new(QoS::AtLeastOnce)).unwrap();
        }
        while missing > 0 {
            if let Event::Incoming(Packet::PubAck(_)) = event_loop.poll().await.unwrap() {
                missing -= 1;
            }
        }
        client.try_disconnect().unwrap();
        while !matches!(event_loop.poll().await, Ok(Event::Outgoing(Outgoing::Disconnect)) | Err(_)) {}
    }
}

fn message(number: usize) -> (String, String) {
    (
        format!("plant/line{}/pump{}/temp", number % 4, number % 10),
        format!(r#"{{"v":{number},"t":{}}}"#, 1_000 + number),
    )
}

fn run(broker: &Broker, intake: &Arc<Intake>) -> Running {
    Running::start(Mqtt::new(&broker.source()).unwrap(), intake)
}

async fn read_values(log: &Arc<LocalLog>, count: usize) -> Vec<f64> {
    let mut follower = Follower::new(Arc::clone(log) as Arc<dyn Log>, Offset(0));
    let mut values = Vec::new();
    while values.len() < count {
        for (_, record) in tokio::time::timeout(PATIENCE, follower.next(100)).await.unwrap().unwrap() {
            if let Record::Readings(batch) = &*record {
                values.extend(&batch.value);
            }
        }
    }
    values
}

#[tokio::test]
async fn two_thousand_messages_come_through_once_and_are_all_acknowledged() {
    let Some(broker) = Broker::start().await else { return };
    let dir = TempDir::new().unwrap();
    let log = LocalLog::open(LogOptions::new(dir.path())).unwrap();
    let intake = intake(Arc::clone(&log) as Arc<dyn Log>);

    let stage = run(&broker, &intake);
    stage.until(|status| status.connected).await;
    let mut messages: Vec<_> = (0..2_000).map(message).collect();
    messages.insert(700, ("plant/a/b/temp".into(), "no JSON".into()));
    messages.insert(900, ("plant/a//temp".into(), r#"{"v":1,"t":1}"#.into()));
    broker.publish(messages).await;
    stage.until(|status| status.acknowledged == 2_002).await;
    let status = stage.handle.status();
    assert_eq!((status.received, status.refused, status.connected), (2_002, 2, true), "{status:?}");
    assert_eq!((status.dead_letters, status.lag(), status.problem.as_deref()), (2, 0, None), "{status:?}");
    let dead = stage.handle.dead_letters();
    assert_eq!(
        dead.iter().map(|letter| letter.topic.as_str()).collect::<Vec<_>>(),
        ["plant/a//temp", "plant/a/b/temp"]
    );
    assert!(dead[1].reason.contains("not JSON") && dead[1].payload == "no JSON", "{dead:?}");
    assert_eq!(log.end(), log.watch().borrow().to_owned());
    stage.stop().await;

    // What arrives while the server is down waits at the broker; what was acknowledged does not come again.
    broker.publish((2_000..2_010).map(message).collect()).await;
    let stage = run(&broker, &intake);
    stage.until(|status| status.acknowledged == 10).await;
    assert_eq!(stage.handle.status().received, 10);
    stage.stop().await;

    let mut values = read_values(&log, 2_010).await;
    values.sort_by(f64::total_cmp);
    assert_eq!(values, (0..2_010).map(f64::from).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_meets_a_failed_log_is_not_acknowledged_and_comes_again() {
    let Some(broker) = Broker::start().await else { return };
    let log = Arc::new(MemoryLog::default());
    let intake = intake(Arc::clone(&log) as Arc<dyn Log>);
    log.set_failed(true);
    let stage = run(&broker, &intake);
    stage.until(|status| status.connected).await;
    broker.publish((0..5).map(message).collect()).await;
    let ended = tokio::time::timeout(PATIENCE, stage.task).await.unwrap().unwrap();
    assert!(
        matches!(ended, Err(SourceError::Intake { source: IngestError::Log(JournalError::Stopped(_)), .. })),
        "{ended:?}"
    );
    assert_eq!(stage.handle.status().acknowledged, 0);

    log.set_failed(false);
    let stage = run(&broker, &intake);
    stage.until(|status| status.acknowledged == 5).await;
    stage.stop().await;
    assert_eq!(readings(&log), 5);
}

#[tokio::test]
async fn nothing_is_acknowledged_while_the_log_is_full() {
    let Some(broker) = Broker::start().await else { return };
    let log = Arc::new(MemoryLog::default());
    let intake = intake(Arc::clone(&log) as Arc<dyn Log>);
    log.set_room(0);
    let stage = run(&broker, &intake);
    stage.until(|status| status.connected).await;
    broker.publish((0..5).map(message).collect()).await;
    stage.until(|status| status.received == 5).await;
    assert_eq!(stage.handle.status().acknowledged, 0);
    stage.stop().await;
    assert_eq!(readings(&log), 0);

    let stage = run(&broker, &intake);
    stage.until(|status| status.received == 5).await;
    log.set_room(usize::MAX);
    stage.until(|status| status.acknowledged == 5).await;
    stage.stop().await;
    assert_eq!(readings(&log), 5);
}

#[tokio::test]
async fn a_broker_that_forgot_the_session_is_subscribed_to_again() {
    let Some(mut broker) = Broker::start().await else { return };
    let log = Arc::new(MemoryLog::default());
    log.hold();
    let intake = intake(Arc::clone(&log) as Arc<dyn Log>);
    let stage = run(&broker, &intake);
    stage.until(|status| status.connected).await;
    broker.publish((0..5).map(message).collect()).await;
    stage.until(|status| status.received == 5).await;
    broker.process.kill().await.unwrap();
    stage.until(|status| status.failures > 0).await;

    // The new broker knows no session, so it gives the same packet numbers to other messages: the five
    // acknowledgements that become due now must not reach it.
    let broker = Broker::start_on(broker.port).await.unwrap();
    stage.until(|status| status.connected).await;
    log.release();
    broker.publish((5..10).map(message).collect()).await;
    stage.until(|status| status.received == 10).await;
    log.release_for_good();
    stage.until(|status| status.acknowledged == 5).await;
    assert_eq!(stage.handle.status().acknowledged, 5);
    stage.stop().await;
    assert_eq!(readings(&log), 10);
}

/// A packet's first byte, and the rest of it; those of this test are shorter than 128 bytes.
async fn read_packet(stream: &mut tokio::net::TcpStream) -> (u8, Vec<u8>) {
    let kind = stream.read_u8().await.unwrap();
    let mut body = vec![0; usize::from(stream.read_u8().await.unwrap())];
    stream.read_exact(&mut body).await.unwrap();
    (kind, body)
}

#[tokio::test]
async fn a_subscription_that_was_refused_is_tried_again_also_in_a_session_that_the_broker_kept() {
    const CONNECT: u8 = 0x10;
    const SUBSCRIBE: u8 = 0x82;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let intake = intake(Arc::new(MemoryLog::default()));
    let source = MqttSource {
        url: format!("mqtt://{}", listener.local_addr().unwrap()).into(),
        client_id: "forewarn-test".into(),
        topic: "plant/+/+/+".into(),
        asset: "plant/{1}/{2}".into(),
        signal: "{3}".into(),
        payload: MqttPayload::Number,
        qos: 1,
        tls: MqttTls::default(),
        max_packet_bytes: 1 << 20,
    };
    let stage = Running::start(Mqtt::new(&source).unwrap(), &intake);
    for (session_present, answer) in [(0, 0x80), (1, 1)] {
        let (mut stream, _) = tokio::time::timeout(PATIENCE, listener.accept()).await.unwrap().unwrap();
        assert_eq!(read_packet(&mut stream).await.0, CONNECT);
        stream.write_all(&[0x20, 2, session_present, 0]).await.unwrap();
        let (kind, subscribe) = tokio::time::timeout(PATIENCE, read_packet(&mut stream)).await.unwrap();
        assert_eq!(kind, SUBSCRIBE);
        stream.write_all(&[0x90, 3, subscribe[0], subscribe[1], answer]).await.unwrap();
        if answer == 1 {
            stage.until(|status| status.connected).await;
        } else {
            let refused = |problem: &String| problem.contains("refuses the subscription to plant/+/+/+");
            stage.until(|status| status.problem.as_ref().is_some_and(refused)).await;
        }
    }
    stage.task.abort();
}

#[tokio::test]
async fn a_failed_log_ends_the_stage() {
    let Some(broker) = Broker::start().await else { return };
    let dir = TempDir::new().unwrap();
    let log = LocalLog::open(LogOptions::new(dir.path())).unwrap();
    let stage = run(&broker, &intake(Arc::clone(&log) as Arc<dyn Log>));
    stage.until(|status| status.connected).await;
    log.close().unwrap();
    broker.publish(vec![message(1)]).await;
    let outcome = tokio::time::timeout(PATIENCE, stage.task).await.unwrap().unwrap();
    assert!(matches!(outcome, Err(SourceError::Intake { .. })), "{outcome:?}");
    assert_eq!(stage.handle.status().acknowledged, 0);
}

#[test]
fn a_source_that_cannot_work_is_explained() {
    let build = |change: fn(&mut MqttSource)| {
        let mut source = MqttSource {
            url: "mqtts://us%40er:p%25@[::1]".into(),
            client_id: "c".into(),
            topic: "a/+".into(),
            asset: "{1}".into(),
            signal: "v".into(),
            payload: MqttPayload::Number,
            qos: 0,
            tls: MqttTls::default(),
            max_packet_bytes: 1 << 20,
        };
        change(&mut source);
        Mqtt::new(&source).map(|source| source.options)
    };
    let options = build(|source| source.url = source.url.reveal().replace("mqtts", "mqtt").into()).unwrap();
    assert_eq!(options.broker().tcp_address(), Some(("::1", 1883)));
    assert_eq!(
        options.auth(),
        &rumqttc::ConnectAuth::UsernamePassword { username: "us@er".into(), password: "p%".into() }
    );
    for (change, expected) in [
        ((|source| source.url = "broker:1883".into()) as fn(&mut MqttSource), "write mqtt://host:1883"),
        (|source| source.url = "http://broker".into(), "has the scheme http"),
        (|source| source.url = "mqtt://a%zz@broker".into(), "percent-encoded"),
        (|source| source.client_id = String::new(), "client_id is empty"),
        (|source| source.signal = "{2}".into(), "has 1 wildcard levels"),
    ] {
        let error = build(change).map(drop).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
}
