//! The clients that a plant already has: Telegraf, InfluxDB's own client, and curl on the stream of alerts.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use forewarn_tests::peers;
use forewarn_tests::readings::{gzip, reading};
use forewarn_tests::site::{Server, Site};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

const PATIENCE: Duration = Duration::from_mins(1);

/// What Telegraf sends in one flush of three inputs, with three lines that cannot become readings.
const TELEGRAF: &str = "\
cpu,cpu=cpu-total,host=edge1 usage_idle=98.25,usage_user=1.5 1767225600000000000
modbus,host=edge1,name=pump7 temperature=91.5,running=true,starts=12i 1767225600000000000
modbus,host=edge1,name=pump7 temperature= 1767225610000000000
disk,host=edge1,path=/ used_percent=41.75 1767225600000000000
modbus,host=edge1,name=pump8 temperature=88.5 not-a-time
this is no line protocol
modbus,host=edge1,name=pump7 temperature=92.5 1767225620000000000
";

#[tokio::test]
async fn a_gzip_body_of_telegraf_keeps_the_good_lines_and_names_the_bad_ones() {
    let site = Site::new();
    let server = site.start().await;
    let request = server
        .http()
        .post(format!("{}/api/v2/write?org=plant1&bucket=forewarn&precision=ns", server.url))
        .header("content-encoding", "gzip")
        .header("content-type", "text/plain; charset=utf-8")
        .header("user-agent", "Telegraf/1.30.0")
        .body(gzip(TELEGRAF.as_bytes()));
    let response = request.send().await.expect("an answer");
    assert_eq!(response.status(), 400);
    let answer: Value = response.json().await.expect("JSON");
    let mut lines: Vec<u64> = answer["rejected"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|line| line["line"].as_u64())
        .collect();
    // A line with several faults is named once for each.
    lines.dedup();
    assert_eq!((lines.as_slice(), &answer["code"]), (&[3, 5, 6][..], &json!("invalid")), "{answer}");
    let message = answer["message"].as_str().expect("a message");
    assert!(
        message.contains("7 accepted") && message.contains("line 5: timestamp \"not-a-time\""),
        "{message}"
    );
    let stored =
        server.sql("SELECT asset, signal, time, value FROM readings ORDER BY asset, signal, time").await;
    let (first, last) = ("2026-01-01T00:00:00Z", "2026-01-01T00:00:20Z");
    let expected = [
        json!(["cpu-total/edge1", "cpu_usage_idle", first, 98.25]),
        json!(["cpu-total/edge1", "cpu_usage_user", first, 1.5]),
        json!(["edge1/_", "disk_used_percent", first, 41.75]),
        json!(["edge1/pump7", "modbus_running", first, 1.0]),
        json!(["edge1/pump7", "modbus_starts", first, 12.0]),
        json!(["edge1/pump7", "modbus_temperature", first, 91.5]),
        json!(["edge1/pump7", "modbus_temperature", last, 92.5]),
    ];
    assert_eq!(stored.into_iter().map(Value::from).collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn the_influxdb_client_of_python_writes_and_is_told_what_was_refused() {
    let site = Site::new();
    let server = site.start().await;
    let Some(told) = peers::script("influx_write.py", &server.url).await else { return };
    assert_eq!((&told["reachable"], &told["failed"]), (&json!(true), &json!([])), "{told}");
    assert_eq!(told["refused"]["status"], 400, "{told}");
    let body = &told["refused"]["body"];
    assert_eq!((&body["accepted"], &body["rejected"][0]["line"]), (&json!(2), &json!(2)), "{told}");
    let rows = server
        .sql(
            "SELECT asset, signal, count(*), sum(value) FROM readings GROUP BY asset, signal \
             ORDER BY asset, signal",
        )
        .await;
    let expected = [
        json!(["plant1/at-once", "pump_running", 500, 250.0]),
        json!(["plant1/at-once", "pump_starts", 500, 124_750.0]),
        json!(["plant1/at-once", "pump_temperature", 500, 22_250.0]),
        json!(["plant1/in-batches", "pump_running", 1500, 750.0]),
        json!(["plant1/in-batches", "pump_starts", 1500, 1_124_250.0]),
        json!(["plant1/in-batches", "pump_temperature", 1500, 66_750.0]),
        json!(["plant1/mixed", "pump_temperature", 2, 44.0]),
    ];
    assert_eq!(rows.into_iter().map(Value::from).collect::<Vec<_>>(), expected);
}

const HOT: &str = "\
pipeline: heat
signals:
  - { name: temperature, assets: \"plant1/**\" }
rules:
  - { name: hot, assets: \"plant1/**\", when: \"temperature > 90.0\", severity: major }
";

/// `curl -N` on the stream of alerts. It is killed when this is dropped.
struct Curl {
    lines: Lines<BufReader<ChildStdout>>,
    _process: Child,
}

/// An event of the stream.
#[derive(Debug, Clone, PartialEq)]
struct Event {
    id: u64,
    asset: String,
    transition: String,
}

impl Curl {
    /// Connects; comes back once the server has answered.
    async fn connect(curl: &Path, server: &Server, last_event: Option<u64>) -> Self {
        let mut command = Command::new(curl);
        command.args(["-N", "-s", "-S", "-f"]).stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        if let Some(id) = last_event {
            command.args(["-H", &format!("Last-Event-ID: {id}")]);
        }
        let mut process =
            command.arg(format!("{}/v1/alerts/stream", server.url)).spawn().expect("curl starts");
        let lines = BufReader::new(process.stdout.take().expect("its output is piped")).lines();
        let mut curl = Self { lines, _process: process };
        let greeting = curl.line().await;
        assert!(greeting.starts_with(':') || greeting.starts_with("retry"), "{greeting}");
        curl
    }

    async fn line(&mut self) -> String {
        let line = tokio::time::timeout(PATIENCE, self.lines.next_line()).await.expect("the stream goes on");
        line.expect("text").expect("the stream has not ended")
    }

    async fn event(&mut self) -> Event {
        let (mut id, mut name, mut data) = (None, None, None);
        loop {
            let line = self.line().await;
            match line.split_once(':').map(|(field, value)| (field, value.trim_start())) {
                Some(("id", value)) => id = value.parse().ok(),
                Some(("event", value)) => name = Some(value.to_owned()),
                Some(("data", value)) => {
                    data = Some(serde_json::from_str::<Value>(value).expect("the data is JSON"));
                }
                None if data.is_some() => break,
                // Comments keep the connection alive.
                _ => {}
            }
        }
        assert_eq!(name.as_deref(), Some("alert"));
        let data = data.unwrap_or_default();
        let text = |key: &str| data[key].as_str().unwrap_or_default().to_owned();
        Event { id: id.expect("an id"), asset: text("asset"), transition: text("transition") }
    }
}

async fn measure(server: &Server, pump: usize, second: usize, temperature: f64) {
    let time = format!("2026-01-01T00:00:{second:02}Z");
    let reading = reading(format!("plant1/pump{pump}"), "temperature", time, temperature);
    assert_eq!(server.post("/v1/readings", &reading).await["accepted"], 1);
}

async fn events(curl: &mut Curl, count: usize) -> Vec<Event> {
    let mut events = Vec::new();
    for _ in 0..count {
        events.push(curl.event().await);
    }
    events
}

fn told(events: &[Event]) -> Vec<(&str, &str)> {
    events.iter().map(|event| (event.asset.as_str(), event.transition.as_str())).collect()
}

#[tokio::test]
async fn curl_on_the_alert_stream_resumes_without_loss_or_repetition() {
    let Some(curl) = peers::program("curl") else { return };
    let site = Site::new();
    site.pipeline(HOT);
    let server = site.start().await;
    measure(&server, 0, 0, 95.0).await;
    assert_eq!(server.alerts("").await.len(), 1);

    // Without an id the stream begins at the present: the alert of pump 0 is past.
    let mut first = Curl::connect(&curl, &server, None).await;
    measure(&server, 1, 1, 95.0).await;
    measure(&server, 1, 2, 80.0).await;
    let mut seen = events(&mut first, 2).await;
    assert_eq!(told(&seen), [("plant1/pump1", "raised"), ("plant1/pump1", "returned")]);
    drop(first);

    measure(&server, 2, 3, 95.0).await;
    measure(&server, 3, 4, 95.0).await;
    assert_eq!(server.alerts("").await.len(), 4);
    let mut second = Curl::connect(&curl, &server, Some(seen[1].id)).await;
    measure(&server, 4, 5, 95.0).await;
    seen.extend(events(&mut second, 3).await);
    assert_eq!(
        told(&seen[2..]),
        [("plant1/pump2", "raised"), ("plant1/pump3", "raised"), ("plant1/pump4", "raised")]
    );
    drop(second);

    // Ids are the log's, so they outlive the server.
    server.kill().await;
    let server = site.start().await;
    let mut third = Curl::connect(&curl, &server, Some(seen[3].id)).await;
    measure(&server, 5, 6, 95.0).await;
    let again = events(&mut third, 2).await;
    assert_eq!((&again[0], again[1].asset.as_str()), (&seen[4], "plant1/pump5"));
    seen.push(again[1].clone());

    let stored = server.sql("SELECT \"offset\" FROM alert_events ORDER BY \"offset\"").await;
    let stored: Vec<u64> = stored.iter().filter_map(|row| row[0].as_u64()).skip(1).collect();
    assert_eq!(
        seen.iter().map(|event| event.id).collect::<Vec<_>>(),
        stored,
        "every transition behind the first, each once"
    );
}
