//! Snapshots in the lake's store: a start reads only the log behind the newest, one that cannot be used costs
//! nothing as the one before serves, and without any the server says what to do.

use std::path::PathBuf;

use forewarn_tests::readings::reading;
use forewarn_tests::site::{Server, Site, eventually};
use serde_json::{Value, json};

/// So small that several segments lie between two snapshots, and are trimmed as soon as they are not needed.
const SETTINGS: &str = "log: { segment_bytes: 4KB }\nbranch: { commit_rows: 100, commit_every: 100ms }\n";
const HOT: &str = "\
pipeline: p
rules:
  - { name: hot, assets: \"plant1/**\", when: \"temperature > 90.0\", severity: critical }
";
/// Readings of one stretch of work; each is a record of its own.
const READINGS: usize = 200;

/// Sends the readings of a stretch, of which the first ones are of a pump that is new.
async fn work(server: &Server, stretch: usize) {
    for index in 0..READINGS {
        let pump = if index < 5 { stretch } else { 0 };
        let time = 1_767_225_600_000_i64
            + i64::try_from(stretch * READINGS + index).expect("a small number") * 1_000;
        let value = if index % 20 == 19 { 95.0 } else { 70.0 };
        let reading = reading(format!("plant1/pump{pump}"), "temperature", time, value);
        server.post("/v1/readings", &reading).await;
    }
}

/// What must be the same after every start.
async fn known(server: &Server) -> (Vec<Vec<Value>>, Vec<Value>, Value) {
    let alerts = server.alerts("&state=all").await;
    let readings =
        server.sql("SELECT asset, count(*), sum(value) FROM readings GROUP BY asset ORDER BY asset").await;
    (readings, alerts, server.get("/v1/assets").await)
}

fn snapshots(site: &Site) -> Vec<PathBuf> {
    let folders =
        std::fs::read_dir(site.lake().join("_forewarn/snapshots")).expect("the folder of snapshots");
    let entries = folders.flat_map(|log| {
        std::fs::read_dir(log.expect("a folder").path()).expect("the folder of the log's snapshots")
    });
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("a file").path()).collect();
    files.sort();
    files
}

fn damage(path: &PathBuf) {
    let mut bytes = std::fs::read(path).expect("a snapshot");
    *bytes.last_mut().expect("it is not empty") ^= 1;
    std::fs::write(path, bytes).expect("the file can be written");
}

#[tokio::test]
async fn a_damaged_snapshot_loses_nothing_though_the_log_is_trimmed() {
    let mut site = Site::new();
    site.settings.push_str(SETTINGS);
    site.pipeline(HOT);
    let mut before = None;
    for stretch in 0..4 {
        let server = site.start().await;
        work(&server, stretch).await;
        before = Some(known(&server).await);
        assert!(server.stop().await.success(), "{}", site.log());
    }
    let files = snapshots(&site);
    assert_eq!(files.len(), 2, "{files:?}");
    damage(&files[1]);

    let server = site.start().await;
    assert!(
        server.metric("forewarn_log_start_offset").await > 0,
        "a log that goes back to its beginning proves nothing"
    );
    assert!(site.log().contains("this snapshot is passed over"), "{}", site.log());
    assert_eq!(Some(known(&server).await), before);
    assert!(server.metric("forewarn_snapshot_offset").await > 0, "the snapshot that the start rests on");
    assert!(server.stop().await.success(), "{}", site.log());

    snapshots(&site).iter().for_each(damage);
    let (code, _, complaint) = site.run(&["serve", "--config", &site.config().display().to_string()]).await;
    assert_eq!(code, 2, "{complaint}");
    assert!(
        complaint.contains("none of the snapshots in") && complaint.contains("from a copy"),
        "{complaint}"
    );
}

#[tokio::test]
async fn a_start_reads_only_the_log_behind_the_newest_snapshot() {
    let mut site = Site::new();
    // One segment holds everything, so that nothing is trimmed and a start could read it all.
    site.settings.push_str("branch: { commit_rows: 100, commit_every: 100ms }\n");
    site.pipeline(HOT);
    let server = site.start().await;
    for stretch in 0..3 {
        work(&server, stretch).await;
    }
    assert!(server.stop().await.success(), "{}", site.log());
    let server = site.start().await;
    let replayed = server.metric("forewarn_start_replayed_records").await;
    assert_eq!(replayed, 0, "the last snapshot holds everything");
    let snapshot = server.metric("forewarn_snapshot_offset").await;
    assert!(snapshot > 3 * READINGS as u64, "{snapshot}");
    work(&server, 3).await;
    let before = known(&server).await;
    server.kill().await;

    let server = site.start().await;
    let (replayed, end) = (
        server.metric("forewarn_start_replayed_records").await,
        server.metric("forewarn_log_end_offset").await,
    );
    assert_eq!(server.metric("forewarn_log_start_offset").await, 0);
    assert_eq!(server.metric("forewarn_snapshot_offset").await, snapshot);
    assert!(
        (READINGS as u64..=end - snapshot).contains(&replayed),
        "{replayed} records were read of {end}, {snapshot} are in the snapshot"
    );
    assert_eq!(known(&server).await, before);
}

