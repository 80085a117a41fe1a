//! Other people's engines read the lake while the server writes it, and see what its own API shows.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use forewarn_tests::peers;
use forewarn_tests::readings::reading;
use forewarn_tests::site::{Server, Site, eventually};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::Command;

const DAY_MS: i64 = 86_400_000;
const FIRST_MS: i64 = 1_767_225_600_000;
/// Readings of one request; they span several days, which are partitions of the table.
const READINGS: i64 = 6_000;

/// Values are multiples of a quarter, so that their sum is the same in whichever order it is taken.
async fn send(server: &Server, round: i64) {
    let line = |n: i64| {
        let time = FIRST_MS + round * READINGS + n + (n % 3) * DAY_MS;
        reading(format!("plant1/pump{}", n % 7), "temperature", time, (n % 400) as f64 / 4.0).to_string()
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
        text.lines()
            .any(|line| line.strip_prefix("forewarn_lake_tail_rows ").is_some_and(|rows| rows.trim() == "0"))
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
        let Some(read) = peers::script("read_lake.py", &table.display().to_string()).await else { return };
        let expected = Value::from(shown[0].clone());
        assert_eq!(
            read["counts"],
            json!({ "deltalake": expected, "duckdb": expected, "polars": expected }),
            "round {round}"
        );
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
        server
            .post(
                "/v1/readings",
                &json!({ "asset": "plant1/pumpé", "signal": "flow", "time": time, "value": value }),
            )
            .await;
    }
    let Some(read) = peers::script("read_answers.py", &server.url).await else { return };
    let rows = json!([
        ["2026-01-01T00:00:00+00:00", "plant1/pumpé", 1.5],
        ["2026-01-01T00:01:00+00:00", "plant1/pumpé", -2.0]
    ]);
    for form in ["parquet", "arrow"] {
        assert_eq!(read[form]["rows"], rows, "{form}");
        assert_eq!(
            read[form]["types"],
            json!(["Datetime(time_unit='us', time_zone='UTC')", "String", "Float64"]),
            "{form}"
        );
    }
}

/// Between the rows that retention drops and those that stay.
const SINCE: &str = "2026-06-01T00:00:00+00:00";
const ROUNDS: usize = 100;
const FIGURES: &str = "count(*) AS n, min(value) AS low, max(value) AS high, sum(value) AS total";

/// Readings of one request: some of today, and some of days that retention empties.
async fn send_young_and_old(server: &Server, number: i64) {
    const YOUNG_MS: i64 = 1_780_272_000_000 + 30 * DAY_MS;
    let line = |n: i64| {
        let start = if n % 4 == 0 { FIRST_MS + (n % 3) * DAY_MS } else { YOUNG_MS + (n % 3) * DAY_MS };
        let value = ((number * 7 + n) % 4_000) as f64 / 4.0;
        let asset = format!("plant1/pump{}", n % 7);
        format!("{}\n", reading(asset, "temperature", start + number * 400 + n, value))
    };
    let (status, answer) = server.send("/v1/readings", (0..400).map(line).collect::<String>()).await;
    assert_eq!((status, &answer["accepted"]), (200, &json!(400)), "{answer}");
}

/// One script that reads on request.
struct Follower {
    _process: tokio::process::Child,
    say: tokio::process::ChildStdin,
    lines: tokio::io::Lines<BufReader<tokio::process::ChildStdout>>,
}

impl Follower {
    fn start(python: &Path, lake: &Path) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/follow_lake.py");
        let mut command = Command::new(python);
        command.arg(script).arg(lake).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn().expect("Python starts");
        let say = process.stdin.take().expect("its input is piped");
        let lines = BufReader::new(process.stdout.take().expect("its output is piped")).lines();
        Self { _process: process, say, lines }
    }

    /// The version read, the offset it ends at, and what each engine found.
    async fn read(&mut self) -> (u64, u64, Value) {
        self.say.write_all(format!("{SINCE}\n").as_bytes()).await.expect("the script runs");
        let line = self.lines.next_line().await.expect("text").expect("the script has an answer");
        let mut answer: Value = serde_json::from_str(&line).expect("the script prints JSON");
        let number = |name: &str| answer[name].as_u64().unwrap_or_else(|| panic!("no {name}: {answer}"));
        (number("version"), number("offset"), answer["read"].take())
    }
}

