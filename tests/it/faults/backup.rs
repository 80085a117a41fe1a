//! Backups of a server that takes in readings meanwhile: restored elsewhere they are the state at one offset,
//! and the server goes on. What is damaged or incomplete is no backup.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use forewarn_tests::estate::{fill, furnish, known, known_in_full, reading};
use forewarn_tests::site::{Server, Site, eventually};
use serde_json::{Value, json};

/// Runs `forewarn backup` of the server of `site` to `to`; exit code, and what it printed.
async fn back_up(site: &Site, server: &Server, to: &Path) -> (i32, String, String) {
    let (config, to) = (site.config().display().to_string(), format!("file://{}", to.display()));
    site.run(&["backup", "--config", &config, "--server", &server.url, "--to", &to, "--json"]).await
}

async fn backed_up(site: &Site, server: &Server, to: &Path) -> Value {
    let (code, out, err) = back_up(site, server, to).await;
    assert_eq!(code, 0, "{err}");
    serde_json::from_str(&out).unwrap_or_else(|_| panic!("no JSON: {out}"))
}

/// Restores the newest backup to where the server of `site` will look.
async fn restore(from: &Path, site: &Site) -> (i32, String, String) {
    let (from, data) = (format!("file://{}", from.display()), site.path().join("data").display().to_string());
    site.run(&[
        "restore",
        "--from",
        &from,
        "--data-dir",
        &data,
        "--lake",
        &format!("file://{data}/lake"),
        "--json",
    ])
    .await
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.expect("a file").path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

fn one_of<'a>(files: &'a [PathBuf], part: &str) -> &'a PathBuf {
    files
        .iter()
        .find(|file| file.display().to_string().contains(part))
        .unwrap_or_else(|| panic!("no {part} in {files:?}"))
}

