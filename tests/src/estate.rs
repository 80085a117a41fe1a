//! A small plant that has something of every kind: readings good, bad and late, alerts in several states, a
//! job and its rows, lives, a model and its predictions. What a server knows of it must be the same after
//! whatever happens to its folders.

use serde_json::{Value, json};

use crate::cli::{done, file};
use crate::readings;
use crate::site::{Server, Site, eventually};
use crate::wear::{MODEL, wearing};

/// 2026-02-01T00:00:00Z, behind the lives that the model learns from.
pub const FIRST_MS: i64 = 1_769_904_000_000;
const PIPELINE: &str = "\
pipeline: p
rules:
  - { name: hot, assets: \"plant1/pump*\", when: \"temperature > 90.0\", severity: critical }
jobs:
  - name: hottest
    schedule: \"0 0 1 * *\"
    sql: >
      SELECT asset, max(value) AS hottest FROM readings
      WHERE time >= :from AND time < :to AND signal = 'temperature' GROUP BY asset
    into: hottest_daily
";
const ALERT_FIELDS: [&str; 9] =
    ["id", "rule", "asset", "state", "severity", "started", "ended", "value", "message"];
/// Segments and commits are small, so that all of them are met.
pub const SETTINGS: &str = "log: { segment_bytes: 4KB }\nbranch: { commit_rows: 500, commit_every: 100ms }\n";

/// A reading of a pump's temperature.
pub fn reading(pump: usize, second: i64, value: f64) -> Value {
    readings::reading(format!("plant1/pump{pump}"), "temperature", FIRST_MS + second * 1_000, value)
}

/// The definitions of the plant.
pub fn furnish(site: &mut Site) {
    site.settings.push_str(SETTINGS);
    site.pipeline(PIPELINE);
    site.write("models/wear.yaml", MODEL);
}

/// Fills the plant.
///
/// # Panics
/// If the server does not take it.
pub async fn fill(site: &Site, server: &Server) {
    let import = ["--asset", "plant1/m{machine}", "--time", "time", "--lives"];
    let past = file(site, "past.csv", &wearing(0..12, usize::MAX));
    done(server, &[&["import", &past][..], &import, &["failed"]].concat()).await;
    let present = file(site, "present.csv", &wearing(12..14, 30));
    done(server, &[&["import", &present][..], &import, &["running"]].concat()).await;
    done(server, &["model", "train", "wear", "--wait"]).await;
    done(server, &["model", "predict", "wear", "--wait"]).await;
    for second in 0..60 {
        for pump in 0..4 {
            // The last pump gets hot and stays so, the third is acknowledged, the second cools down.
            let value = match (pump, second) {
                (3 | 2, 30..) | (1, 30..40) => 95.5,
                _ => 70.0 + (second % 7) as f64 / 8.0,
            };
            server.post("/v1/readings", &reading(pump, second, value)).await;
        }
    }
    let mut bad = reading(0, 60, 300.0);
    bad["quality"] = json!("bad");
    server.post("/v1/readings", &bad).await;
    server.post("/v1/readings", &reading(0, -5, 71.0)).await;
    eventually("three alerts", async || server.alerts("&state=all").await.len() == 3).await;
    let alerts = server.alerts("&asset=plant1/pump2").await;
    let id = alerts[0]["id"].as_str().expect("an id");
    let word = json!({ "actor": "ola", "comment": "seen" });
    server.post(&format!("/v1/alerts/{id}/acknowledge"), &word).await;
    done(
        server,
        &[
            "job",
            "run",
            "hottest",
            "--wait",
            "--from",
            "2026-02-01T00:00:00Z",
            "--to",
            "2026-03-01T00:00:00Z",
        ],
    )
    .await;
}

/// What must not change.
///
/// # Panics
/// If the server does not say it.
pub async fn known(server: &Server) -> Value {
    let picked = |list: Vec<Value>, keys: &[&str]| -> Vec<Value> {
        list.into_iter()
            .map(|item| {
                keys.iter()
                    .map(|key| ((*key).to_owned(), item[*key].clone()))
                    .collect::<serde_json::Map<_, _>>()
                    .into()
            })
            .collect()
    };
    let list = |mut answer: Value, key: &str| answer[key].as_array_mut().map(std::mem::take).expect("a list");
    let alerts = server.alerts("&state=all").await;
    // The last digits of a sum depend on the order of the files, which a restart changes.
    let readings = "SELECT asset, signal, count(*) AS n, round(sum(value), 6) AS total, \
        min(time) AS oldest, max(time) AS newest, sum(CASE WHEN late THEN 1 ELSE 0 END) AS late, \
        sum(CASE WHEN quality = 'bad' THEN 1 ELSE 0 END) AS bad FROM readings \
        GROUP BY asset, signal ORDER BY asset, signal";
    let events = "SELECT alert, rule, asset, transition, state, value, actor, comment, \"offset\" \
        FROM alert_events ORDER BY \"offset\"";
    let runs = list(server.get("/v1/jobs/hottest/runs").await, "runs");
    let predictions = list(server.get("/v1/predictions").await, "predictions");
    json!({
        "readings": server.sql(readings).await,
        "events": server.sql(events).await,
        "alerts": picked(alerts, &ALERT_FIELDS),
        "hottest": server.sql("SELECT asset, hottest FROM hottest_daily ORDER BY asset").await,
        "runs": picked(runs, &["run", "state", "from", "to", "rows"]),
        "lives": server.sql("SELECT asset, time, event FROM life_events ORDER BY asset, time, event").await,
        "predictions": picked(predictions, &["asset", "model", "version", "time", "p05", "p50", "p95"]),
        "predicted": server.sql("SELECT count(*) FROM predictions").await,
    })
}

/// [`known`], which must have something of every kind.
///
/// # Panics
/// If it has not.
pub async fn known_in_full(server: &Server) -> Value {
    let known = known(server).await;
    let count = |kind: &str| known[kind].as_array().expect("a list").len();
    let counts = ["alerts", "hottest", "runs", "predictions"].map(count);
    assert_eq!(counts, [3, 4, 1, 2], "{known}");
    let states: Vec<&Value> =
        known["alerts"].as_array().expect("alerts").iter().map(|alert| &alert["state"]).collect();
    assert!(
        states.contains(&&json!("acknowledged")) && states.contains(&&json!("unacknowledged")),
        "{states:?}"
    );
    known
}
