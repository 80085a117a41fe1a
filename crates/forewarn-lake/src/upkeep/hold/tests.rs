//! What is held can be copied whole, whatever happens to the lake meanwhile.

use forewarn_types::Timestamp;

use crate::store::ObjectFiles;
use crate::testing::{Plant, sql};
use crate::{Cell, CompactOptions, Lake, LakeOptions};

/// Replaces the files of readings and deletes the old ones.
async fn upkeep(lake: Lake) {
    lake.compact("readings", CompactOptions { min_files: 2, ..CompactOptions::default() }).await.unwrap();
    for _ in 0..2 {
        lake.vacuum("readings", 0, 0).await.unwrap();
    }
}

#[tokio::test]
async fn a_held_lake_can_be_copied_while_it_moves_on() {
    let plant = Plant::new();
    let running = plant.start().await;
    for n in 0..5 {
        plant.push(&[("p1", "t", n, n as f64)]);
        running.lake.flush().await.unwrap();
    }
    // Another program's, which no reader of the data files would miss here.
    std::fs::write(plant.folder.path().join("readings/deletion_vector_1.bin"), b"rows").unwrap();
    let held = running.lake.hold(running.lake.pause_upkeep().await).await.unwrap();
    plant.push(&[("p1", "t", 100, 100.0)]);
    running.lake.flush().await.unwrap();
    assert!(held.offset < running.lake.writer.stored_offset().await.unwrap(), "the branch does not wait");

    let folder = tempfile::tempdir().unwrap();
    let target =
        ObjectFiles::open(&format!("file://{}", folder.path().display()), Timestamp(0)).await.unwrap();
    let store = running.lake.store().clone();
    let copy = async {
        for path in held.tables.iter().flat_map(|table| table.files.iter().chain(&table.log_entries)) {
            let (size_bytes, crc) = store.copy(path, &target, path).await.unwrap();
            let copied = target.get(path).await.unwrap().unwrap();
            assert_eq!((size_bytes, crc), (copied.len() as u64, crc32fast::hash(&copied)), "{path}");
        }
    };
    let mut upkeep = tokio::spawn(upkeep(running.lake.clone()));
    tokio::select! {
        biased;
        _ = &mut upkeep => panic!("what is held has been deleted"),
        () = copy => {}
    }
    let readings = held.tables.iter().find(|table| table.name == "readings").unwrap();
    let (files, vectors): (Vec<String>, Vec<String>) =
        readings.files.iter().cloned().partition(|file| file.contains(".parquet"));
    assert_eq!((files.len(), vectors), (5, vec!["readings/deletion_vector_1.bin".to_owned()]));
    drop(held);
    upkeep.await.unwrap();
    for file in files {
        assert_eq!(
            store.get(&file).await.unwrap(),
            None,
            "this proves nothing unless the upkeep deletes what was held"
        );
    }

    let options =
        LakeOptions { url: format!("file://{}", folder.path().display()), ..LakeOptions::default() };
    let copy = plant.open(options).await;
    let counted = sql(&copy, "SELECT count(*), sum(value) FROM readings").await.unwrap();
    assert_eq!((counted.cell(0, 0), counted.cell(0, 1)), (Cell::Int(5), Cell::Float(10.0)));
    assert_eq!(running.int("SELECT count(*) FROM readings").await, 6);
    running.shut_down().await;
}

#[tokio::test]
async fn tables_that_the_server_does_not_know_are_named() {
    let plant = Plant::new();
    let damaged = plant.folder.path().join("broken/_delta_log");
    std::fs::create_dir_all(&damaged).unwrap();
    std::fs::write(damaged.join("00000000000000000000.json"), "{").unwrap();
    let running = plant.start().await;
    // Another program makes a copy of a table while the server runs.
    let (from, to) =
        (plant.folder.path().join("readings/_delta_log"), plant.folder.path().join("copied/_delta_log"));
    std::fs::create_dir_all(&to).unwrap();
    std::fs::copy(from.join("00000000000000000000.json"), to.join("00000000000000000000.json")).unwrap();
    let held = running.lake.hold(running.lake.pause_upkeep().await).await.unwrap();
    let named: Vec<&str> = held.left_out.iter().map(|left_out| left_out.table.as_str()).collect();
    assert_eq!(named, ["broken", "copied"]);
    assert!(held.left_out[0].reason.contains("broken"), "{:?}", held.left_out[0]);
    assert!(held.left_out[1].reason.contains("restart the server"), "{:?}", held.left_out[1]);
    assert!(held.tables.iter().all(|table| !named.contains(&table.name.as_str())));
}

#[tokio::test]
async fn a_checkpoint_without_content_stands_for_no_commit_that_is_held() {
    let plant = Plant::new();
    let running = plant.start().await;
    for n in 0..3 {
        plant.push(&[("p1", "t", n, n as f64)]);
        running.lake.flush().await.unwrap();
    }
    // A power cut has left it so.
    let log = plant.folder.path().join("readings/_delta_log");
    std::fs::write(log.join(format!("{:020}.checkpoint.parquet", 2)), b"").unwrap();
    let held = running.lake.hold(running.lake.pause_upkeep().await).await.unwrap();
    let readings = held.tables.iter().find(|table| table.name == "readings").unwrap();
    let commits: Vec<String> =
        (0..=3).map(|version| format!("readings/_delta_log/{version:020}.json")).collect();
    assert_eq!(readings.version, 3);
    assert!(commits.iter().all(|commit| readings.log_entries.contains(commit)), "{readings:?}");
    drop(held);
    running.shut_down().await;
}