/// Sends readings of all pumps until `stop`, beginning at `second`; how many seconds were sent.
async fn stream(server: &Server, second: i64, stop: &AtomicBool) -> i64 {
    let mut sent = 0;
    while !stop.load(Ordering::SeqCst) {
        for (pump, phase) in (0..4).zip(0_i64..) {
            let value = if (sent / 3 + phase) % 5 == 0 { 99.0 } else { 75.0 };
            server.post("/v1/readings", &reading(pump, second + sent, value)).await;
        }
        sent += 1;
    }
    sent
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_made_while_readings_stream_in_is_the_state_at_one_offset() {
    let mut site = Site::new();
    furnish(&mut site);
    let server = Arc::new(site.start().await);
    fill(&site, &server).await;
    known_in_full(&server).await;
    let backups = tempfile::tempdir().expect("a folder for backups");
    let stop = Arc::new(AtomicBool::new(false));
    let sender = {
        let (server, stop) = (Arc::clone(&server), Arc::clone(&stop));
        tokio::spawn(async move { stream(&server, 1_000, &stop).await })
    };
    eventually("readings on their way", async || server.count("SELECT count(*) FROM readings").await > 1_000)
        .await;
    let first = backed_up(&site, &server, backups.path()).await;
    assert_eq!(first["bytes"], first["bytes_copied"], "the first one copies everything");
    let second = backed_up(&site, &server, backups.path()).await;
    assert!(
        second["bytes_copied"].as_u64() < second["bytes"].as_u64(),
        "files that are there are not copied again: {second}"
    );
    stop.store(true, Ordering::SeqCst);
    assert!(sender.await.expect("the sender ends") > 0);
    let offset = second["offset"].as_u64().expect("an offset");
    assert!(offset > first["offset"].as_u64().expect("an offset"), "readings were taken in meanwhile");

    let mut elsewhere = Site::new();
    furnish(&mut elsewhere);
    let (code, out, err) = restore(backups.path(), &elsewhere).await;
    assert_eq!(code, 0, "{err}");
    assert_eq!(serde_json::from_str::<Value>(&out).expect("JSON")["offset"], offset);
    let copy = elsewhere.start().await;
    let rows = |at: String| {
        format!(
            "SELECT asset, signal, time, value, late, \"offset\" FROM readings {at} ORDER BY \"offset\", \
             asset, time"
        )
    };
    let stored = server.sql(&rows(format!("WHERE \"offset\" < {offset}"))).await;
    assert!(stored.len() > 1_000);
    assert_eq!(copy.sql(&rows(String::new())).await, stored, "the readings before the offset, and no other");

    // What the first server was sent after the backup, the second one is sent now: they have then seen the
    // same, and know the same.
    let after = server
        .sql(&format!(
            "SELECT asset, signal, time, value FROM readings WHERE \"offset\" >= {offset} ORDER BY \"offset\""
        ))
        .await;
    assert!(!after.is_empty());
    for row in after {
        copy.post(
            "/v1/readings",
            &json!({ "asset": row[0], "signal": row[1], "time": row[2], "value": row[3] }),
        )
        .await;
    }
    let same = |mut known: Value| {
        for event in known["events"].as_array_mut().expect("events") {
            event.as_array_mut().expect("a row").pop();
        }
        known["events"].as_array_mut().expect("events").sort_by_key(Value::to_string);
        known
    };
    assert_eq!(same(known(&copy).await), same(known(&server).await));
    assert!(copy.stop().await.success(), "{}", elsewhere.log());
    let copy = elsewhere.start().await;
    assert_eq!(same(known(&copy).await), same(known(&server).await), "a restart changes nothing");
}

#[tokio::test]
async fn a_backup_that_is_damaged_or_was_interrupted_is_not_restored() {
    let mut site = Site::new();
    furnish(&mut site);
    let server = site.start().await;
    fill(&site, &server).await;
    let backups = tempfile::tempdir().expect("a folder for backups");
    // Where data files would go is a file, so the backup breaks off in the middle.
    std::fs::create_dir(backups.path().join("files")).expect("a folder");
    std::fs::write(backups.path().join("files/readings"), "").expect("a file");
    let (code, _, err) = back_up(&site, &server, backups.path()).await;
    assert_eq!(code, 2, "{err}");
    assert!(!files(&backups.path().join("backups")).is_empty(), "it had begun");
    let (code, _, err) = restore(backups.path(), &site).await;
    assert!(code == 2 && err.contains("there is no backup"), "{err}");
    std::fs::remove_file(backups.path().join("files/readings")).expect("the file goes");
    backed_up(&site, &server, backups.path()).await;

    let (code, _, err) = restore(backups.path(), &site).await;
    assert!(code == 2 && err.contains("holds a log already"), "{err}");
    let objects = files(backups.path());
    let manifest = one_of(&objects, "/manifest-");
    for part in [
        "files/readings/",
        "lake/alert_events/_delta_log/",
        "lake/_forewarn/snapshots/",
        "lake/models/",
        "/records",
        "/manifest-",
    ] {
        let object = if part == "/manifest-" { manifest } else { beside(&objects, manifest, part) };
        let whole = std::fs::read(object).expect("an object");
        let mut damaged = whole.clone();
        match damaged.last_mut() {
            Some(last) => *last ^= 1,
            // There may be no record that is not in the tables and in the snapshot.
            None => damaged.push(1),
        }
        std::fs::write(object, damaged).expect("the object can be written");
        let target = Site::new();
        let (code, _, err) = restore(backups.path(), &target).await;
        let name = object.file_name().expect("a name").to_string_lossy();
        assert!(code == 2 && err.contains("damaged") && err.contains(&*name), "{part}: {code} {err}");
        std::fs::write(object, whole).expect("the object can be written");
    }
    let mut target = Site::new();
    furnish(&mut target);
    let (code, _, err) = restore(backups.path(), &target).await;
    assert_eq!(code, 0, "{err}");
    assert_eq!(known_in_full(&target.start().await).await, known(&server).await);
    let (code, _, err) = restore(backups.path(), &target).await;
    assert_eq!(code, 2, "a lake or log that is there is left alone: {err}");
}

/// The object that the backup of `manifest` has at `part`: data files are shared, the rest is its own.
fn beside<'a>(objects: &'a [PathBuf], manifest: &Path, part: &str) -> &'a PathBuf {
    let own = manifest.parent().expect("a folder");
    let mine: Vec<PathBuf> = objects.iter().filter(|file| file.starts_with(own)).cloned().collect();
    let path = one_of(if part.starts_with("files/") { objects } else { &mine }, part).clone();
    objects.iter().find(|file| **file == path).expect("it is one of them")
}

