//! Other people's engines read the lake while the server writes it, and see what its own API shows.

use forewarn_tests::site::{Server, Site, eventually};
use serde_json::{Value, json};

use crate::clients::peer;

const DAY_MS: i64 = 86_400_000;
const FIRST_MS: i64 = 1_767_225_600_000;
/// Readings of one request; they span several days, which are partitions of the table.
const READINGS: i64 = 6_000;

/// Values are multiples of a quarter, so that their sum is the same in whichever order it is taken.
async fn send(server: &Server, round: i64) {
    let line = |n: i64| {
        let time = FIRST_MS + round * READINGS + n + (n % 3) * DAY_MS;
        json!({ "asset": format!("plant1/pump{}", n % 7), "signal": "temperature", "time": time, "value": (n % 400) as f64 / 4.0 })
            .to_string()
    };
    let body: Vec<String> = (0..READINGS).map(line).collect();
    let (status, answer) = server.send("/v1/readings", body.join("\n")).await;
    assert_eq!((status, &answer["accepted"]), (200, &json!(READINGS)), "{answer}");
}

/// Waits until the branch has committed everything.
async fn flushed(server: &Server) {
    eventually("an empty tail", async || {
        let metrics = server.get("/metrics").await;
        let text = metrics.as_str().expect("metrics are text");
        text.lines().any(|line| line.strip_prefix("forewarn_lake_tail_rows ").is_some_and(|rows| rows.trim() == "0"))
    })
    .await;
}

#[tokio::test]
async fn deltalake_duckdb_and_polars_count_the_same_readings_as_the_api() {
    let mut site = Site::new();
    site.settings = "branch: { commit_rows: 2000, commit_every: 1s }\n".to_owned();
    let server = site.start().await;
    let table = site.lake().join("readings");
    let mut versions = Vec::new();
    for round in 0..3 {
        send(&server, round).await;
        flushed(&server).await;
        // From the second round on, small files are merged before anyone looks.
        let upkeep = server.post("/v1/jobs/maintain/run", &json!({})).await;
        let ended = server.run_ended(upkeep["run"].as_str().expect("a run")).await;
        let merged = ended["details"]["tables"]["readings"]["files_merged"].as_u64();
        assert!(ended["state"] == "succeeded" && (round == 0 || merged >= Some(6)), "{ended}");
        let shown = server.sql("SELECT count(*), sum(value) FROM readings").await;
        assert_eq!(shown[0][0], (round + 1) * READINGS);
        let Some(read) = peer("read_lake.py", &table.display().to_string()).await else { return };
        let expected = Value::from(shown[0].clone());
        assert_eq!(read["counts"], json!({ "deltalake": expected, "duckdb": expected, "polars": expected }), "round {round}");
        assert_eq!(read["days"], json!(["2026-01-01", "2026-01-02", "2026-01-03"]));
        versions.push(read["version"].as_i64().expect("a version"));
    }
    assert!(versions.is_sorted_by(|a, b| a < b), "the table was read while it grew: {versions:?}");
}

#[tokio::test]
async fn polars_reads_answers_in_columns() {
    let site = Site::new();
    let server = site.start().await;
    for (minute, value) in [(0, 1.5), (1, -2.0)] {
        let time = format!("2026-01-01T00:0{minute}:00Z");
        server.post("/v1/readings", &json!({ "asset": "plant1/pumpé", "signal": "flow", "time": time, "value": value })).await;
    }
    let Some(read) = peer("read_answers.py", &server.url).await else { return };
    let rows = json!([["2026-01-01T00:00:00+00:00", "plant1/pumpé", 1.5], ["2026-01-01T00:01:00+00:00", "plant1/pumpé", -2.0]]);
    for form in ["parquet", "arrow"] {
        assert_eq!(read[form]["rows"], rows, "{form}");
        assert_eq!(read[form]["types"], json!(["Datetime(time_unit='us', time_zone='UTC')", "String", "Float64"]), "{form}");
    }
}
