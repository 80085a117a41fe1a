//! Everything at once: connections that do nothing, streams and answers that nobody reads, and a flood of
//! names. A known sender's readings are acknowledged and raise their alert all the same, and the server is
//! well afterwards.
//!
//! `FOREWARN_SIEGE=full` takes the numbers that a plant's network may see; else it is a tenth of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use forewarn_tests::heat::HOT;
use forewarn_tests::raw;
use forewarn_tests::readings::reading;
use forewarn_tests::site::{Server, Site, eventually};
use serde_json::json;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

const FIRST_MS: u64 = 1_767_225_600_000;
const MIB: u64 = 1 << 20;

/// How long something took each time.
#[derive(Default)]
struct Times(Vec<Duration>);

impl Times {
    async fn of<T>(&mut self, work: impl Future<Output = T>) -> T {
        #[expect(clippy::disallowed_methods, reason = "a test measures")]
        let begun = Instant::now();
        let done = work.await;
        self.0.push(begun.elapsed());
        done
    }

    fn shown(&mut self) -> String {
        self.0.sort_unstable();
        let at = |share: usize| self.0[(self.0.len() - 1) * share / 100].as_secs_f64() * 1e3;
        format!(
            "{} times, median {:.0} ms, p99 {:.0} ms, longest {:.0} ms",
            self.0.len(),
            at(50),
            at(99),
            at(100)
        )
    }
}

/// Opens connections, sends `text` on each and reads nothing; those that the server closes are opened again.
async fn besiege(server: Arc<Server>, count: usize, text: Vec<u8>, over: Arc<AtomicBool>) {
    const PACE: Duration = Duration::from_millis(5);
    let mut open: Vec<TcpStream> = Vec::new();
    let mut pace = tokio::time::interval(PACE);
    while !over.load(Ordering::Relaxed) {
        if open.len() * 2 >= count {
            pace.tick().await;
        }
        if open.len() >= count {
            open.drain(..=count / 10);
        }
        open.push(raw::send(&server, &text).await);
    }
}

/// Sends readings of names that were never seen before.
async fn flood(server: Arc<Server>, names: usize, over: Arc<AtomicBool>) {
    const REQUEST: usize = 2_000;
    for first in (0..names).step_by(REQUEST) {
        if over.load(Ordering::Relaxed) {
            return;
        }
        let line = |n: usize| format!("{}\n", reading(format!("flood/a{n}"), "x", FIRST_MS, 1.0));
        let body: String = (first..first + REQUEST).map(line).collect();
        let (status, answer) = server.send("/v1/readings", body).await;
        assert!(matches!(status, 200 | 422 | 429 | 503), "{status} {answer}");
    }
}

#[tokio::test]
async fn a_known_sender_gets_through_whatever_all_others_do() {
    let full = std::env::var("FOREWARN_SIEGE").is_ok_and(|size| size == "full");
    let part = if full { 1 } else { 10 };
    raw::allow_files(if full { 8_192 } else { 2_048 });
    let mut site = Site::new();
    site.pipeline(HOT);
    site.open_files = Some(if full { 4_096 } else { 1_024 });
    let server = Arc::new(site.start().await);
    let before = reading("plant1/pump1", "temperature", FIRST_MS, 20.0);
    server.post("/v1/readings", &before).await;
    let over = Arc::new(AtomicBool::new(false));
    let mut others = JoinSet::new();
    let query = json!({ "query": "SELECT * FROM readings a CROSS JOIN readings b" }).to_string();
    for (count, text) in [
        (1_000, Vec::new()),
        (1_000, b"POST /v1/readings HTTP/1.1\r\nhost: localhost\r\ncontent-length: 900000\r\n\r\n{".to_vec()),
        (500, raw::get(&server, "/v1/alerts/stream")),
        (100, raw::post(&server, "/v1/sql", "application/json", &query)),
    ] {
        others.spawn(besiege(Arc::clone(&server), count / part, text, Arc::clone(&over)));
    }
    others.spawn(flood(Arc::clone(&server), 200_000 / part, Arc::clone(&over)));

    let (mut sent, mut healthy) = (Times::default(), Times::default());
    let rounds = if full { 200 } else { 60 };
    for number in 1..=rounds {
        let value = if number % 2 == 0 { 20.0 } else { 99.0 };
        let one = reading("plant1/pump1", "temperature", FIRST_MS + number * 60_000, value);
        let answer = sent.of(server.post("/v1/readings", &one)).await;
        assert_eq!(answer["accepted"], 1, "{answer}");
        assert_eq!(healthy.of(server.try_get("/healthz")).await.0, 200);
        if number % 20 == 19 {
            let alerts = server.get("/v1/alerts?asset=plant1/pump1").await;
            assert_eq!(alerts["alerts"][0]["rule"], "hot", "{alerts}");
        }
    }
    let peak = server.peak_memory_bytes() / MIB;
    over.store(true, Ordering::Relaxed);
    while let Some(ended) = others.join_next().await {
        ended.expect("no panic");
    }
    println!("readings acknowledged: {}", sent.shown());
    println!("/healthz answered: {}", healthy.shown());
    println!("peak memory: {peak} MiB; connections: {}", server.metric("forewarn_http_connections").await);
    assert!(peak < 2_048, "{peak} MiB");
    eventually("a ready server", async || server.try_get("/readyz").await.0 == 200).await;
    let of_pump = "SELECT count(*) FROM readings WHERE asset = 'plant1/pump1'";
    assert_eq!(server.count(of_pump).await, rounds + 1);
}
