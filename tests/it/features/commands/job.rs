//! `forewarn job`: what is listed, run and made up for.

use forewarn_tests::cli::{asked, assert_says, done, done_json};
use forewarn_tests::readings::reading;
use forewarn_tests::site::Site;
use serde_json::json;

const JOBS: &str = "\
pipeline: p
jobs:
  - name: hottest
    schedule: \"0 * * * *\"
    sql: >
      SELECT asset, max(value) AS hottest FROM readings WHERE time >= :from AND time < :to GROUP BY asset
    into: hottest_hourly
  - name: broken
    schedule: \"0 0 1 1 *\"
    sql: \"SELECT asset FROM hottest_hourly WHERE time >= :from AND time < :to\"
    into: never
";

#[tokio::test]
async fn jobs_are_listed_run_and_made_up_for() {
    let site = Site::new();
    site.pipeline(JOBS);
    let server = site.start().await;
    for hour in 0..3 {
        let reading = reading("pump1", "t", format!("2026-01-01T0{hour}:30:00Z"), 60 + hour);
        server.post("/v1/readings", &reading).await;
    }
    let listed = done(&server, &["job", "list"]).await;
    assert_says(&listed, &["job ", "schedule", "hottest", "0 * * * *", "broken", "sql"]);

    let (from, to) = (["--from", "2026-01-01T00:00:00Z"], ["--to", "2026-01-01T03:00:00Z"]);
    let said = asked(&server, &[&["job", "run", "hottest"][..], &from, &to].concat()).await.complaint(1);
    assert_says(&said, &["a run of job hottest covers one whole interval of its schedule"]);
    let last = ["--from", "2026-01-01T02:00:00Z"];
    for _ in 0..2 {
        let ran = done(&server, &[&["job", "run", "hottest", "--wait"][..], &last, &to].concat()).await;
        assert_says(&ran, &[" succeeded, 1 row\n"]);
        assert_eq!(
            json!(server.sql("SELECT asset, hottest FROM hottest_hourly").await),
            json!([["pump1", 62.0]])
        );
    }
    let queued = done(&server, &["job", "run", "hottest"]).await;
    let run = queued.trim().strip_prefix("queued as ").expect("the run's name");
    assert_eq!(server.run_ended(run).await["state"], "succeeded");
    let said = asked(&server, &["job", "run", "broken", "--wait"]).await.with_code(1);
    assert_says(&said, &[" failed: ", "time"]);

    let backfill = [&["job", "backfill", "hottest"][..], &from, &to].concat();
    assert_says(
        &done(&server, &backfill).await,
        &[
            "2 runs queued; `forewarn job runs hottest` shows them",
            "1 interval computed already, or about to be (--again runs them again)",
        ],
    );
    let again = done_json(&server, &[&backfill[..], &["--again"]].concat()).await;
    for run in again["runs"].as_array().expect("runs") {
        server.run_ended(run.as_str().expect("a run")).await;
    }
    assert_eq!(
        json!(server.sql("SELECT asset, hottest FROM hottest_hourly ORDER BY hottest").await),
        json!([["pump1", 60.0], ["pump1", 61.0], ["pump1", 62.0]])
    );
    let runs = done_json(&server, &["job", "runs", "hottest"]).await;
    let runs = runs["runs"].as_array().expect("runs");
    assert!(runs.iter().filter(|run| run["trigger"] == "backfill").count() >= 3, "{runs:?}");
    for run in runs {
        assert_eq!(server.run_ended(run["run"].as_str().expect("a run")).await["state"], "succeeded");
    }
    let shown = done(&server, &["job", "runs", "hottest"]).await;
    assert_says(&shown, &["2026-01-01T00:00:00Z  2026-01-01T01:00:00Z  backfill", "request"]);
    assert_eq!(shown.lines().count(), 1 + runs.len(), "{shown}");
    assert_says(
        &done(&server, &["job", "runs", "hottest", "--limit", "2"]).await,
        &["(there are more: see --limit)"],
    );

    let complaint = asked(&server, &["job", "run", "hotest"]).await.complaint(1);
    assert_says(&complaint, &["there is no job hotest", "`forewarn job list` lists all"]);
    let complaint = asked(&server, &["job", "backfill", "hottest", "--from", "yesterday", "--to", "today"])
        .await
        .complaint(2);
    assert_says(&complaint, &["--from", "\"yesterday\" is not a time"]);
}
