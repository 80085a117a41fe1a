//! Readings over MQTT, with Debian's mosquitto as the broker and the publishers that people use, while the
//! server is killed.
//!
//! A gate stands between the server and the broker. While it is closed the broker hears nothing of the
//! server's acknowledgements, as when a connection breaks just then: so it is certain, and not a matter of
//! luck, that stored messages are delivered again.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use forewarn_tests::peers;
use forewarn_tests::plant::{self, History, Manner, RULE_COUNT, RULES, Reading};
use forewarn_tests::random::Random;
use forewarn_tests::site::{Server, Site, eventually};
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, ChildStdin, Command};

const SEED: u64 = 17;
const ASSETS: usize = 10;
const READINGS: usize = 50_000;
/// The publisher gets the readings in parts; in each the server is killed.
const PARTS: usize = 8;
/// Messages that mosquitto sends before it waits for an acknowledgement, as it comes.
const IN_FLIGHT: u64 = 20;
/// Length of a PUBACK on the wire.
const PUBACK_BYTES: u64 = 4;

/// A broker of its own, on a port of its own. It ends with the test.
struct Broker {
    port: u16,
    _process: Child,
    _folder: TempDir,
}

impl Broker {
    /// `None` where mosquitto is not installed.
    async fn start() -> Option<Self> {
        let program = peers::program("mosquitto")?;
        let folder = TempDir::new().expect("a folder for the broker");
        let port = TcpListener::bind("127.0.0.1:0")
            .await
            .and_then(|socket| socket.local_addr())
            .expect("a free port")
            .port();
        let path = folder.path().display();
        let settings = format!(
            "listener {port} 127.0.0.1\nallow_anonymous true\nuser root\npersistence true\n\
             persistence_location {path}/\nmax_queued_messages 0\n"
        );
        let file = folder.path().join("mosquitto.conf");
        std::fs::write(&file, settings).expect("the broker's settings");
        let mut command = Command::new(program);
        command
            .arg("-c")
            .arg(file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        let process = command.spawn().expect("the broker starts");
        eventually("the broker", async || TcpStream::connect(("127.0.0.1", port)).await.is_ok()).await;
        Some(Self { port, _process: process, _folder: folder })
    }

    /// Publishes one message with mosquitto's own client.
    async fn publish(&self, topic: &str, payload: &str) {
        let program = peers::program("mosquitto_pub").expect("it is installed where mosquitto is");
        let arguments =
            ["-h", "127.0.0.1", "-p", &self.port.to_string(), "-q", "1", "-t", topic, "-m", payload];
        let status = Command::new(program).args(arguments).status().await.expect("mosquitto_pub starts");
        assert!(status.success());
    }
}

/// Passes a server's connection on to the broker, and keeps the server's words to itself while it is closed.
struct Gate {
    port: u16,
    state: Arc<GateState>,
}

#[derive(Default)]
struct GateState {
    closed: AtomicBool,
    /// Bytes the broker has not been given since the gate was closed.
    withheld: AtomicU64,
}

impl Gate {
    async fn before(broker: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let state = Arc::new(GateState::default());
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((server, _)) = listener.accept().await {
                let (from_server, mut to_server) = server.into_split();
                let Ok(broker) = TcpStream::connect(("127.0.0.1", broker)).await else { continue };
                let (mut from_broker, to_broker) = broker.into_split();
                let state = Arc::clone(&shared);
                tokio::spawn(async move {
                    // Whichever side ends, both connections do.
                    tokio::select! {
                        _ = tokio::io::copy(&mut from_broker, &mut to_server) => {}
                        () = pass(from_server, to_broker, &state) => {}
                    }
                });
            }
        });
        Self { port, state }
    }

    fn close(&self) {
        self.state.withheld.store(0, Ordering::SeqCst);
        self.state.closed.store(true, Ordering::SeqCst);
    }

    /// Lets later connections through. One that has met a closed gate stays cut off: the broker must not hear
    /// the end of a sentence without its beginning.
    fn open(&self) {
        self.state.closed.store(false, Ordering::SeqCst);
    }

    fn withheld(&self) -> u64 {
        self.state.withheld.load(Ordering::SeqCst)
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, gate: &GateState) {
    let mut buffer = vec![0; 4096];
    let mut cut_off = false;
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        cut_off |= gate.closed.load(Ordering::SeqCst);
        if cut_off {
            gate.withheld.fetch_add(length as u64, Ordering::SeqCst);
        } else if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}

/// A publisher that takes messages, one a line, and publishes them in order with QoS 1.
struct Publisher {
    process: Child,
    input: ChildStdin,
}

