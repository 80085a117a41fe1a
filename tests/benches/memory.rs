//! Memory of the real server, which must not grow with what it has taken in: 100,000 series, then 50 million
//! readings of them.
//!
//! `cargo bench -p forewarn-tests --bench memory` drives the program of the same profile (`FOREWARN_BIN`
//! names another) and prints, every 5 million readings, the memory the process has and the most it had since
//! the line before. The rule's windows of 300 readings a series are full after 30 million; the last line sets
//! the second half of what follows against the first: growth with the total would show there.
//! `FOREWARN_BENCH_READINGS` says how many readings (default 50,000,000).

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark measures, and a broken one may end"
)]

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Instant;

use forewarn_tests::random::Random;
use forewarn_tests::site::{Server, Site, eventually};
use tokio::task::JoinSet;

const CONNECTIONS: usize = 4;
/// Assets of one connection; each has the signals of [`SIGNALS`].
const ASSETS: usize = 5_000;
const SIGNALS: [&str; 5] = ["vibration", "temperature", "pressure", "flow", "current"];
const SERIES: usize = CONNECTIONS * ASSETS * SIGNALS.len();
const LINES: usize = 25_000;
const DEFAULT_READINGS: usize = 50_000_000;
const STEP: usize = 5_000_000;
/// Readings of each series that the rule below keeps in mind.
const WINDOW: usize = 300;
/// 2026-01-01T00:00:00Z.
const START_S: usize = 1_767_225_600;

const PIPELINE: &str = r#"
pipeline: bench
rules:
  - { name: high, assets: "plant1/**", when: "vibration > 9.999", for: 10s, severity: major }
  - name: unusual
    assets: "plant1/**"
    deviation: { signal: temperature, method: robust_z, baseline: "300", above: 8.0 }
    severity: warning
"#;

/// What one connection has sent so far.
struct Sender {
    connection: usize,
    /// Readings of its series.
    sent: usize,
    random: Random,
}

impl Sender {
    /// Sends the next `count` readings: all series of one second, then those of the next.
    async fn send(mut self, server: Arc<Server>, count: usize) -> Self {
        let until = self.sent + count;
        while self.sent < until {
            let mut body = String::with_capacity(LINES * 80);
            for _ in 0..LINES.min(until - self.sent) {
                let (second, series) =
                    (self.sent / (ASSETS * SIGNALS.len()), self.sent % (ASSETS * SIGNALS.len()));
                let (asset, signal) =
                    (self.connection * ASSETS + series / SIGNALS.len(), SIGNALS[series % SIGNALS.len()]);
                let value = self.random.below(10_000) as f64 / 1_000.0;
                // Writing to a string cannot fail.
                let _ = writeln!(
                    body,
                    "{signal},a=plant1,b=line{},c=pump{asset} value={value} {}000000000",
                    asset % 8,
                    START_S + second
                );
                self.sent += 1;
            }
            let (status, answer) = server.send("/api/v2/write", body).await;
            assert_eq!(status, 204, "{answer}");
        }
        self
    }
}

/// What the process has, and has had since it was last asked.
fn memory(server: &Server) -> (u64, u64) {
    let (now, peak) = (server.memory_bytes(), server.peak_memory_bytes());
    // This makes the kernel begin a new peak.
    std::fs::write(format!("/proc/{}/clear_refs", server.pid()), "5")
        .expect("the kernel lets its owner do it");
    (now >> 20, peak >> 20)
}

async fn show(server: &Server, what: &str, seconds: f64) -> (u64, u64) {
    let (now, peak) = memory(server);
    let (tail, segments) =
        (server.metric("forewarn_lake_tail_rows").await, server.metric("forewarn_log_segments").await);
    println!(
        "  {what:<24} {now:>6} MiB now  {peak:>6} MiB at most  {tail:>9} rows in the tail  {segments:>3} \
         segments  {seconds:>7.1} s"
    );
    (now, peak)
}

#[tokio::main]
async fn main() {
    let readings = std::env::var("FOREWARN_BENCH_READINGS")
        .map_or(DEFAULT_READINGS, |text| text.parse().expect("a number of readings"));
    let site = Site::new();
    site.pipeline(PIPELINE);
    let server = Arc::new(site.start().await);
    println!("{readings} readings of {SERIES} series over {CONNECTIONS} connections");
    let started = Instant::now();
    show(&server, "an empty server", 0.0).await;
    let mut senders: Vec<Sender> = (0..CONNECTIONS)
        .map(|connection| Sender { connection, sent: 0, random: Random::new(connection as u64) })
        .collect();
    let (mut total, mut peaks) = (0, Vec::new());
    while total < readings {
        // The first step makes all series known.
        let step = if total == 0 { SERIES } else { STEP.min(readings - total) };
        let mut tasks = JoinSet::new();
        for sender in senders.drain(..) {
            tasks.spawn(sender.send(Arc::clone(&server), step / CONNECTIONS));
        }
        while let Some(sender) = tasks.join_next().await {
            senders.push(sender.expect("a sender comes to its end"));
        }
        total += step;
        let end = server.metric("forewarn_log_end_offset").await;
        assert!(end > 0);
        eventually("the engine", async || server.metric("forewarn_state_lag_records").await < 16).await;
        let what = if peaks.is_empty() { format!("{SERIES} series") } else { format!("{total} readings") };
        peaks.push((total, show(&server, &what, started.elapsed().as_secs_f64()).await));
    }
    assert!(server.metric("forewarn_series").await >= SERIES as u64);
    // Windows fill up to their bound first; what is left behind that would be growth with the total.
    let settled: Vec<(u64, u64)> =
        peaks.into_iter().filter(|(sent, _)| *sent >= WINDOW * SERIES).map(|(_, figures)| figures).collect();
    let (first, second) = settled.split_at(settled.len() / 2);
    if first.is_empty() {
        println!(
            "  too few readings to see whether memory grows: the windows of {WINDOW} readings a series are \
             not full yet"
        );
        return;
    }
    let most = |part: &[(u64, u64)]| part.iter().map(|(_, peak)| *peak).max().unwrap_or(0) as f64;
    let mean = |part: &[(u64, u64)]| part.iter().map(|(now, _)| *now).sum::<u64>() as f64 / part.len() as f64;
    println!(
        "  once windows are full, the second half against the first: peak {:.2}, mean {:.2}",
        most(second) / most(first),
        mean(second) / mean(first)
    );
}
