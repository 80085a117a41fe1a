//! The server with its lake in a bucket: all that it does on a disk it does there too, and while the bucket
//! cannot be reached, is slow, or is written by others, what was acknowledged is counted at once and stored
//! exactly once.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use forewarn_tests::estate::{fill, furnish, known, known_in_full};
use forewarn_tests::peers;
use forewarn_tests::random::Random;
use forewarn_tests::readings::reading;
use forewarn_tests::s3::{Behaviour, S3};
use forewarn_tests::site::{Server, Site, eventually};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::Command;

/// Readings of one request.
const BATCH: u64 = 240;
const FIRST_MS: u64 = 1_767_225_600_000;
/// Commits come often.
const SETTINGS: &str = "branch: { commit_rows: 500, commit_every: 100ms }\n";
const TOTALS: &str =
    "SELECT count(*), count(DISTINCT time), sum(value) FROM readings WHERE asset LIKE 'plant1/%'";
const PIPELINE: &str = "\
pipeline: plant
rules:
  - { name: hot, assets: \"plant1/**\", when: \"temperature > 70.0\", severity: major }
jobs:
  - name: health
    schedule: \"0 2 1 1 *\"
    sql: \"SELECT asset, avg(value) AS score FROM readings WHERE asset = 'plant1/pump1' GROUP BY asset\"
    into: health
";

fn site(s3: &S3) -> Site {
    let mut site = Site::new();
    site.settings.push_str(SETTINGS);
    site.lake_url = Some(s3.lake());
    site.environment = s3.environment();
    site.pipeline(PIPELINE);
    site
}

/// The readings of batch `number`, one a millisecond, with values whose sum is exact in any order.
fn batch(number: u64) -> String {
    let line = |n: u64| {
        let time = FIRST_MS + number * BATCH + n;
        reading(format!("plant1/pump{}", n % 5), "temperature", time, (n % 240) as f64 / 4.0)
    };
    (0..BATCH).map(|n| line(n).to_string()).collect::<Vec<_>>().join("\n")
}

/// What [`TOTALS`] answers once so many batches are stored.
fn totals(batches: u64) -> Vec<Value> {
    let sum: f64 = (0..BATCH).map(|n| (n % 240) as f64 / 4.0).sum();
    vec![json!(batches * BATCH), json!(batches * BATCH), json!(sum * batches as f64)]
}

async fn send(server: &Server, number: u64) {
    let (status, answer) = server.send("/v1/readings", batch(number)).await;
    assert_eq!((status, &answer["accepted"]), (200, &json!(BATCH)), "{answer}");
}

async fn flushed(server: &Server) {
    eventually("an empty tail", async || server.metric("forewarn_lake_tail_rows").await == 0).await;
}

/// Runs a job to its end, which must be a good one.
async fn job(server: &Server, name: &str) -> Value {
    let started = server.post(&format!("/v1/jobs/{name}/run"), &json!({})).await;
    let ended = server.run_ended(started["run"].as_str().expect("a run")).await;
    assert_eq!(ended["state"], "succeeded", "{ended}");
    ended
}

/// How many attempts to commit readings have failed since the last success.
async fn failed_commits(server: &Server) -> u64 {
    let page = server.get("/metrics").await;
    let line = page
        .as_str()
        .expect("text")
        .lines()
        .find_map(|line| line.strip_prefix("forewarn_lake_failed_commits{table=\"readings\"} "));
    line.map_or(0, |count| count.parse().expect("a count"))
}

/// What three other engines read in the bucket.
async fn assert_others_read(s3: &S3, rows: u64, sum: f64) {
    let python = peers::python().expect("moto runs on it");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/read_lake.py");
    let table = format!("{}/readings", s3.lake());
    let output =
        Command::new(python).arg(script).arg(table).envs(s3.direct()).output().await.expect("Python starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let read: Value = serde_json::from_slice(&output.stdout).expect("the script prints JSON");
    let expected = json!([rows, sum]);
    assert_eq!(read["counts"], json!({ "deltalake": expected, "duckdb": expected, "polars": expected }));
}

fn sum_of(batches: u64) -> f64 {
    totals(batches)[2].as_f64().expect("a sum")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_that_works_on_a_disk_works_in_a_bucket() {
    let Some(s3) = S3::start().await else { return };
    let mut site = site(&s3);
    let server = site.start().await;
    for number in 0..6 {
        send(&server, number).await;
        assert_eq!(server.sql(TOTALS).await, [totals(number + 1)]);
        flushed(&server).await;
    }
    let hot = json!({ "asset": "plant2/pump9", "signal": "temperature", "value": 3.5 });
    server.post("/v1/readings", &hot).await;
    let hot = json!({ "asset": "plant1/pump9", "signal": "temperature", "time": FIRST_MS, "value": 91.0 });
    server.post("/v1/readings", &hot).await;
    eventually("an alert", async || !server.alerts("&state=all").await.is_empty()).await;
    job(&server, "health").await;
    let history = "/v1/assets/plant1%2Fpump1/signals/temperature/readings\
        ?from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z";
    let before = server.get(history).await;
    assert_eq!(before["readings"].as_array().map(Vec::len), usize::try_from(6 * BATCH / 5).ok(), "{before}");
    flushed(&server).await;
    assert!(server.stop().await.success(), "{}", site.log());

    let server = site.start().await;
    let ended = job(&server, "maintain").await;
    assert!(ended["details"]["tables"]["readings"]["files_merged"].as_u64() >= Some(6), "{ended}");
    assert_eq!(server.get(history).await, before);
    assert_eq!(
        server.sql("SELECT rule, asset FROM alert_events LIMIT 1").await,
        [[json!("hot"), json!("plant1/pump9")]]
    );
    assert_eq!(server.count("SELECT count(*) FROM health").await, 1);
    assert_others_read(&s3, 6 * BATCH + 2, sum_of(6) + 94.5).await;
    assert!(server.stop().await.success(), "{}", site.log());

    site.settings.push_str("maintenance: { delete_after: 1us, retain: { readings: 30d } }\n");
    let server = site.start().await;
    for _ in 0..2 {
        job(&server, "maintain").await;
    }
    // The server may have begun with a run of its own.
    let runs = server.get("/v1/jobs/maintain/runs").await;
    let sum = |what: &str| -> u64 {
        let runs = runs["runs"].as_array().expect("runs").iter();
        runs.filter_map(|run| run["details"]["tables"]["readings"][what].as_u64()).sum()
    };
    assert_eq!(sum("rows_too_old"), 6 * BATCH + 1, "{runs}");
    assert!(sum("files_deleted") >= 6, "{runs}");
    assert_eq!(server.sql("SELECT asset, value FROM readings").await, [[json!("plant2/pump9"), json!(3.5)]]);
    assert_others_read(&s3, 1, 3.5).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn models_predictions_snapshots_and_backups_live_in_a_bucket_too() {
    let Some(s3) = S3::start().await else { return };
    let site = || {
        let mut site = Site::new();
        site.lake_url = Some(s3.lake());
        site.environment = s3.environment();
        furnish(&mut site);
        site
    };
    let first = site();
    let server = first.start().await;
    fill(&first, &server).await;
    let all = known_in_full(&server).await;
    server.kill().await;
    let server = first.start().await;
    assert_eq!(known(&server).await, all, "after a kill");
    // The model is read from the bucket again.
    let predicted = server.post("/v1/models/wear/predict", &json!({})).await;
    let ended = server.run_ended(predicted["run"].as_str().expect("a run")).await;
    assert_eq!(ended["state"], "succeeded", "{ended}");

    let backups = s3.lake().replace("lakes/one", "backups");
    let config = first.config().display().to_string();
    let (code, _, err) =
        first.run(&["backup", "--config", &config, "--server", &server.url, "--to", &backups]).await;
    assert_eq!(code, 0, "{err}");
    let all = known(&server).await;
    assert!(server.stop().await.success(), "{}", first.log());
    drop(first);

    let mut second = site();
    let lake = s3.lake().replace("lakes/one", "lakes/two");
    let data = second.path().join("data").display().to_string();
    let (code, _, err) =
        second.run(&["restore", "--from", &backups, "--data-dir", &data, "--lake", &lake]).await;
    assert_eq!(code, 0, "{err}");
    second.lake_url = Some(lake);
    let server = second.start().await;
    assert_eq!(known(&server).await, all, "restored from one bucket's folder into another");
}

/// Readings of the time since `number`; older files are no part of the question, so it can be answered
/// without the store.
fn since(number: u64) -> String {
    let time = forewarn_time(FIRST_MS + number * BATCH);
    format!(
        "SELECT count(*), count(DISTINCT time), sum(value) FROM readings WHERE asset LIKE 'plant1/%' AND \
         time >= '{time}'"
    )
}

/// A time of the first day, as SQL writes it.
fn forewarn_time(ms: u64) -> String {
    let of_day = ms - FIRST_MS;
    let (minutes, ms) = (of_day / 60_000, of_day % 60_000);
    format!("2026-01-01T{:02}:{:02}:{:02}.{:03}Z", minutes / 60, minutes % 60, ms / 1000, ms % 1000)
}

/// Sends batches while the store behaves badly, until so many commits have failed in a row and `long` has
/// passed; the next number.
async fn live_through(server: &Server, mut number: u64, first: u64, failures: u64, long: Duration) -> u64 {
    let until = tokio::time::Instant::now() + long;
    // Not a wait for anything: the pace at which a plant sends.
    let mut pace = tokio::time::interval(Duration::from_millis(100));
    while failed_commits(server).await < failures || tokio::time::Instant::now() < until {
        pace.tick().await;
        send(server, number).await;
        number += 1;
        assert_eq!(
            server.sql(&since(first)).await,
            [totals(number - first)],
            "each reading is counted at once"
        );
    }
    let (status, ready) = server.try_get("/readyz").await;
    let lake = ready["checks"]
        .as_array()
        .expect("checks")
        .iter()
        .find(|check| check["name"] == "lake")
        .expect("a check of the lake");
    let told = lake["detail"].as_str().expect("a text");
    assert!(
        status == 200 && told.contains("readings cannot be committed since"),
        "the server serves, and says what it cannot do: {ready}"
    );
    number
}

async fn outage(failures: u64, long: Duration) {
    let Some(s3) = S3::start().await else { return };
    let site = site(&s3);
    let server = site.start().await;
    for number in 0..3 {
        send(&server, number).await;
    }
    flushed(&server).await;
    s3.behave(Behaviour::Cut);
    let mut number = live_through(&server, 3, 3, failures, long).await;
    s3.behave(Behaviour::Busy);
    number = live_through(&server, number, 3, failures + 2, Duration::ZERO).await;
    assert!(s3.troubled() > 10, "the store was asked again and again");
    s3.behave(Behaviour::Pass);
    flushed(&server).await;
    assert_eq!(failed_commits(&server).await, 0);
    assert_eq!(server.sql(TOTALS).await, [totals(number)]);
    println!("{number} batches of {BATCH} readings");
    assert_others_read(&s3, number * BATCH, sum_of(number)).await;
    assert!(server.stop().await.success(), "{}", site.log());
    let server = site.start().await;
    assert_eq!(server.sql(TOTALS).await, [totals(number)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_of_the_store_stops_no_intake_and_loses_nothing() {
    outage(4, Duration::ZERO).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes ten minutes"]
async fn an_outage_of_ten_minutes_stops_no_intake_and_loses_nothing() {
    outage(4, Duration::from_mins(10)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_takes_two_seconds_for_each_answer_delays_only_the_commits() {
    let Some(s3) = S3::start().await else { return };
    let site = site(&s3);
    let server = site.start().await;
    send(&server, 0).await;
    flushed(&server).await;
    s3.behave(Behaviour::Slow(Duration::from_secs(2)));
    for number in 1..20 {
        send(&server, number).await;
        assert_eq!(server.sql(&since(1)).await, [totals(number)], "each reading is counted at once");
    }
    flushed(&server).await;
    assert_eq!(server.sql(TOTALS).await, [totals(20)]);
    assert_others_read(&s3, 20 * BATCH, sum_of(20)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_get_lost_repeat_no_commit() {
    const BATCHES: u64 = 30;
    let Some(s3) = S3::start().await else { return };
    let site = site(&s3);
    let server = site.start().await;
    for number in 0..BATCHES {
        s3.behave(Behaviour::LoseAnswers { every: 3 });
        send(&server, number).await;
        flushed(&server).await;
        s3.behave(Behaviour::Pass);
        assert_eq!(server.sql(TOTALS).await, [totals(number + 1)], "batch {number}");
    }
    assert!(s3.troubled() > 60, "answers got lost");
    assert_others_read(&s3, BATCHES * BATCH, sum_of(BATCHES)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_amid_commits_to_a_bucket_lose_nothing_and_repeat_nothing() {
    let Some(s3) = S3::start().await else { return };
    let mut site = site(&s3);
    site.settings =
        "branch: { commit_rows: 300, commit_every: 20ms }\nlog: { segment_bytes: 64KB }\n".to_owned();
    let mut random = Random::new(20_260_101);
    let mut server = site.start().await;
    let mut number = 0;
    for kill in 0..12 {
        for _ in 0..2 + random.below(4) {
            send(&server, number).await;
            number += 1;
        }
        // This is the moment of the kill, not a wait for anything.
        tokio::time::sleep(Duration::from_micros(random.below(120_000))).await;
        server.kill().await;
        server = site.start().await;
        assert_eq!(server.sql(TOTALS).await, [totals(number)], "kill {kill}");
    }
    flushed(&server).await;
    assert_eq!(server.sql(TOTALS).await, [totals(number)]);
    assert_others_read(&s3, number * BATCH, sum_of(number)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_writer_and_the_server_race_for_versions_and_nothing_gets_lost() {
    const ROUNDS: u64 = 8;
    let Some(s3) = S3::start().await else { return };
    let site = site(&s3);
    let server = site.start().await;
    send(&server, 0).await;
    flushed(&server).await;
    job(&server, "health").await;
    let python = peers::python().expect("moto runs on it");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/write_lake.py");
    let mut command = Command::new(python);
    command.arg(script).args([s3.lake(), ROUNDS.to_string()]).envs(s3.direct()).kill_on_drop(true);
    let mut other = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("Python starts");
    let mut say = other.stdin.take().expect("its input is piped");
    let mut lines = BufReader::new(other.stdout.take().expect("its output is piped")).lines();
    let (server, over) = (Arc::new(server), Arc::new(AtomicBool::new(false)));
    let (feeding, done) = (Arc::clone(&server), Arc::clone(&over));
    // The server commits as fast as it can while the other one does its rounds.
    let feed = tokio::spawn(async move {
        let mut number = 1;
        while !done.load(Ordering::SeqCst) {
            send(&feeding, number).await;
            job(&feeding, "health").await;
            number += 1;
        }
        number
    });
    for round in 1..=ROUNDS {
        say.write_all(b"go\n").await.expect("the other writer runs");
        let line = lines.next_line().await.expect("text");
        println!("{}", line.unwrap_or_else(|| panic!("the other writer has failed in round {round}")));
        if round % 3 == 0 {
            job(&server, "maintain").await;
        }
    }
    over.store(true, Ordering::SeqCst);
    let number = feed.await.expect("the feed comes to its end");
    assert!(other.wait().await.expect("an exit status").success());
    job(&server, "maintain").await;
    flushed(&server).await;
    assert_eq!(server.sql(TOTALS).await, [totals(number)]);
    let others = "SELECT count(*), count(DISTINCT time), sum(value) FROM readings WHERE asset LIKE 'other/%'";
    assert_eq!(
        server.sql(others).await,
        [[json!(10 * ROUNDS), json!(10 * ROUNDS), json!((0..ROUNDS).sum::<u64>() as f64 * 10.0)]]
    );
    assert_eq!(server.count("SELECT count(*) FROM health WHERE asset LIKE 'other/%'").await, 3 * ROUNDS);
    let runs = server.count("SELECT count(*) FROM health WHERE asset = 'plant1/pump1'").await;
    assert_eq!(runs, 1, "each run took the place of the one before it");
    let sum = sum_of(number) + (0..ROUNDS).sum::<u64>() as f64 * 10.0;
    assert_others_read(&s3, number * BATCH + 10 * ROUNDS, sum).await;
}
