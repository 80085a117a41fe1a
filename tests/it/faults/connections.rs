//! Clients that open connections and do not use them, send slowly, pack much into little, or read nothing:
//! readings and alerts of the others get through, and the server's memory stays bounded.

use std::sync::Arc;

use forewarn_tests::raw;
use forewarn_tests::readings::{gzip, reading};
use forewarn_tests::site::{Server, Site, eventually};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

const FIRST_MS: u64 = 1_767_225_600_000;
const MIB: u64 = 1 << 20;

/// What a plant's own sender and health check see.
async fn check_works(server: &Server, number: u64) {
    let one = reading("plant1/pump1", "temperature", FIRST_MS + number, 20.0);
    assert_eq!(server.post("/v1/readings", &one).await["accepted"], 1);
    assert_eq!(server.try_get("/healthz").await.0, 200);
}

async fn open(count: usize, connect: impl AsyncFn() -> TcpStream) -> Vec<TcpStream> {
    let mut all = Vec::with_capacity(count);
    for _ in 0..count {
        all.push(connect().await);
    }
    all
}

/// Rows for large answers, in one request.
async fn fill(server: &Server, rows: u64) {
    let line = |n: u64| {
        let text = reading(format!("plant1/pump{}", n % 50), "flow", FIRST_MS + n * 1_000, n as f64 / 8.0);
        format!("{text}\n")
    };
    for first in (0..rows).step_by(50_000) {
        let body: String = (first..rows.min(first + 50_000)).map(line).collect();
        let (status, answer) = server.send("/v1/readings", body).await;
        assert_eq!(status, 200, "{answer}");
    }
}

#[tokio::test]
async fn idle_connections_beyond_all_descriptors_keep_no_reading_out() {
    const IDLE: usize = 1_100;
    raw::allow_files(4_096);
    let mut site = Site::new();
    // A new segment is begun, and so a file opened, every few readings.
    site.settings = "log: { segment_bytes: 4KB }\n".to_owned();
    site.open_files = Some(1_024);
    let server = site.start().await;
    let idle = open(IDLE, async || raw::connect(&server).await).await;
    for number in 0..200 {
        check_works(&server, number).await;
    }
    assert_eq!(server.count("SELECT count(*) FROM readings").await, 200);
    assert_eq!(server.metric("forewarn_log_failed").await, 0);
    let open = server.metric("forewarn_http_connections").await;
    assert!(open <= 768, "{open} connections are open, and files are left for other work");
    assert!(server.metric("forewarn_http_connections_closed_total").await >= 300, "idle ones gave way");
    drop(idle);
    assert_eq!(server.try_get("/readyz").await.0, 200);
    assert!(server.stop().await.success());
}

#[tokio::test]
async fn heads_that_never_end_and_connections_without_a_request_are_closed() {
    let mut site = Site::new();
    site.settings = "connections: { header_timeout: 300ms, idle_timeout: 600ms }\n".to_owned();
    let server = site.start().await;
    let mut silent = raw::connect(&server).await;
    let mut slow = raw::send(&server, b"GET /healthz HTTP/1.1\r\nhost: local").await;
    let mut idle = raw::send(&server, &raw::get(&server, "/healthz")).await;
    assert_eq!(raw::status(&mut idle).await, Some(200));
    assert_eq!(raw::status(&mut silent).await, None);
    assert_eq!(raw::status(&mut slow).await, None);
    let mut rest = Vec::new();
    // It is told nothing more, and its end comes.
    tokio::io::AsyncReadExt::read_to_end(&mut idle, &mut rest).await.expect("an orderly end");
    check_works(&server, 0).await;
}

#[tokio::test]
async fn slow_senders_hold_up_nobody_and_are_cut_off() {
    const SLOW: usize = 64;
    let site = Site::new();
    let server = site.start().await;
    let announced = "POST /v1/readings HTTP/1.1\r\nhost: localhost\r\ncontent-length: 30000000\r\n\r\n{";
    let mut slow = open(SLOW, async || raw::send(&server, announced.as_bytes()).await).await;
    let chunked =
        "POST /v1/readings HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n1\r\n{\r\n";
    slow.extend(open(SLOW, async || raw::send(&server, chunked.as_bytes()).await).await);
    // Several MiB, which is more than any of the slow ones has sent.
    fill(&server, 50_000).await;
    check_works(&server, 0).await;
    for stream in &mut slow {
        assert_eq!(raw::status(stream).await, Some(408), "a byte and no more is too slow");
    }
}

