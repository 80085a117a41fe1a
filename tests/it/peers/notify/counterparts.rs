//! The programs that people have: a mail server, Prometheus' Alertmanager, an MQTT broker.

use std::process::Stdio;

use forewarn_tests::cli::{assert_says, done};
use forewarn_tests::heat::heat;
use forewarn_tests::hook::Hook;
use forewarn_tests::peers;
use forewarn_tests::site::{Server, Site, eventually};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, ChildStdout, Command};

use super::RULES;

async fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    listener.local_addr().expect("its address").port()
}

/// Starts a program whose output is read line by line. It is killed when this is dropped.
fn start(command: &mut Command) -> (Child, Lines<BufReader<ChildStdout>>) {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    let mut process = command.spawn().expect("the program starts");
    let lines = BufReader::new(process.stdout.take().expect("its output is piped")).lines();
    (process, lines)
}

async fn line(lines: &mut Lines<BufReader<ChildStdout>>) -> String {
    let patience = std::time::Duration::from_mins(2);
    let line = tokio::time::timeout(patience, lines.next_line()).await.expect("a line in time");
    line.expect("the output can be read").expect("the program goes on")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_email_arrives() {
    let Some(python) = peers::python() else { return };
    let port = free_port().await;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/mailbox.py");
    let (_mailbox, mut letters) = start(Command::new(python).arg(script).arg(port.to_string()));
    assert_eq!(line(&mut letters).await, "ready");
    let mut site = Site::new();
    site.settings = format!(
        "contacts: {{ ops: {{ email: \"Anna <anna@example.com>\" }} }}\n\
         channels: {{ smtp: {{ url: \"smtp://127.0.0.1:{port}\", from: forewarn@example.com }} }}\n"
    );
    site.pipeline(RULES);
    let server = site.start().await;
    heat(&server, "pump7", 95.5).await;
    let letter: Value = serde_json::from_str(&line(&mut letters).await).expect("JSON");
    assert_eq!(letter["subject"], "CRITICAL: hot on plant1/pump7");
    assert_eq!(
        (&letter["from"], &letter["to"]),
        (&json!("forewarn@example.com"), &json!(["anna@example.com"]))
    );
    for part in ["temperature 95.5 °C", "Reduce speed", "/v1/alerts/"] {
        for form in ["text", "html"] {
            let text = letter[form].as_str().expect("a text");
            assert!(text.contains(part), "{part} is missing in {form}:\n{text}");
        }
    }
}

struct Alertmanager {
    url: String,
    _process: Child,
    _folder: TempDir,
}

impl Alertmanager {
    async fn start() -> Option<Self> {
        let program = peers::program("prometheus-alertmanager")?;
        let folder = TempDir::new().expect("a folder");
        let (port, file) = (free_port().await, folder.path().join("alertmanager.yml"));
        std::fs::write(&file, "route: { receiver: none }\nreceivers: [ { name: none } ]\n")
            .expect("its settings");
        let mut command = Command::new(program);
        command
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.path={}", folder.path().display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg("--cluster.listen-address=")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        let process = command.spawn().expect("Alertmanager starts");
        eventually("Alertmanager", async || TcpStream::connect(("127.0.0.1", port)).await.is_ok()).await;
        Some(Self { url: format!("http://127.0.0.1:{port}"), _process: process, _folder: folder })
    }

    /// The assets of its active alerts.
    async fn active(&self, server: &Server) -> Vec<String> {
        let answer = server.http().get(format!("{}/api/v2/alerts?active=true", self.url)).send().await;
        let alerts: Value = match answer {
            Ok(answer) => answer.json().await.unwrap_or_default(),
            Err(_) => Value::Null,
        };
        let alerts = alerts.as_array().cloned().unwrap_or_default();
        let mut assets: Vec<String> = alerts
            .iter()
            .filter(|alert| alert["labels"]["alertname"] == "hot")
            .map(|alert| alert["labels"]["asset"].as_str().expect("a label").to_owned())
            .collect();
        assets.sort();
        assets
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn alertmanager_shows_what_is_active_and_what_is_over() {
    let Some(manager) = Alertmanager::start().await else { return };
    let mut site = Site::new();
    site.settings = format!("channels: {{ alertmanager: {{ url: \"{}\" }} }}\n", manager.url);
    site.pipeline(&RULES.replace("[ops]", "[alertmanager]").replace("tolerance: 2s, ", ""));
    let server = site.start().await;
    heat(&server, "pump7", 95.5).await;
    heat(&server, "pump8", 99.0).await;
    eventually("both are active", async || manager.active(&server).await == ["plant1/pump7", "plant1/pump8"])
        .await;
    heat(&server, "pump7", 50.0).await;
    eventually("one is over", async || manager.active(&server).await == ["plant1/pump8"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_reaches_an_mqtt_topic() {
    let (Some(broker), Some(subscribe)) = (peers::program("mosquitto"), peers::program("mosquitto_sub"))
    else {
        return;
    };
    let port = free_port().await;
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("mosquitto.conf");
    std::fs::write(&file, format!("listener {port} 127.0.0.1\nallow_anonymous true\nuser root\n"))
        .expect("its settings");
    let (_broker, _output) = start(Command::new(broker).arg("-c").arg(&file));
    eventually("the broker", async || TcpStream::connect(("127.0.0.1", port)).await.is_ok()).await;
    let arguments = ["-h", "127.0.0.1", "-p", &port.to_string(), "-q", "1", "-t", "alerts/#", "-F", "%t %p"];
    let (_subscriber, mut messages) = start(Command::new(subscribe).args(arguments));
    let mut site = Site::new();
    site.settings = format!(
        "contacts: {{ ops: {{ mqtt: {{ url: \"mqtt://127.0.0.1:{port}\", topic: alerts/plant1 }} }} }}\n"
    );
    site.pipeline(RULES);
    let server = site.start().await;
    // A subscriber tells nobody when it listens: tests go out until one arrives.
    let test = json!({ "to": "ops" });
    let arrives = async {
        loop {
            let sent = server.post("/v1/notifications/test", &test).await;
            assert_eq!(sent["results"][0]["delivered"], true, "{sent}");
            let short = std::time::Duration::from_millis(300);
            if let Ok(line) = tokio::time::timeout(short, messages.next_line()).await {
                break line.expect("the output can be read").expect("the subscriber goes on");
            }
        }
    };
    assert!(arrives.await.contains("This is a test"));
    heat(&server, "pump7", 95.5).await;
    let mut text = line(&mut messages).await;
    while text.contains("This is a test") {
        text = line(&mut messages).await;
    }
    let (topic, body) = text.split_once(' ').expect("a topic and a body");
    let body: Value = serde_json::from_str(body).expect("JSON");
    assert_eq!((topic, &body["alerts"][0]["asset"]), ("alerts/plant1", &json!("plant1/pump7")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_that_is_away_holds_up_no_other_and_is_named() {
    let hook = Hook::start().await;
    let mut site = Site::new();
    let nowhere = free_port().await;
    site.settings = format!(
        "contacts: {{ ops: {{ webhook: \"{}\" }}, away: {{ webhook: \"http://127.0.0.1:{nowhere}\" }} }}\n",
        hook.url
    );
    site.pipeline(&RULES.replace("[ops]", "[away, ops]").replace("tolerance: 2s, ", ""));
    let server = site.start().await;
    for number in 0..20 {
        heat(&server, &format!("pump{number}"), 95.5).await;
    }
    eventually("the other is told of all", async || hook.taken().len() >= 20).await;
    let contacts = server.get("/v1/contacts").await;
    let away = &contacts["contacts"][0];
    assert_eq!((&away["contact"], &away["pending"]), (&json!("away"), &json!(20)), "{contacts}");
    assert!(away["problem"].as_str().is_some_and(|text| text.contains("cannot connect")), "{contacts}");
    let ready = server.get("/readyz").await;
    let checks = ready["checks"].as_array().expect("checks");
    let check = checks.iter().find(|check| check["name"] == "notifications").expect("the check");
    assert!(check["detail"].as_str().is_some_and(|text| text.contains("away cannot be reached")), "{check}");

    // Why and what, by the command line.
    let alert = hook.taken()[0].alerts()[0].0.clone();
    assert_says(
        &done(&server, &["notify", "why", &alert]).await,
        &["sent as firing", "pending", "delivered"],
    );
    assert_says(&done(&server, &["notify", "contacts"]).await, &["away", "cannot connect"]);
    assert_says(&done(&server, &["notify", "test", "ops"]).await, &["ops", "webhook"]);
    let id =
        done(&server, &["silence", "add", "--asset", "plant1/**", "--duration", "8h", "--actor", "anna"])
            .await;
    assert_says(&done(&server, &["silence", "list"]).await, &["plant1/**", "anna"]);
    let before = hook.taken().len();
    heat(&server, "silent", 95.5).await;
    heat(&server, "pump0", 50.0).await;
    eventually("the end is told", async || hook.taken().len() > before).await;
    assert!(hook.taken()[before].text.contains("resolved"));
    done(&server, &["silence", "remove", id.trim()]).await;
    eventually("what was silenced is told", async || {
        hook.taken().iter().any(|request| request.text.contains("plant1/silent"))
    })
    .await;
}
