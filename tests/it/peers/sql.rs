//! Some hundred questions made up by a seed, to the server and to `DuckDB`: both give the same answers, while
//! part of the rows is in files and part in the log's tail. `make compare-sql QUESTIONS=10000` asks more of
//! them.

use forewarn_tests::peers;
use forewarn_tests::random::Random;
use forewarn_tests::site::{Server, Site, eventually};
use serde_json::{Value, json};
use tokio::process::Command;

const FIRST_MS: u64 = 1_767_225_600_000;
const REQUESTS: u64 = 40;
const READINGS: u64 = 25;
const COMMIT_ROWS: u64 = 160;
const QUESTIONS: u64 = 300;
/// One question of so many may be refused: an answer that is not given is better than a wrong one.
const MOST_REFUSED: u64 = 25;

/// Readings of twelve series over three days, out of order here and there, of every quality. Values are
/// multiples of 1/8, whose sums are exact in any order.
async fn send(server: &Server, random: &mut Random, request: u64) {
    let mut pick =
        |of: &[&str]| of[usize::try_from(random.below(of.len() as u64)).expect("small")].to_owned();
    let mut lines = Vec::new();
    for n in 0..READINGS {
        let asset = pick(&["plant1/pump0", "plant1/pump1", "plant1/pump2", "plant2/fan0"]);
        let signal = pick(&["temperature", "pressure", "speed"]);
        let quality = pick(&["good", "good", "good", "bad", "uncertain"]);
        let behind = if pick(&["", "", "", "late"]).is_empty() { 0 } else { 7_200_000 };
        lines.push((asset, signal, quality, (request * READINGS + n) * 250_000, behind));
    }
    let mut line = |(asset, signal, quality, after, behind): (String, String, String, u64, u64)| {
        let time = FIRST_MS + after + random.below(1_000) - behind;
        let value = random.below(640) as f64 / 8.0;
        json!({ "asset": asset, "signal": signal, "quality": quality, "time": time, "value": value })
            .to_string()
    };
    let body: Vec<String> = lines.into_iter().map(&mut line).collect();
    let (status, answer) = server.send("/v1/readings", body.join("\n")).await;
    assert_eq!((status, &answer["accepted"]), (200, &json!(READINGS)), "{answer}");
}

/// Lives, one of an asset without readings and some without a comment.
async fn send_lives(server: &Server) {
    for (asset, event, time, comment) in [
        ("plant1%2Fpump0", "installed", "2025-12-31T00:00:00Z", None),
        ("plant1%2Fpump0", "failed", "2026-01-02T01:00:00Z", Some("bearing")),
        ("plant1%2Fpump1", "installed", "2025-12-31T12:00:00Z", None),
        ("plant1%2Fpump1", "repaired", "2026-01-01T08:20:00Z", Some("good")),
        ("plant3%2Fnew", "installed", "2026-01-01T00:00:00Z", Some("spare")),
    ] {
        let event = json!({ "event": event, "time": time, "comment": comment, "new_asset": true });
        server.post(&format!("/v1/assets/{asset}/life-events"), &event).await;
    }
}

/// A number that the environment may set, for more questions by hand (`make compare-sql`).
fn number(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

#[tokio::test]
async fn questions_are_answered_as_duckdb_answers_them() {
    let Some(python) = peers::python() else { return };
    let mut site = Site::new();
    site.settings = format!("branch: {{ commit_rows: {COMMIT_ROWS}, commit_every: 1h }}\n");
    let server = site.start().await;
    let mut random = Random::new(7);
    let mut requests = 0;
    let tail = async || server.metric("forewarn_lake_tail_rows").await;
    send_lives(&server).await;
    // The last ones find no company that would be enough for a commit.
    while requests < REQUESTS || tail().await == 0 {
        send(&server, &mut random, requests).await;
        requests += 1;
        eventually("commits that keep up", async || tail().await < COMMIT_ROWS).await;
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/sql/compare.py");
    let (seed, count) = (number("FOREWARN_SEED", 1), number("FOREWARN_QUESTIONS", QUESTIONS));
    let set = std::env::var("FOREWARN_QUESTION_SET").unwrap_or_else(|_| "full".to_owned());
    let arguments = [script, &server.url, &seed.to_string(), &count.to_string(), &set];
    let output = Command::new(python).args(arguments).output().await.expect("Python starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let compared: Value = serde_json::from_slice(&output.stdout).expect("the script prints JSON");
    println!("{}", compared["kinds"]);
    assert_eq!((&compared["asked"], &compared["rows"]), (&json!(count), &json!(requests * READINGS)));
    assert_eq!(compared["different"], json!([]), "{compared:#}");
    let refused = compared["refused"].as_array().map_or(0, Vec::len) as u64;
    assert!(refused * MOST_REFUSED <= count, "{refused} of {count} questions are refused: {compared:#}");
}
