//! Each of many who write at the same time reads back what was acknowledged, at once, and finds it exactly
//! once, while everything that moves rows about is at work: commits to the lake, rotations and trims of the
//! log, compaction, vacuum, snapshots.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use forewarn_tests::site::{Server, Site};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::task::JoinSet;

const WRITERS: i64 = 64;
const ROUNDS: i64 = 25;
const FIRST_MS: i64 = 1_767_225_600_000;
/// Everything is so small that each round meets commits and rotations; replaced files go at the second sight.
const SETTINGS: &str = "\
log: { segment_bytes: 16KB }
branch: { commit_rows: 100, commit_every: 50ms }
maintenance: { delete_after: 1m }
";

/// Sends reading after reading of one series, and reads each back by both ways. How many it has read back
/// comes back.
async fn write_and_read(server: Arc<Server>, writer: i64) -> i64 {
    let asset = format!("plant1/line{}/pump{writer}", writer % 4);
    let history = format!("/v1/assets/{}/signals/flow/readings", asset.replace('/', "%2F"));
    for round in 0..ROUNDS {
        let time = FIRST_MS + round * 60_000 + writer;
        let value = round as f64 + writer as f64 / 64.0;
        server
            .post("/v1/readings", &json!({ "asset": asset, "signal": "flow", "time": time, "value": value }))
            .await;
        // All that this writer was acknowledged, the newest included: none missing, none twice.
        let expected: f64 = (0..=round).map(|round| round as f64 + writer as f64 / 64.0).sum();
        if (round + writer) % 2 == 0 {
            let query = format!(
                "SELECT count(*) AS n, count(DISTINCT time) AS times, sum(value) AS total, max(value) AS \
                 newest FROM readings WHERE asset = '{asset}'"
            );
            let rows = server.sql(&query).await;
            assert_eq!(
                rows,
                [vec![json!(round + 1), json!(round + 1), json!(expected), json!(value)]],
                "{asset}, round {round}"
            );
        } else {
            let answer = server.get(&history).await;
            let values: Vec<f64> = answer["readings"]
                .as_array()
                .expect("readings")
                .iter()
                .map(|row| row["value"].as_f64().expect("a value"))
                .collect();
            let sent: Vec<f64> = (0..=round).map(|round| round as f64 + writer as f64 / 64.0).collect();
            assert_eq!(values, sent, "{asset}, round {round}");
        }
    }
    ROUNDS
}

/// Keeps the upkeep and the snapshots running, round after round, until `stop`; how many files were merged,
/// and how many runs there were.
async fn upkeep(server: Arc<Server>, stop: Arc<AtomicBool>) -> (u64, usize) {
    let (mut merged, mut runs) = (0, 0);
    while !stop.load(Ordering::SeqCst) {
        let started = server.post("/v1/jobs/maintain/run", &json!({})).await;
        let ended = server.run_ended(started["run"].as_str().expect("a run")).await;
        assert_eq!(ended["state"], "succeeded", "{ended}");
        // A state that is held for a backup is flushed and snapshotted first, and the log is trimmed behind
        // it.
        let held = server
            .http()
            .post(format!("{}/v1/backups", server.url))
            .send()
            .await
            .expect("an answer")
            .status();
        assert!(held == StatusCode::OK || held == StatusCode::CONFLICT, "{held}");
        merged += ended["details"]["tables"]["readings"]["files_merged"].as_u64().unwrap_or(0);
        runs += 1;
    }
    (merged, runs)
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_writers_read_back_what_they_wrote_at_once() {
    let mut site = Site::new();
    site.settings.push_str(SETTINGS);
    let server = Arc::new(site.start().await);
    let stop = Arc::new(AtomicBool::new(false));
    let upkeep = tokio::spawn(upkeep(Arc::clone(&server), Arc::clone(&stop)));
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        writers.spawn(write_and_read(Arc::clone(&server), writer));
    }
    let mut read = 0;
    while let Some(ended) = writers.join_next().await {
        read += ended.expect("a writer has come to its end");
    }
    assert_eq!(read, ROUNDS * WRITERS);
    stop.store(true, Ordering::SeqCst);
    let (merged, runs) = upkeep.await.expect("the upkeep has come to its end");
    assert!(
        merged > 0 && runs > 0,
        "{runs} runs merged {merged} files: nothing was moved, so nothing is proven"
    );
    assert!(server.metric("forewarn_log_start_offset").await > 0, "the log was trimmed meanwhile");
    let total: Vec<Vec<Value>> =
        server.sql("SELECT count(*) AS n, count(DISTINCT asset) AS assets FROM readings").await;
    assert_eq!(total, [[json!(read), json!(WRITERS)]]);
}