/// Sends readings at the pace of a plant until it is `over`; how many requests there were with the first.
async fn feed(server: Arc<Server>, over: Arc<AtomicBool>) -> i64 {
    let mut number = 1;
    // Not a wait for anything: the pace at which a plant sends.
    let mut pace = tokio::time::interval(std::time::Duration::from_millis(40));
    while !over.load(Ordering::SeqCst) {
        pace.tick().await;
        send_young_and_old(&server, number).await;
        number += 1;
    }
    number
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_rounds_of_other_engines_agree_with_the_api_during_intake_upkeep_and_retention() {
    let Some(python) = peers::python() else { return };
    let mut site = Site::new();
    site.settings =
        "branch: { commit_rows: 1500, commit_every: 300ms }\nmaintenance: { retain: { readings: 170d } }\n"
            .to_owned();
    let server = Arc::new(site.start().await);
    send_young_and_old(&server, 0).await;
    flushed(&server).await;
    let done = Arc::new(AtomicBool::new(false));
    let intake = tokio::spawn(feed(Arc::clone(&server), Arc::clone(&done)));
    let mut follower = Follower::start(&python, &site.lake());
    let (mut versions, mut upkeep) = (Vec::new(), None);
    let (mut merged, mut dropped) = (0, 0);
    for round in 0..ROUNDS {
        if round % 10 == 3 {
            let started = server.post("/v1/jobs/maintain/run", &json!({})).await;
            upkeep = started["run"].as_str().map(str::to_owned);
        }
        let (version, offset, read) = follower.read().await;
        let query = format!(
            "SELECT {FIGURES} FROM readings WHERE \"offset\" < {offset} AND time >= '2026-06-01T00:00:00Z'"
        );
        let shown = Value::from(server.sql(&query).await[0].clone());
        for engine in ["deltalake", "duckdb", "polars"] {
            assert_eq!(
                read[engine][0], shown,
                "{engine} in round {round}, version {version}, offset {offset}"
            );
            assert_eq!(
                read[engine][1], read["polars"][1],
                "{engine} in round {round}, version {version}: rows that are too old"
            );
        }
        versions.push(version);
        if round % 10 == 9
            && let Some(run) = upkeep.take()
        {
            let ended = server.run_ended(&run).await;
            assert_eq!(ended["state"], "succeeded", "{ended}");
            merged += ended["details"]["tables"]["readings"]["files_merged"].as_u64().unwrap_or(0);
            dropped += ended["details"]["tables"]["readings"]["rows_too_old"].as_u64().unwrap_or(0);
        }
    }
    done.store(true, Ordering::SeqCst);
    let batches = intake.await.expect("the intake comes to its end");
    println!(
        "{batches} requests, {} versions, {merged} files merged, {dropped} rows too old",
        versions.last().unwrap_or(&0)
    );
    assert!(
        versions.is_sorted() && versions.last() > versions.first().map(|first| first + 20).as_ref(),
        "{versions:?}"
    );
    assert!(
        merged > 20 && dropped > 200,
        "upkeep and retention went on meanwhile: {merged} files, {dropped} rows"
    );
    flushed(&server).await;
    let started = server.post("/v1/jobs/maintain/run", &json!({})).await;
    server.run_ended(started["run"].as_str().expect("a run")).await;
    let (_, _, read) = follower.read().await;
    let shown = server.sql(&format!("SELECT {FIGURES} FROM readings")).await;
    assert_eq!(shown[0][0], batches * 300);
    for engine in ["deltalake", "duckdb", "polars"] {
        assert_eq!(read[engine], json!([shown[0], 0]), "{engine} at the end: what is too old is gone");
    }
}

#[tokio::test]
async fn a_lake_of_an_earlier_version_opens_and_others_read_both_kinds_of_rows() {
    let site = Site::new();
    let lake = site.lake();
    std::fs::create_dir_all(&lake).expect("a folder");
    if peers::script("old_lake.py", &format!("make {}", lake.display())).await.is_none() {
        return;
    }
    let server = site.start().await;
    let event =
        json!({ "event": "failed", "time": "2026-01-02T00:00:00Z", "comment": "seal", "new_asset": true });
    server.post("/v1/assets/plant1%2Fpump7/life-events", &event).await;
    let expected = [[json!("plant1/old"), json!(null)], [json!("plant1/pump7"), json!("seal")]];
    assert_eq!(server.sql("SELECT asset, comment FROM life_events ORDER BY asset").await, expected);
    flushed(&server).await;
    assert_eq!(server.sql("SELECT asset, comment FROM life_events ORDER BY asset").await, expected);
    let read =
        peers::script("old_lake.py", &format!("read {}", lake.display())).await.expect("Python is there");
    assert_eq!(read["rows"], json!(expected));
}
