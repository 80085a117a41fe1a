//! The machine's clock is set back, while the server runs and between two runs. Nothing ends, nothing waits
//! until the clock is back where it was: readings are taken in and committed, alerts raised, jobs run,
//! snapshots taken.

use forewarn_tests::peers;
use forewarn_tests::site::{Server, Site, eventually};
use serde_json::json;

const PIPELINE: &str = "\
pipeline: p
rules:
  - { name: hot, assets: \"plant1/**\", when: \"temperature > 90.0\", severity: critical }
  - name: silent
    assets: \"plant1/silent*\"
    missing: { signal: temperature, longer_than: 1s }
    severity: warning
jobs:
  - name: hottest
    schedule: \"0 * * * *\"
    sql: >
      SELECT asset, max(value) AS hottest FROM readings WHERE time >= :from AND time < :to GROUP BY asset
    into: hottest_hourly
";
const SETTINGS: &str = "\
log: { segment_bytes: 4KB }
branch: { commit_rows: 1000000, commit_every: 100ms }
maintenance: { delete_after: 1us, retain: { readings: 30d } }
";

/// What must work whatever the clock says. Each `round` has assets of its own.
async fn everything_works(server: &Server, round: usize) {
    let reading =
        |asset: String, value: f64| json!({ "asset": asset, "signal": "temperature", "value": value });
    let before = server.count("SELECT count(*) FROM readings").await;
    for n in 0..20 {
        let answer = server.post("/v1/readings", &reading("plant1/steady".into(), 60.0 + f64::from(n))).await;
        assert_eq!(answer["accepted"], 1, "{answer}");
    }
    server.post("/v1/readings", &reading(format!("plant1/pump{round}"), 95.0)).await;
    server.post("/v1/readings", &reading(format!("plant1/silent{round}"), 60.0)).await;
    assert_eq!(server.count("SELECT count(*) FROM readings").await, before + 22);
    // The alert of a silence comes with the ticks, by the clock.
    for asset in ["pump", "silent"] {
        let filter = format!("&asset=plant1/{asset}{round}");
        eventually("an alert", async || server.alerts(&filter).await.len() == 1).await;
    }
    // No bound of rows is reached, so this is a commit by the clock.
    eventually("a commit", async || server.metric("forewarn_lake_tail_rows").await == 0).await;
    for job in ["hottest", "maintain"] {
        let started = server.post(&format!("/v1/jobs/{job}/run"), &json!({})).await;
        let ended =
            server.run_ended(started["run"].as_str().unwrap_or_else(|| panic!("no run: {started}"))).await;
        assert_eq!(ended["state"], "succeeded", "{ended}");
    }
    assert_eq!(
        server.count("SELECT count(*) FROM readings").await,
        before + 22,
        "nothing is too old for the retention"
    );
    let end = server.metric("forewarn_log_end_offset").await;
    eventually("ticks", async || server.metric("forewarn_log_end_offset").await > end).await;
}

#[tokio::test]
async fn a_clock_that_is_set_back_an_hour_stops_nothing() {
    let Some(library) = peers::fake_time() else { return };
    let mut site = Site::new();
    site.settings.push_str(SETTINGS);
    site.pipeline(PIPELINE);
    let clock = site.path().join("clock");
    let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    site.environment = vec![
        variable("LD_PRELOAD", &library.display().to_string()),
        variable("FAKETIME_TIMESTAMP_FILE", &clock.display().to_string()),
        variable("FAKETIME_NO_CACHE", "1"),
        // Timers use the monotonic clock, which is never set.
        variable("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ];
    site.write("clock", "+0\n");
    let server = site.start().await;
    everything_works(&server, 0).await;
    site.write("clock", "-1h\n");
    let newest = "SELECT arrived FROM readings ORDER BY \"offset\" DESC LIMIT 1";
    let before = server.sql(newest).await;
    everything_works(&server, 1).await;
    assert!(
        server.sql(newest).await[0][0].as_str() < before[0][0].as_str(),
        "the server sees the clock that is set back"
    );
    assert!(server.stop().await.success(), "{}", site.log());

    site.write("clock", "-2h\n");
    let server = site.start().await;
    let (replayed, end) = (
        server.metric("forewarn_start_replayed_records").await,
        server.metric("forewarn_log_end_offset").await,
    );
    assert!(replayed < 10 && end > 50, "the end has left a snapshot: {replayed} of {end} records were read");
    everything_works(&server, 2).await;
    server.kill().await;
    let server = site.start().await;
    everything_works(&server, 3).await;
    assert_eq!(server.count("SELECT count(*) FROM readings").await, 88);
    assert_eq!(server.count("SELECT count(DISTINCT alert) FROM alert_events").await, 8);
    assert!(server.stop().await.success(), "{}", site.log());
    assert!(!site.log().contains("panicked"), "{}", site.log());
}
