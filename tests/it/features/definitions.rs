//! Definitions that change while the server runs: on disk, over HTTP and from the command line.

mod load;
mod sent;

use forewarn_tests::heat::{HOT, heat, only_alert};
use forewarn_tests::site::{Server, Site, eventually};
use serde_json::{Value, json};

/// How the file of a pipeline or model stands.
async fn standing(server: &Server, name: &str) -> Value {
    let listed = server.get("/v1/pipelines").await;
    let mut files =
        ["pipelines", "models"].into_iter().flat_map(|kind| listed[kind].as_array().expect("files"));
    files.find(|file| file["name"] == name).cloned().unwrap_or(Value::Null)
}

/// The names of the rules in force.
async fn rules(server: &Server) -> Vec<String> {
    let rules = server.get("/v1/rules").await;
    let names = rules["rules"].as_array().expect("rules").iter();
    names.map(|rule| rule["name"].as_str().expect("a name").to_owned()).collect()
}

/// What the readiness check says of the definitions.
async fn readiness(server: &Server) -> String {
    let checks = server.get("/readyz").await["checks"].as_array().expect("checks").clone();
    let check = checks.into_iter().find(|check| check["name"] == "definitions").expect("the check");
    check["detail"].as_str().expect("a text").to_owned()
}

const WARM: &str =
    "  - { name: warm, assets: \"plant1/**\", when: \"temperature > 60.0\", severity: minor }\n";

#[tokio::test]
async fn a_change_on_disk_is_in_force_at_once_and_a_broken_file_stops_nothing() {
    let site = Site::new();
    site.pipeline(HOT);
    let server = site.start().await;
    heat(&server, "pump7", 95.0).await;
    let alert = only_alert(&server).await;
    server.post(&format!("/v1/alerts/{alert}/acknowledge"), &json!({ "actor": "ann" })).await;

    site.pipeline(&format!("{HOT}{WARM}"));
    eventually("the new rule", async || rules(&server).await == ["hot", "warm"]).await;
    heat(&server, "pump7", 96.0).await;
    eventually("its alert", async || server.alerts("").await.len() == 2).await;
    let kept = server.get(&format!("/v1/alerts/{alert}")).await;
    assert_eq!(kept["state"], "acknowledged", "{kept}");

    site.write("pipelines/other.yaml", "pipeline: other\nrules:\n  - { name: x, when: \"t >\" }\n");
    eventually("the refusal", async || standing(&server, "other").await["state"] == "refused").await;
    let other = standing(&server, "other").await;
    assert_eq!(other["problems"][0]["line"], 3, "{other}");
    assert_eq!(standing(&server, "p").await["state"], "in_force");
    let told = readiness(&server).await;
    assert!(told.contains("other.yaml is not in force as it stands: line 3"), "{told}");
    assert_eq!(server.metric("forewarn_definitions_pending_files").await, 1);
    // A file without mistakes waits for the other one.
    site.pipeline(HOT);
    eventually("it waits", async || standing(&server, "p").await["state"] == "waiting").await;
    assert_eq!(rules(&server).await, ["hot", "warm"]);

    // With files that are broken the server starts with what was in force.
    server.kill().await;
    let server = site.start().await;
    assert_eq!(rules(&server).await, ["hot", "warm"]);
    assert_eq!(standing(&server, "other").await["state"], "refused");
    assert_eq!(server.get(&format!("/v1/alerts/{alert}")).await["state"], "acknowledged");
    std::fs::remove_file(site.path().join("pipelines/other.yaml")).expect("the file was there");
    eventually("all is in force", async || rules(&server).await == ["hot"]).await;
    assert_eq!(server.metric("forewarn_definitions_pending_files").await, 0);
    assert!(server.metric("forewarn_definitions_changes_total").await >= 1);
}

#[tokio::test]
async fn a_first_start_with_mistakes_is_refused() {
    let site = Site::new();
    site.pipeline("pipeline: p\nrules:\n  - { name: x }\n");
    assert_eq!(site.try_launch().await.map(|_| ()).unwrap_err().code(), Some(1), "{}", site.log());
    assert!(site.log().contains("test.yaml:3:"), "{}", site.log());
}

/// A folder that is away, or a mount point that is empty, is no wish to drop all rules.
#[tokio::test]
async fn rules_stay_in_force_when_their_folder_is_away_or_empty() {
    let site = Site::new();
    site.pipeline(HOT);
    let server = site.start().await;
    let (folder, away) = (site.path().join("pipelines"), site.path().join("away"));
    std::fs::rename(&folder, &away).expect("the folder can be moved");
    eventually("it is told", async || readiness(&server).await.contains("there is no folder")).await;
    std::fs::create_dir(&folder).expect("an empty folder");
    eventually("it is told", async || readiness(&server).await.contains("no pipeline in")).await;
    assert_eq!(rules(&server).await, ["hot"]);
    let (code, _, err) = site.run(&["apply", "--server", &server.url]).await;
    assert_eq!((code, rules(&server).await.len()), (0, 0), "{err}");
    std::fs::remove_dir(&folder).expect("it is empty");
    std::fs::rename(&away, &folder).expect("the folder can be moved");
    eventually("they are back", async || rules(&server).await == ["hot"]).await;
}

const JOB: &str = "\
jobs:
  - name: daily
    schedule: \"0 2 * * *\"
    into: daily
    sql: \"SELECT asset, count(*) AS n FROM readings WHERE time >= :from AND time < :to GROUP BY asset\"
";
const MODEL: &str = "\
model: life
kind: time_to_failure
assets: \"plant1/**\"
signals: [temperature]
features: { every: 1h, windows: [6h], statistics: [last] }
target: { unit: hours, cap: 100 }
algorithms: [ridge]
";

#[tokio::test]
async fn jobs_sources_and_models_come_and_go() {
    let site = Site::new();
    site.pipeline(HOT);
    let server = site.start().await;
    let source = "sources:\n  - mqtt: { url: \"mqtt://127.0.0.1:1\", topic: \"a/+\", asset: \"{1}\", \
                  signal: v, payload: number }\n";
    site.pipeline(&format!("{HOT}{JOB}{source}"));
    site.write("models/life.yaml", MODEL);
    let names = async |path: &str, list: &str, key: &str| -> Vec<String> {
        let listed = server.get(path).await;
        let all = listed[list].as_array().expect("a list").iter();
        all.map(|one| one[key].as_str().expect("a name").to_owned()).collect()
    };
    let jobs = async || names("/v1/jobs", "jobs", "name").await;
    eventually("they are there", async || {
        jobs().await == ["daily", "train:life", "predict:life", "maintain"]
            && names("/v1/sources", "sources", "name").await == ["forewarn-p"]
            && names("/v1/models", "models", "model").await == ["life"]
    })
    .await;
    assert_eq!(standing(&server, "life").await["state"], "in_force");
    std::fs::remove_file(site.path().join("models/life.yaml")).expect("the file was there");
    site.pipeline(HOT);
    eventually("they are gone", async || {
        jobs().await == ["maintain"]
            && names("/v1/sources", "sources", "name").await.is_empty()
            && names("/v1/models", "models", "model").await.is_empty()
    })
    .await;
}
