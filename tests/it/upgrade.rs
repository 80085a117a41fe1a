//! A data folder that an earlier release wrote opens with this one: everything is there, and the server goes
//! on.
//!
//! `tests/fixtures/data-v1.tar.gz` holds such a folder, as a killed server left it, and `known.json`, what
//! that server knew. The server was that of commit ea427dc, taken through the steps of the ignored test here,
//! which writes the file anew: `FOREWARN_BIN=path/to/that/program cargo test --workspace --test it --
//! --ignored upgrade`.

use std::path::{Path, PathBuf};
use std::process::Command;

use forewarn_tests::site::{Site, eventually};
use serde_json::{Value, json};

use crate::estate::{fill, furnish, known, known_in_full, reading};

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/data-v1.tar.gz")
}

fn tar(arguments: &[&str]) {
    assert!(Command::new("tar").args(arguments).status().expect("tar runs").success(), "tar {arguments:?}");
}

#[tokio::test]
async fn a_data_folder_of_an_earlier_release_opens() {
    let mut site = Site::new();
    furnish(&mut site);
    tar(&["-xzf", &fixture().display().to_string(), "-C", &site.path().display().to_string()]);
    let former: Value =
        serde_json::from_slice(&std::fs::read(site.path().join("known.json")).expect("a file"))
            .expect("JSON");
    assert!(site.path().join("data/snapshots").exists(), "that release kept its snapshots beside the log");

    let server = site.start().await;
    assert!(server.metric("forewarn_log_start_offset").await > 0, "the log alone does not say everything");
    let end = former["end"].as_u64().expect("an offset");
    let mut found = known_in_full(&server).await;
    // What has been silent since the folder was written is in doubt now, which is told behind its end.
    found["events"].as_array_mut().expect("events").retain(|event| event[8].as_u64() < Some(end));
    assert_eq!(found, former["known"]);
    server.post("/v1/readings", &reading(3, 2_000, 60.0)).await;
    server.post("/v1/readings", &reading(7, 2_000, 97.0)).await;
    let new = server
        .sql(
            "SELECT asset, \"offset\" FROM readings WHERE time >= '2026-02-01T00:30:00Z' ORDER BY \"offset\"",
        )
        .await;
    assert_eq!(new.iter().map(|row| &row[0]).collect::<Vec<_>>(), ["plant1/pump3", "plant1/pump7"]);
    assert!(new.iter().all(|row| row[1].as_u64() >= Some(end)), "offsets go on from {end}: {new:?}");
    eventually("the new alert", async || server.alerts("&asset=plant1/pump7").await.len() == 1).await;
    let alerts = server.alerts("&asset=plant1/pump3&state=all").await;
    assert_eq!(
        alerts.iter().map(|alert| &alert["state"]).collect::<Vec<_>>(),
        [&json!("returned")],
        "{alerts:?}"
    );

    // The store takes over: once it has two snapshots, nothing rests on the former place any more.
    for _ in 0..2 {
        server.post("/v1/readings", &reading(0, 3_000, 60.0)).await;
    }
    let now = known(&server).await;
    assert!(server.stop().await.success(), "{}", site.log());
    assert!(site.path().join("data/snapshots").exists());
    let server = site.start().await;
    assert_eq!(known(&server).await, now);
    assert!(server.stop().await.success(), "{}", site.log());
    assert!(!site.path().join("data/snapshots").exists());
    assert_eq!(known(&site.start().await).await, now);
}

#[tokio::test]
#[ignore = "it writes the fixture, with the program of the release that the fixture is of"]
async fn the_data_folder_of_the_fixture_is_written() {
    let mut site = Site::new();
    furnish(&mut site);
    let server = site.start().await;
    fill(&site, &server).await;
    known_in_full(&server).await;
    // A second start and end leave snapshots behind, and a log that has been trimmed.
    for _ in 0..2 {
        server.post("/v1/readings", &reading(4, 0, 1.0)).await;
    }
    assert!(server.stop().await.success(), "{}", site.log());
    for second in 0..2 {
        let server = site.start().await;
        for n in 0..50 {
            server.post("/v1/readings", &reading(5, 100 * second + n, 1.0)).await;
        }
        assert!(server.stop().await.success(), "{}", site.log());
    }
    let server = site.start().await;
    assert!(server.metric("forewarn_log_start_offset").await > 0);
    for n in 0..20 {
        server.post("/v1/readings", &reading(6, n, 2.0)).await;
    }
    let known = known_in_full(&server).await;
    let end = server.metric("forewarn_log_end_offset").await;
    server.kill().await;
    site.write("known.json", &json!({ "known": known, "end": end }).to_string());
    let (archive, folder) = (fixture().display().to_string(), site.path().display().to_string());
    std::fs::create_dir_all(fixture().parent().expect("a folder")).expect("the folder of fixtures");
    tar(&["-czf", &archive, "-C", &folder, "--owner=0", "--group=0", "known.json", "data"]);
}