#[tokio::test]
async fn a_store_that_takes_no_snapshot_costs_no_alert_and_no_start() {
    let mut site = Site::new();
    site.settings.push_str(SETTINGS);
    site.pipeline(HOT);
    let server = site.start().await;
    // Where the folder of snapshots would be is a file, so none can be written.
    let folder = site.lake().join("_forewarn/snapshots");
    std::fs::write(&folder, "").expect("a file in the lake");
    work(&server, 0).await;
    let before = known(&server).await;
    assert!(!before.1.is_empty());
    assert!(server.stop().await.success(), "{}", site.log());
    assert!(site.log().contains("a snapshot could not be saved"), "{}", site.log());
    std::fs::remove_file(&folder).expect("the file goes");

    let server = site.start().await;
    assert_eq!(
        server.metric("forewarn_log_start_offset").await,
        0,
        "nothing is trimmed of what no snapshot holds"
    );
    assert_eq!(known(&server).await, before);
    work(&server, 1).await;
    let before = known(&server).await;
    assert!(server.stop().await.success(), "{}", site.log());
    assert_eq!(snapshots(&site).len(), 1);
    assert_eq!(known(&site.start().await).await, before);
}

#[tokio::test]
async fn rules_that_are_put_back_after_a_crash_are_in_force() {
    let site = Site::new();
    let hotter = HOT.replace("name: hot", "name: hotter").replace("90.0", "200.0");
    site.pipeline(HOT);
    let server = site.start().await;
    work(&server, 0).await;
    // This leaves a snapshot, in which the first rule is in force.
    assert!(server.stop().await.success(), "{}", site.log());
    site.pipeline(&hotter);
    site.start().await.kill().await;
    site.pipeline(HOT);
    let server = site.start().await;
    let reading = reading("plant1/other", "temperature", 1_767_225_600_000_i64, 95.0);
    server.post("/v1/readings", &reading).await;
    let alerts = server.alerts("&asset=plant1/other").await;
    let rules: Vec<&Value> = alerts.iter().map(|alert| &alert["rule"]).collect();
    assert_eq!(rules, ["hot"], "{alerts:?}");
}

#[tokio::test]
async fn rules_are_not_dropped_as_their_folder_is_missing() {
    let site = Site::new();
    site.pipeline(HOT);
    assert!(site.start().await.stop().await.success());
    let (folder, away) = (site.path().join("pipelines"), site.path().join("away"));
    std::fs::rename(&folder, &away).expect("the folder goes");
    let config = site.config();
    let serve = ["serve", "--config", &config.display().to_string()];
    let (code, _, err) = site.run(&serve).await;
    assert!(
        code == 2 && err.contains(&folder.display().to_string()) && err.contains("`pipelines` names"),
        "{code} {err}"
    );
    // Where the settings leave the folder at its default, it is the rules in force that are missed.
    let text = std::fs::read_to_string(&config).expect("settings");
    let unnamed: Vec<&str> = text.lines().filter(|line| !line.starts_with("pipelines:")).collect();
    std::fs::write(&config, unnamed.join("\n")).expect("settings");
    let (code, _, err) = site.run(&serve).await;
    assert!(
        code == 2 && err.contains("rules are in force") && err.contains("leave it empty"),
        "{code} {err}"
    );
    // Neither touches what needs no definitions.
    let (code, out, err) = site.run(&["log", "verify", "--config", &config.display().to_string()]).await;
    assert!(code == 0 && out.ends_with("whole\n"), "{out}{err}");
    std::fs::rename(&away, &folder).expect("the folder comes back");
    let server = site.start().await;
    work(&server, 0).await;
    assert!(!server.alerts("&state=all").await.is_empty(), "the rules are in force");
}

#[tokio::test]
async fn a_server_whose_log_has_no_room_for_alerts_still_ends_and_loses_none() {
    const FLIPS: usize = 2_000;
    let mut site = Site::new();
    site.settings.push_str("log: { max_bytes: 200KB, segment_bytes: 16KB }\n");
    site.pipeline(HOT);
    let server = site.start().await;
    let flip = |index: usize| {
        let time = 1_767_225_600_000_i64 + i64::try_from(index).expect("a small number") * 1_000;
        let value = if index.is_multiple_of(2) { 95.0 } else { 70.0 };
        format!(
            "{}\n",
            json!({ "asset": "plant1/pump0", "signal": "temperature", "time": time, "value": value })
        )
    };
    let (status, answer) = server.send("/v1/readings", (0..FLIPS).map(flip).collect::<String>()).await;
    assert_eq!((status, &answer["accepted"]), (200, &json!(FLIPS)), "{answer}");
    let reading = json!({ "asset": "plant1/pump1", "signal": "temperature", "value": 1.0 });
    eventually("a full log", async || server.send("/v1/readings", reading.to_string()).await.0 == 503).await;
    assert!(server.stop().await.success(), "{}", site.log());

    site.settings = site.settings.replace("200KB", "100MB");
    let server = site.start().await;
    eventually("every alert", async || {
        server.count("SELECT count(*) FROM alert_events").await == FLIPS as u64
    })
    .await;
}