impl Publisher {
    /// `None` where there is no Python with `paho-mqtt`.
    fn start(broker: &Broker) -> Option<Self> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/mqtt_publish.py");
        let mut command = Command::new(peers::python()?);
        command
            .arg(script)
            .arg(broker.port.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        let mut process = command.spawn().expect("Python starts");
        let input = process.stdin.take().expect("its input is piped");
        Some(Self { process, input })
    }

    async fn publish(&mut self, readings: &[Reading]) {
        let message = |reading: &Reading| {
            let payload = json!({ "v": reading.value, "t": reading.time_ms, "q": reading.quality() });
            format!("{}/{} {payload}\n", reading.asset_path(), reading.signal)
        };
        let messages: String = readings.iter().map(message).collect();
        self.input.write_all(messages.as_bytes()).await.expect("the publisher reads");
        self.input.flush().await.expect("the publisher reads");
    }

    /// How many messages the broker has acknowledged, once that is all of them.
    async fn finish(self) -> usize {
        drop(self.input);
        let output = self.process.wait_with_output().await.expect("the publisher ends");
        assert!(output.status.success(), "the publisher failed");
        String::from_utf8_lossy(&output.stdout).trim().parse().expect("a count")
    }
}

/// What ten pumps send, as one stream.
fn readings() -> Vec<Reading> {
    let mut senders: Vec<_> = (0..ASSETS)
        .map(|asset| plant::readings(SEED, asset, READINGS / ASSETS, Manner::Orderly).into_iter())
        .collect();
    let mut all = Vec::with_capacity(READINGS);
    while all.len() < READINGS {
        all.extend(senders.iter_mut().filter_map(Iterator::next));
    }
    all.truncate(READINGS);
    all
}

/// Publishes the probe of that number until it is stored. One that has been stored shows that the
/// subscription stands; and since the broker delivers in order, that all before it has been delivered.
async fn arrives(server: &Server, broker: &Broker, number: i64) {
    let payload = json!({ "v": 1.0, "t": 946_684_800_000 + number * 1_000 }).to_string();
    let query = format!(
        "SELECT count(*) AS n FROM readings WHERE asset = 'probe/a/b' AND time = \
         '2000-01-01T00:00:0{number}Z'"
    );
    let stored = async || {
        broker.publish("probe/a/b/temperature", &payload).await;
        server.count(&query).await == 1
    };
    eventually("a probe to be stored", stored).await;
}

/// The history of a server that is sent the readings by HTTP and left in peace.
async fn over_http(readings: &[Reading]) -> History {
    let site = Site::new();
    site.pipeline(&format!("pipeline: plant\n{RULES}"));
    let server = site.start().await;
    for part in readings.chunks(5_000) {
        let (status, answer) =
            server.send("/v1/readings", part.iter().map(Reading::json).collect::<String>()).await;
        assert_eq!((status, answer["accepted"].as_u64()), (200, Some(part.len() as u64)), "{answer}");
    }
    History::of(&server).await
}

/// How the server of one part is killed.
enum Kill {
    /// Once so many readings are stored, and a moment later.
    After(u64, Duration),
    /// Once it has acknowledged all that the broker sends without an answer, and the broker has heard none of
    /// it.
    Unheard,
}

/// Sends the readings through the broker, and kills the server once in each part of them. The last server
/// comes back.
async fn send_and_kill(
    site: &Site,
    mut server: Server,
    gate: &Gate,
    publisher: &mut Publisher,
    readings: &[Reading],
) -> Server {
    let mut random = Random::new(SEED);
    let part = readings.len() / PARTS;
    for (number, readings) in readings.chunks(part).enumerate() {
        let before = (number * part) as u64;
        let kill = if number % 2 == 0 {
            Kill::After(
                before + 1 + random.below(part as u64 / 2),
                Duration::from_micros(random.below(20_000)),
            )
        } else {
            gate.close();
            Kill::Unheard
        };
        publisher.publish(readings).await;
        match kill {
            Kill::After(count, moment) => {
                eventually("readings to be stored", async || stored(&server).await >= count).await;
                // The moment of the kill, not a wait for anything: it may meet the server in whatever it does
                // with a message.
                tokio::time::sleep(moment).await;
            }
            Kill::Unheard => {
                eventually("acknowledgements", async || gate.withheld() >= IN_FLIGHT * PUBACK_BYTES).await;
            }
        }
        server.kill().await;
        gate.open();
        server = site.start().await;
        if number % 2 == 1 {
            let repeated = async || server.metric("forewarn_readings_duplicate_total").await >= IN_FLIGHT;
            eventually("stored readings to be delivered again and counted as duplicates", repeated).await;
        }
    }
    server
}

