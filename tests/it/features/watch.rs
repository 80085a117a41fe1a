//! `forewarn alert watch`: alerts as they come, whatever becomes of the server meanwhile.

use std::process::Stdio;
use std::sync::{Arc, Mutex};

use forewarn_tests::cli::{PATIENCE, assert_says, done};
use forewarn_tests::heat::{HOT, heat, only_alert};
use forewarn_tests::site::{Server, Site, binary};
use serde_json::{Value, json};
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, BufReader, Lines};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};

/// `forewarn alert watch`. It is killed when this is dropped.
struct Watch {
    alerts: Lines<BufReader<ChildStdout>>,
    remarks: Lines<BufReader<ChildStderr>>,
    _process: Child,
}

impl Watch {
    /// Starts it and waits until it watches.
    async fn start(url: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(binary());
        command
            .args(["alert", "watch", "--server", url])
            .args(arguments)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let mut process =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
        let alerts = BufReader::new(process.stdout.take().expect("it is piped")).lines();
        let remarks = BufReader::new(process.stderr.take().expect("it is piped")).lines();
        let mut watch = Self { alerts, remarks, _process: process };
        assert_says(&line(&mut watch.remarks).await, &["watching"]);
        watch
    }
}

async fn line(lines: &mut Lines<impl AsyncBufRead + Unpin>) -> String {
    let line = tokio::time::timeout(PATIENCE, lines.next_line()).await.expect("a line in time");
    line.expect("its output can be read").expect("the watch goes on")
}

/// An address that stays while the server behind it moves to another.
struct Door {
    url: String,
    behind: Arc<Mutex<String>>,
}

impl Door {
    async fn open(server: &Server) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("its address"));
        let door = Self { url, behind: Arc::default() };
        door.lead_to(server);
        let behind = Arc::clone(&door.behind);
        tokio::spawn(async move {
            while let Ok((mut visitor, _)) = listener.accept().await {
                let address = behind.lock().expect("no thread panics with it").clone();
                tokio::spawn(async move {
                    // Where no server listens behind it, the visitor finds the door closed again.
                    if let Ok(mut server) = TcpStream::connect(address).await {
                        let _ = tokio::io::copy_bidirectional(&mut visitor, &mut server).await;
                    }
                });
            }
        });
        door
    }

    fn lead_to(&self, server: &Server) {
        server
            .url
            .trim_start_matches("http://")
            .clone_into(&mut self.behind.lock().expect("no thread panics with it"));
    }
}

#[tokio::test]
async fn a_watcher_sees_alerts_as_they_come_and_goes_on_after_a_restart_of_the_server() {
    let site = Site::new();
    site.pipeline(HOT);
    let server = site.start().await;
    let door = Door::open(&server).await;
    let mut watch = Watch::start(&door.url, &["--asset", "plant1/*"]).await;
    let mut watch_json = Watch::start(&server.url, &["--json"]).await;
    heat(&server, "pump7", 93.0).await;
    let id = only_alert(&server).await;
    assert_says(
        &line(&mut watch.alerts).await,
        &["raised", "critical", "plant1/pump7  hot  ", "temperature 93", &id],
    );
    let event: Value = serde_json::from_str(&line(&mut watch_json.alerts).await).expect("JSON");
    assert_eq!((&event["transition"], &event["id"]), (&json!("raised"), &json!(id)), "{event}");
    done(&server, &["alert", "ack", &id, "--actor", "anna", "-m", "on my way", "--reason", "true"]).await;
    assert_says(&line(&mut watch.alerts).await, &["acknowledged by anna (true): on my way"]);

    server.kill().await;
    assert_says(&line(&mut watch.remarks).await, &["cut off; connecting again"]);
    let server = site.start().await;
    // Whether this is raised before the watcher is back or after it, the watcher sees it, and nothing a
    // second time.
    heat(&server, "pump8", 99.0).await;
    door.lead_to(&server);
    assert_says(&line(&mut watch.alerts).await, &["raised", "plant1/pump8"]);
    assert_says(&line(&mut watch.remarks).await, &["connected again"]);
}

#[tokio::test]
async fn a_watcher_that_has_seen_nothing_yet_misses_nothing_either() {
    let site = Site::new();
    site.pipeline(HOT);
    let server = site.start().await;
    let door = Door::open(&server).await;
    let mut watch = Watch::start(&door.url, &[]).await;
    server.kill().await;
    assert_says(&line(&mut watch.remarks).await, &["cut off; connecting again"]);
    let server = site.start().await;
    heat(&server, "pump8", 99.0).await;
    // It is raised for certain while the watcher still stands before a closed door.
    let id = only_alert(&server).await;
    door.lead_to(&server);
    assert_says(&line(&mut watch.alerts).await, &["raised", "plant1/pump8", &id]);
}