#[tokio::test]
async fn a_lake_that_has_lost_its_data_folder_gets_a_new_one() {
    let mut site = Site::new();
    furnish(&mut site);
    let server = site.start().await;
    fill(&site, &server).await;
    // Outside the data folder, as the folder goes.
    let lake = site.path().join("lake");
    assert!(server.stop().await.success(), "{}", site.log());
    let server = site.start().await;
    // This is in the tables and in no snapshot when the machine is lost.
    server.post("/v1/readings", &reading(6, 0, 60.0)).await;
    eventually("an empty tail", async || server.metric("forewarn_lake_tail_rows").await == 0).await;
    let before = known_in_full(&server).await;
    let newest = server.count("SELECT max(\"offset\") FROM readings").await;
    server.kill().await;
    std::fs::rename(site.lake(), &lake).expect("the lake is kept");
    std::fs::remove_dir_all(site.path().join("data")).expect("the machine is lost");
    std::fs::create_dir(site.path().join("data")).expect("a new machine");
    std::fs::rename(&lake, site.lake()).expect("the lake is there");

    let (data, url) =
        (site.path().join("data").display().to_string(), format!("file://{}", site.lake().display()));
    let restore = ["restore", "--data-dir", &data, "--lake", &url, "--json"];
    let (code, out, err) = site.run(&restore).await;
    assert_eq!(code, 0, "{err}");
    let end = serde_json::from_str::<Value>(&out).expect("JSON")["offset"].as_u64().expect("an offset");
    assert!(end > newest, "no offset is given out twice: {out}");
    let server = site.start().await;
    assert_eq!(known_in_full(&server).await, before);
    server.post("/v1/readings", &reading(6, 1, 99.0)).await;
    server.post("/v1/readings", &reading(8, 1, 99.0)).await;
    for pump in [6, 8] {
        let filter = format!("&asset=plant1/pump{pump}");
        eventually("an alert", async || server.alerts(&filter).await.len() == 1).await;
    }
    let query = "SELECT asset, count(*) AS n, max(\"offset\") AS newest FROM readings \
        WHERE asset IN ('plant1/pump6', 'plant1/pump8') GROUP BY asset ORDER BY asset";
    let rows = server.sql(query).await;
    assert_eq!(
        rows.iter().map(|row| (row[0].as_str(), row[1].as_u64())).collect::<Vec<_>>(),
        [(Some("plant1/pump6"), Some(2)), (Some("plant1/pump8"), Some(1))]
    );
    assert!(rows.iter().all(|row| row[2].as_u64() >= Some(end)), "{rows:?}");
    let now = known(&server).await;
    assert!(server.stop().await.success(), "{}", site.log());
    assert_eq!(known(&site.start().await).await, now);
    let (code, _, err) = site.run(&restore).await;
    assert!(code == 2 && err.contains("holds a log already"), "{err}");
}

/// What says of a reading of which pump and second it is.
fn mark(pump: usize, second: i64) -> f64 {
    (pump * 100_000) as f64 + second as f64
}

/// Sends readings, of ever new pumps, until there is no answer.
async fn send_to_the_end(http: reqwest::Client, url: String, sender: usize) {
    for second in 0.. {
        let pump = sender * 1_000 + usize::try_from(second).expect("a small number") / 20;
        let body = reading(pump, second, mark(pump, second)).to_string();
        let sent = http
            .post(format!("{url}/v1/readings"))
            .header("content-type", "application/json")
            .body(body)
            .send()
            .await;
        match sent {
            Ok(response) => assert_eq!(response.status(), 200),
            Err(_) => return,
        }
    }
}

/// How many rows a table has by its Delta log, whatever any server says.
fn rows_on_disk(table: &Path) -> u64 {
    let mut entries = files(&table.join("_delta_log"));
    entries.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    let mut rows = std::collections::BTreeMap::new();
    for entry in entries {
        for line in std::fs::read_to_string(entry).expect("an entry").lines() {
            let action: Value = serde_json::from_str(line).expect("JSON");
            if let Some(path) = action["add"]["path"].as_str() {
                let stats: Value =
                    serde_json::from_str(action["add"]["stats"].as_str().expect("statistics")).expect("JSON");
                rows.insert(path.to_owned(), stats["numRecords"].as_u64().expect("a count"));
            } else if let Some(path) = action["remove"]["path"].as_str() {
                rows.remove(path);
            }
        }
    }
    rows.values().sum()
}

