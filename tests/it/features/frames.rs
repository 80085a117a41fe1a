//! A frame job of a pipeline: what senders send comes side by side, and can be asked for by SQL.

use forewarn_tests::cli::done;
use forewarn_tests::site::Site;
use serde_json::json;

const PIPELINE: &str = r#"
pipeline: p
jobs:
  - name: pump-minutes
    schedule: "0 * * * *"
    delay: 5m
    frame:
      assets: "plant1/pump*"
      signals: [temperature, flow]
      every: 1m
      aggregate: { temperature: max }
      fill: { previous: 5m }
      columns: { margin: "90.0 - temperature", is_hot: "margin < 10.0" }
      where: "temperature > 0.0"
    into: pump_minutes
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frame_job_puts_signals_side_by_side() {
    let site = Site::new();
    site.pipeline(PIPELINE);
    let server = site.start().await;
    for (asset, second, signal, value) in [
        ("plant1/pump1", 0, "temperature", 70.0),
        ("plant1/pump1", 59, "temperature", 75.0),
        ("plant1/pump1", 30, "flow", 3.0),
        ("plant1/pump1", 60, "temperature", 85.0),
        ("plant1/pump2", 0, "flow", 9.0),
        ("plant1/fan", 0, "temperature", 1.0),
        ("plant1/pump1", 3_600, "temperature", 1.0),
    ] {
        let time = 1_767_225_600_000_i64 + second * 1_000;
        let reading = json!({ "asset": asset, "signal": signal, "time": time, "value": value });
        server.post("/v1/readings", &reading).await;
    }
    let hour = ["--from", "2026-01-01T00:00:00Z", "--to", "2026-01-01T01:00:00Z"];
    let run = [&["job", "run", "pump-minutes", "--wait"][..], &hour].concat();
    assert!(done(&server, &run).await.contains("2 rows"));
    let rows = server.sql("SELECT * FROM pump_minutes ORDER BY time").await;
    let row = |minute: &str, rest: [serde_json::Value; 4]| {
        [vec![json!("plant1/pump1"), json!(format!("2026-01-01T00:{minute}:00Z"))], rest.to_vec()].concat()
    };
    let expected = [
        row("00", [json!(75.0), json!(3.0), json!(15.0), json!(false)]),
        row("01", [json!(85.0), json!(3.0), json!(5.0), json!(true)]),
    ];
    assert_eq!(rows, expected);
    let late =
        json!({ "asset": "plant1/pump1", "signal": "flow", "time": 1_767_225_720_000_i64, "value": 4 });
    server.post("/v1/readings", &late).await;
    assert!(done(&server, &run).await.contains("3 rows"), "what came since is in it when it runs again");
    let rows = server.sql("SELECT count(*), count(flow) FROM pump_minutes").await;
    assert_eq!(rows, [[json!(3), json!(3)]], "the rows of before are replaced");
}