async fn stored(server: &Server) -> u64 {
    server.count("SELECT count(*) AS n FROM readings WHERE asset LIKE 'plant1/%'").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_neither_lose_nor_repeat_what_paho_publishes() {
    let Some(broker) = Broker::start().await else { return };
    let Some(mut publisher) = Publisher::start(&broker) else { return };
    let gate = Gate::before(broker.port).await;
    let mut site = Site::new();
    site.settings =
        "branch: { commit_rows: 5000, commit_every: 1s }\nlog: { segment_bytes: 256KB }\n".to_owned();
    let source = format!(
        "sources:\n  - mqtt: {{ url: \"mqtt://127.0.0.1:{}\", topic: \"+/+/+/+\", asset: \
         \"{{1}}/{{2}}/{{3}}\", signal: \"{{4}}\", \
         payload: json, value: $.v, time: $.t, quality: $.q }}\n",
        gate.port
    );
    site.pipeline(&format!("pipeline: plant\n{source}{RULES}"));
    let server = site.start().await;
    // From here on the broker keeps for this subscription whatever it cannot deliver.
    arrives(&server, &broker, 1).await;

    let readings = readings();
    let server = send_and_kill(&site, server, &gate, &mut publisher, &readings).await;
    assert_eq!(publisher.finish().await, READINGS);
    arrives(&server, &broker, 2).await;

    let expected = plant::stored([&readings[..]])[0];
    assert_eq!((stored(&server).await, expected.count), (READINGS as u64, READINGS as u64));
    let different = "SELECT count(*) AS n FROM (SELECT DISTINCT asset, signal, time FROM readings WHERE \
        asset LIKE 'plant1/%') AS different";
    assert_eq!(server.count(different).await, READINGS as u64);
    let total =
        &server.sql("SELECT sum(value) AS total FROM readings WHERE asset LIKE 'plant1/%'").await[0][0];
    assert_eq!(total.as_f64(), Some(expected.sum));

    let calm = over_http(&readings).await;
    assert_eq!(calm.transitions_by_rule().len(), RULE_COUNT, "a rule that never speaks proves nothing");
    let calm = calm.rule_by_rule_without("hot-and-shaking");
    History::of(&server).await.rule_by_rule_without("hot-and-shaking").assert_same(&calm);
    println!(
        "{PARTS} kills, {} readings, {} transitions: {:?}",
        calm.readings.len(),
        calm.transitions.len(),
        calm.transitions_by_rule()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn single_readings_of_mosquitto_pub_arrive_as_json_and_as_bare_numbers() {
    let Some(broker) = Broker::start().await else { return };
    let site = Site::new();
    let url = format!("mqtt://127.0.0.1:{}", broker.port);
    site.pipeline(&format!(
        "pipeline: plant\nsources:\n  \
         - mqtt: {{ url: \"{url}\", client_id: one, topic: \"json/+/#\", asset: \"json/{{1}}\", signal: \
         \"{{2}}\", payload: json, value: $.v, time: $.t }}\n  \
         - mqtt: {{ url: \"{url}\", client_id: two, topic: \"bare/+\", asset: bare, signal: \"{{1}}\", \
         payload: number }}\n"
    ));
    let server = site.start().await;
    let there = async |asset: &str| {
        server.count(&format!("SELECT count(*) AS n FROM readings WHERE asset = '{asset}'")).await > 0
    };
    // Until both subscriptions stand the broker keeps no messages.
    let subscribed = async || {
        broker.publish("json/probe/temperature", r#"{"v":1,"t":946684801000}"#).await;
        broker.publish("bare/probe", "1").await;
        there("json/probe").await && there("bare").await
    };
    eventually("both subscriptions", subscribed).await;

    broker.publish("json/pump7/temperature", r#"{"v":91.25,"t":"2026-01-01T00:00:00Z"}"#).await;
    broker.publish("bare/vibration", " 4.5\n").await;
    eventually("both readings", async || {
        let query = "SELECT count(*) AS n FROM readings WHERE signal = 'vibration' OR asset = 'json/pump7'";
        server.count(query).await == 2
    })
    .await;
    let rows = server
        .sql("SELECT asset, signal, time, value, quality FROM readings WHERE asset = 'json/pump7'")
        .await;
    assert_eq!(
        rows,
        [[
            json!("json/pump7"),
            json!("temperature"),
            json!("2026-01-01T00:00:00Z"),
            json!(91.25),
            json!("good")
        ]]
    );
    let rows = server
        .sql("SELECT asset, value, time = arrived AS stamped FROM readings WHERE signal = 'vibration'")
        .await;
    assert_eq!(rows, [[json!("bare"), json!(4.5), json!(true)]]);
}