#[tokio::test]
async fn bodies_that_unpack_to_a_thousand_times_their_size_fill_no_memory() {
    const BOMBS: usize = 300;
    let site = Site::new();
    let server = Arc::new(site.start().await);
    let bomb = gzip(&vec![b' '; 32 << 20]);
    assert!(bomb.len() < 40_000, "{} bytes", bomb.len());
    let mut sending = JoinSet::new();
    for number in 0..BOMBS {
        let path = if number % 2 == 0 { "/v1/readings" } else { "/api/v2/write" };
        let request = server.http().post(format!("{}{path}", server.url)).body(bomb.clone());
        let request = request.header("content-encoding", "gzip");
        sending.spawn(async move {
            let response = request.send().await.expect("an answer");
            let status = response.status().as_u16();
            (status, response.text().await.expect("a body"))
        });
    }
    let mut refused = 0;
    while let Some(answer) = sending.join_next().await {
        let (status, text) = answer.expect("no panic");
        assert!(matches!(status, 400 | 503), "{status} {text}");
        refused += u64::from(status == 400 && text.contains("100 times its size"));
    }
    assert!(refused > 0, "some were unpacked as far as is allowed");
    let peak = server.peak_memory_bytes() / MIB;
    println!("peak memory after {BOMBS} packed bodies: {peak} MiB; {refused} were looked into");
    assert!(peak < 1_024, "{peak} MiB");
    // What repeats itself as readings do is taken.
    let lines: Vec<String> =
        (0..20_000).map(|n| reading("plant1/pump1", "flow", FIRST_MS + n, 1.5).to_string()).collect();
    let lines = lines.join("\n");
    let request = server.http().post(format!("{}/v1/readings", server.url)).body(gzip(lines.as_bytes()));
    let answer: Value = {
        let response = request.header("content-encoding", "gzip").send().await.expect("an answer");
        response.json().await.expect("JSON")
    };
    assert_eq!(answer["accepted"], 20_000, "{answer}");
}

#[tokio::test]
async fn answers_that_are_not_read_fill_no_memory_and_are_cut_off() {
    const UNREAD: usize = 300;
    let mut site = Site::new();
    site.settings = "connections: { write_timeout: 2s }\n".to_owned();
    let server = site.start().await;
    fill(&server, 100_000).await;
    let before = server.memory_bytes() / MIB;
    let body = json!({ "query": "SELECT * FROM readings" }).to_string();
    let query = raw::post(&server, "/v1/sql", "application/json", &body);
    let mut unread = open(UNREAD, async || raw::send(&server, &query).await).await;
    let history = raw::get(&server, "/v1/assets/plant1%2Fpump1/signals/flow/readings?max_points=100000");
    unread.extend(open(UNREAD, async || raw::send(&server, &history).await).await);
    for number in 0..20 {
        check_works(&server, number).await;
    }
    eventually("unread answers are cut off", async || {
        server.metric("forewarn_http_connections_cut_total").await >= 10
    })
    .await;
    let peak = server.peak_memory_bytes() / MIB;
    println!("memory before: {before} MiB, peak with {} unread answers: {peak} MiB", 2 * UNREAD);
    assert!(peak < 1_536, "{peak} MiB");
    drop(unread);
    eventually("others are answered again", async || {
        server.send("/v1/sql", json!({ "query": "SELECT 1" }).to_string()).await.0 == 200
    })
    .await;
}

#[tokio::test]
async fn asking_whether_the_server_is_ready_changes_next_to_nothing() {
    let site = Site::new();
    let server = Arc::new(site.start().await);
    let before = server.metric("forewarn_log_end_offset").await;
    let mut asking = JoinSet::new();
    for _ in 0..300 {
        let server = Arc::clone(&server);
        asking.spawn(async move { server.try_get("/readyz").await.0 });
    }
    while let Some(status) = asking.join_next().await {
        assert_eq!(status.expect("no panic"), 200);
    }
    let records = server.metric("forewarn_log_end_offset").await - before;
    assert!(records < 100, "300 questions made {records} records, the clock's among them");
}
