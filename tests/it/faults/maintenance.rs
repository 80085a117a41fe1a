//! The lake is kept in order while readings stream in and while the server is killed, and no answer changes.

use forewarn_tests::readings::reading;
use forewarn_tests::site::{Server, Site, eventually};
use serde_json::{Value, json};

const READINGS: i64 = 1_000;
const FIRST_MS: i64 = 1_767_225_600_000;
const DAY_MS: i64 = 86_400_000;
/// Commits come often, so that there are many small files.
const SETTINGS: &str = "branch: { commit_rows: 300, commit_every: 50ms }\n";
const TOTALS: &str = "SELECT count(*), count(DISTINCT time), sum(value) FROM readings";

/// Sends a round of readings of two days that are long over.
async fn send(server: &Server, round: i64) {
    let line = |n: i64| {
        let time = FIRST_MS + round * READINGS + n + (n % 2) * DAY_MS;
        reading(format!("plant1/pump{}", n % 5), "flow", time, (n % 64) as f64 / 8.0).to_string()
    };
    for part in (0..READINGS).map(line).collect::<Vec<_>>().chunks(250) {
        let (status, answer) = server.send("/v1/readings", part.join("\n")).await;
        assert_eq!((status, &answer["accepted"]), (200, &json!(part.len())), "{answer}");
    }
}

/// Asks for a round of upkeep; the run's id.
async fn maintain(server: &Server) -> String {
    let started = server.post("/v1/jobs/maintain/run", &json!({})).await;
    started["run"].as_str().unwrap_or_else(|| panic!("no run: {started}")).to_owned()
}

fn expected(rounds: i64) -> Vec<Value> {
    let sum: f64 = (0..READINGS).map(|n| (n % 64) as f64 / 8.0).sum();
    vec![json!(rounds * READINGS), json!(rounds * READINGS), json!(sum * rounds as f64)]
}

fn data_files(site: &Site) -> usize {
    let days = std::fs::read_dir(site.lake().join("readings")).expect("the table").flatten();
    days.filter(|day| day.file_name() != "_delta_log")
        .map(|day| std::fs::read_dir(day.path()).expect("a day").count())
        .sum()
}

#[tokio::test]
async fn upkeep_changes_no_answer_though_the_server_is_killed_in_it() {
    let mut site = Site::new();
    site.settings.push_str(SETTINGS);
    let mut server = site.start().await;
    for round in 0..9 {
        send(&server, round).await;
        let run = maintain(&server).await;
        if round % 3 == 1 {
            server.kill().await;
            server = site.start().await;
        } else {
            let ended = server.run_ended(&run).await;
            assert_eq!(ended["state"], "succeeded", "{ended}");
        }
        assert_eq!(server.sql(TOTALS).await, [expected(round + 1)], "round {round}");
    }
    eventually("an empty tail", async || server.metric("forewarn_lake_tail_rows").await == 0).await;
    let ended = server.run_ended(&maintain(&server).await).await;
    assert_eq!(ended["state"], "succeeded", "{ended}");
    assert_eq!(server.sql(TOTALS).await, [expected(9)]);
    let again = server.run_ended(&maintain(&server).await).await;
    assert!(again["details"]["tables"]["readings"].is_null(), "there is nothing left to be done: {again}");
    assert!(data_files(&site) > 4, "replaced files stay for those who still read them");
    let versions = server.get("/v1/jobs/maintain/runs").await;
    let merged = |run: &Value| run["details"]["tables"]["readings"]["files_merged"].as_u64().unwrap_or(0);
    let merged: u64 = versions["runs"].as_array().expect("runs").iter().map(merged).sum();
    assert!(merged >= 10, "{versions}");
    assert!(server.stop().await.success(), "{}", site.log());
    let server = site.start().await;
    assert_eq!(server.sql(TOTALS).await, [expected(9)]);
}

#[tokio::test]
async fn readings_that_are_too_old_go_and_their_files_follow() {
    let mut site = Site::new();
    site.settings.push_str(SETTINGS);
    site.settings.push_str("maintenance: { delete_after: 1us, retain: { readings: 30d } }\n");
    let server = site.start().await;
    send(&server, 0).await;
    let young = json!({ "asset": "plant1/pump0", "signal": "flow", "value": 3.5 });
    server.post("/v1/readings", &young).await;
    eventually("an empty tail", async || server.metric("forewarn_lake_tail_rows").await == 0).await;
    let ended = server.run_ended(&maintain(&server).await).await;
    assert_eq!(ended["details"]["tables"]["readings"]["rows_too_old"], READINGS, "{ended}");
    assert_eq!(server.sql("SELECT count(*), sum(value) FROM readings").await, [[json!(1), json!(3.5)]]);
    // The first round has seen that the files belong to the table no more, the next one deletes them.
    let ended = server.run_ended(&maintain(&server).await).await;
    assert!(ended["details"]["tables"]["readings"]["files_deleted"].as_u64() >= Some(2), "{ended}");
    assert_eq!(data_files(&site), 1);
    assert_eq!(server.sql("SELECT count(*), sum(value) FROM readings").await, [[json!(1), json!(3.5)]]);
}

#[tokio::test]
async fn rows_of_a_job_go_by_age_as_well_and_a_name_that_means_no_table_is_told() {
    let mut site = Site::new();
    site.settings.push_str(SETTINGS);
    site.settings.push_str(
        "maintenance: { retain: { tables: [{ table: peaks, keep: 30d }, { table: peeks, keep: 30d }] } }\n",
    );
    let sql = "SELECT time, asset, value FROM readings WHERE value > 7.8 AND time >= :from AND time < :to";
    site.pipeline(&format!(
        "pipeline: p\njobs:\n  - {{ name: peaks, schedule: \"0 0 1 * *\", sql: \"{sql}\", into: peaks }}\n"
    ));
    let server = site.start().await;
    send(&server, 0).await;
    let month = json!({ "from": "2026-01-01T00:00:00Z", "to": "2026-02-01T00:00:00Z" });
    let started = server.post("/v1/jobs/peaks/run", &month).await;
    let ended = server.run_ended(started["run"].as_str().expect("a run")).await;
    assert_eq!(ended["state"], "succeeded", "{ended}");
    assert_eq!(server.count("SELECT count(*) FROM peaks").await, 15, "values 7.875 of each 64 readings");
    let ended = server.run_ended(&maintain(&server).await).await;
    assert_eq!(ended["details"]["tables"]["peaks"]["rows_too_old"], 15, "{ended}");
    assert_eq!(server.count("SELECT count(*) FROM peaks").await, 0);
    assert_eq!(server.count("SELECT count(*) FROM readings").await, 1_000);
    let log = site.log();
    assert!(
        log.contains("maintenance.retain names a table that there is not") && log.contains("peeks"),
        "{log}"
    );
}