/// How many readings the server knows; each must be that of its pump and second, and be there once.
async fn check_readings(server: &Server) -> u64 {
    let rows = server.sql("SELECT asset, value FROM readings ORDER BY value").await;
    let mut before = None;
    for row in &rows {
        let pump: usize = row[0]
            .as_str()
            .and_then(|asset| asset.strip_prefix("plant1/pump")?.parse().ok())
            .expect("a pump");
        let value = row[1].as_f64().expect("a value");
        assert!((0.0..100_000.0).contains(&(value - mark(pump, 0))), "{row:?} is that of another pump");
        assert!(before.is_none_or(|before| before < value), "{row:?} is there twice");
        before = Some(value);
    }
    rows.len() as u64
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_under_load_that_takes_the_data_folder_leaves_what_is_in_the_lake() {
    let mut site = Site::new();
    site.settings.push_str(
        "log: { segment_bytes: 4KB }\nbranch: { commit_rows: 200, commit_every: 100ms }\n\
         snapshot: { every: 300ms }\n",
    );
    let lake = site.path().join("lake");
    site.lake_url = Some(format!("file://{}", lake.display()));
    let server = site.start().await;
    let senders: Vec<_> = (0..4)
        .map(|sender| tokio::spawn(send_to_the_end(server.http().clone(), server.url.clone(), sender)))
        .collect();
    eventually("a log that is trimmed up to a snapshot", async || {
        server.metric("forewarn_log_start_offset").await > 500 && rows_on_disk(&lake.join("readings")) > 1_000
    })
    .await;
    server.kill().await;
    for sender in senders {
        sender.await.expect("the sender ends");
    }
    std::fs::remove_dir_all(site.path().join("data")).expect("the machine is lost");
    let stored = rows_on_disk(&lake.join("readings"));

    let data = site.path().join("data").display().to_string();
    let url = site.lake_url.clone().expect("a lake");
    let (code, out, err) = site.run(&["restore", "--data-dir", &data, "--lake", &url, "--json"]).await;
    assert_eq!(code, 0, "{out}{err}");
    let server = site.start().await;
    assert_eq!(check_readings(&server).await, stored, "what is in the lake, and nothing else");
    // Every pump goes on, and others come: no name takes the place of another one.
    let pumps = server.count("SELECT count(DISTINCT asset) FROM readings").await;
    let pump_names = server.sql("SELECT DISTINCT asset FROM readings").await;
    let known = pump_names.iter().map(|row| {
        row[0].as_str().and_then(|asset| asset.strip_prefix("plant1/pump")).expect("a pump").to_owned()
    });
    let mut sent = 0;
    for pump in known.map(|pump| pump.parse::<usize>().expect("a number")).chain(9_000..9_020) {
        assert_eq!(
            server.post("/v1/readings", &reading(pump, 90_000, mark(pump, 90_000))).await["accepted"],
            1
        );
        sent += 1;
    }
    assert_eq!((check_readings(&server).await, sent), (stored + sent, pumps + 20));
    eventually("an empty tail", async || server.metric("forewarn_lake_tail_rows").await == 0).await;
    assert_eq!(rows_on_disk(&lake.join("readings")), stored + sent);
    server.kill().await;
    assert_eq!(check_readings(&site.start().await).await, stored + sent, "after a restart");
}

#[tokio::test]
async fn one_backup_at_a_time_and_each_log_at_a_place_of_its_own() {
    let mut site = Site::new();
    furnish(&mut site);
    let server = site.start().await;
    server.post("/v1/readings", &reading(0, 0, 1.0)).await;
    let backups = tempfile::tempdir().expect("a folder for backups");
    let held = server.http().post(format!("{}/v1/backups", server.url)).send().await.expect("an answer");
    assert_eq!(held.status(), 200);
    let (code, _, err) = back_up(&site, &server, backups.path()).await;
    assert!(code == 1 && err.contains("another backup is being made"), "{err}");
    drop(held);
    eventually("the state to be let go", async || back_up(&site, &server, backups.path()).await.0 == 0).await;

    let mut other = Site::new();
    furnish(&mut other);
    let stranger = other.start().await;
    let (code, _, err) = back_up(&other, &stranger, backups.path()).await;
    assert!(code == 2 && err.contains("backups of another log"), "{err}");
    let (code, _, err) = back_up(&site, &stranger, &backups.path().join("new")).await;
    assert!(code == 2 && err.contains("is the lake of the settings that of the server?"), "{err}");
    let (code, _, err) = back_up(&other, &stranger, &other.lake()).await;
    assert!(code == 2 && err.contains("is a lake"), "{err}");
    let (code, out, _) = site
        .run(&["restore", "--from", &format!("file://{}", backups.path().display()), "--list", "--json"])
        .await;
    let listed: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((code, listed["backups"].as_array().map(Vec::len)), (0, Some(1)), "{listed}");
}

#[tokio::test]
async fn a_table_that_the_server_cannot_open_is_named_and_makes_the_command_fail() {
    let mut site = Site::new();
    furnish(&mut site);
    let delta_log = site.lake().join("of_old/_delta_log");
    std::fs::create_dir_all(&delta_log).expect("a folder");
    std::fs::write(delta_log.join("00000000000000000000.json"), "{").expect("a file");
    let server = site.start().await;
    server.post("/v1/readings", &reading(0, 0, 1.0)).await;
    let backups = tempfile::tempdir().expect("a folder for backups");
    let (code, out, err) = back_up(&site, &server, backups.path()).await;
    assert!(code == 1 && err.contains("the table of_old is not in the backup"), "{code} {err}");
    assert_eq!(serde_json::from_str::<Value>(&out).expect("JSON")["left_out"], json!(["of_old"]));

    let mut elsewhere = Site::new();
    furnish(&mut elsewhere);
    let (code, _, err) = restore(backups.path(), &elsewhere).await;
    assert!(code == 0 && err.contains("the table of_old was left out"), "{code} {err}");
    assert_eq!(elsewhere.start().await.count("SELECT count(*) FROM readings").await, 1, "the rest is there");
    std::fs::remove_dir_all(site.lake().join("of_old")).expect("the table goes");
    assert_eq!(back_up(&site, &server, backups.path()).await.0, 0);
}
