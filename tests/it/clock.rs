//! The machine's clock is set back while the server runs: nothing stops, nothing is lost.
//!
//! libfaketime stands between the server and the clock. Where it is not installed, the test says so and checks nothing; under
//! `CI=true` it fails.

use std::path::PathBuf;

use forewarn_tests::site::{Server, Site, eventually};
use serde_json::{Value, json};

const COUNT: &str = "SELECT count(*) FROM readings";

fn faketime() -> Option<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").ok()?.flatten().map(|entry| entry.path());
    let found = folders.map(|folder| folder.join("faketime/libfaketimeMT.so.1")).find(|path| path.exists());
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "CI must have libfaketime");
        println!("NOT TESTED: libfaketime is not installed");
    }
    found
}

/// A reading whose time is that of its arrival.
async fn send(server: &Server, value: i64) {
    let answer = server.post("/v1/readings", &json!({ "asset": "plant1/pump0", "signal": "flow", "value": value })).await;
    assert_eq!(answer["accepted"], 1, "{answer}");
}

async fn runs(server: &Server) -> (usize, Vec<Value>) {
    let runs = server.get("/v1/jobs/maintain/runs").await["runs"].as_array().expect("runs").clone();
    (runs.iter().filter(|run| run["state"] == "succeeded").count(), runs)
}

#[tokio::test]
async fn a_clock_set_back_an_hour_stops_nothing() {
    let Some(library) = faketime() else { return };
    let mut site = Site::new();
    site.settings.push_str("branch: { commit_every: 200ms }\nmaintenance: { every: 2s, retain: { readings: 30d } }\n");
    let clock = site.path().join("clock");
    std::fs::write(&clock, "+0").expect("a file");
    site.variables = vec![
        ("LD_PRELOAD", library.display().to_string()),
        ("FAKETIME_TIMESTAMP_FILE", clock.display().to_string()),
        ("FAKETIME_NO_CACHE", "1".to_owned()),
        // Only the time of day is set back; what has passed since has passed.
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
    ];
    let server = site.start().await;
    send(&server, 0).await;
    eventually("a commit", async || server.metric("forewarn_lake_tail_rows").await == 0).await;
    eventually("a first round of upkeep", async || runs(&server).await.0 >= 1).await;

    std::fs::write(&clock, "-1h").expect("a file");
    let end = server.metric("forewarn_log_end_offset").await;
    for value in 1..=50 {
        send(&server, value).await;
    }
    assert_eq!(server.count(COUNT).await, 51);
    let ahead = "SELECT count(*) FROM readings WHERE time > now() + INTERVAL '50 minutes'";
    assert_eq!(server.count(ahead).await, 1, "the clock was set back");
    eventually("a commit", async || server.metric("forewarn_lake_tail_rows").await == 0).await;
    eventually("ticks", async || server.metric("forewarn_log_end_offset").await >= end + 60).await;
    let before = runs(&server).await.0;
    eventually("upkeep that goes on", async || runs(&server).await.0 > before + 1).await;
    let (_, all) = runs(&server).await;
    assert!(all.iter().all(|run| run["state"] != "failed"), "{all:?}");
    assert_eq!(server.count(COUNT).await, 51);
    assert_eq!(server.try_get("/readyz").await.0, 200);
    server.kill().await;
    let server = site.start().await;
    send(&server, 51).await;
    assert_eq!(server.count(COUNT).await, 52);
    assert!(server.stop().await.success(), "{}", site.log());
    assert!(!site.log().contains("panicked"), "{}", site.log());
}
