//! Only what is too old goes, and only what is not needed is deleted.

use forewarn_types::Timestamp;

use super::*;
use crate::Lake;
use crate::testing::{NEW_YEAR, Plant, Running};

const DAY_US: i64 = 86_400_000_000;
const WEEK_US: i64 = 7 * DAY_US;

/// One file of readings a day.
async fn commit_days(plant: &Plant, running: &Running, days: i64) {
    for day in 0..days {
        plant.push(&[("p1", "t", day * DAY_US, day as f64), ("p1", "t", day * DAY_US + 5, day as f64 + 0.5)]);
        running.lake.flush().await.unwrap();
    }
}

fn parquet_files(plant: &Plant) -> Vec<String> {
    let mut found = Vec::new();
    for day in std::fs::read_dir(plant.folder.path().join("readings")).unwrap().flatten() {
        if day.file_name() != "_delta_log" {
            found.extend(
                std::fs::read_dir(day.path())
                    .unwrap()
                    .flatten()
                    .map(|file| file.path().display().to_string()),
            );
        }
    }
    found.sort();
    found
}

fn log_entries(plant: &Plant) -> Vec<String> {
    let entries = std::fs::read_dir(plant.folder.path().join("readings/_delta_log")).unwrap().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| name != "_last_checkpoint");
    names.sort();
    names
}

async fn vacuum(lake: &Lake, safety_us: i64) -> usize {
    lake.vacuum("readings", safety_us, i64::MAX).await.unwrap().files
}

#[tokio::test]
async fn rows_that_are_too_old_leave_the_table_by_whole_files() {
    let plant = Plant::new();
    let running = plant.start().await;
    commit_days(&plant, &running, 4).await;
    plant.push(&[("p1", "t", 5 * DAY_US, 9.0)]);
    // The second day's newest row is exactly as old as is allowed.
    let done = running.lake.retain("readings", Timestamp(NEW_YEAR + DAY_US + 5)).await.unwrap();
    assert_eq!(done, Retained { files: 1, rows: 2 });
    assert_eq!(running.int("SELECT count(*) FROM readings").await, 7);
    assert_eq!(
        running.lake.retain("readings", Timestamp(NEW_YEAR + DAY_US + 5)).await.unwrap(),
        Retained::default()
    );
    running.shut_down().await;
    let again = plant.start().await;
    assert_eq!(again.csv("SELECT min(value), count(*) FROM readings").await, "1,7");
    again.shut_down().await;
}

#[tokio::test]
async fn a_file_is_deleted_once_it_has_been_out_of_the_table_for_the_safety_period() {
    let plant = Plant::new();
    let running = plant.start().await;
    commit_days(&plant, &running, 3).await;
    let orphan = plant.folder.path().join("readings/date=2026-01-01/part-orphan.zstd.parquet");
    std::fs::write(&orphan, b"half a file").unwrap();
    running.lake.retain("readings", Timestamp(NEW_YEAR + DAY_US)).await.unwrap();
    let before = parquet_files(&plant);
    assert_eq!(before.len(), 4);
    for _ in 0..2 {
        assert_eq!(vacuum(&running.lake, WEEK_US).await, 0, "it has only just been seen");
    }
    plant.clock.set(Timestamp(NEW_YEAR + WEEK_US - 1));
    assert_eq!(vacuum(&running.lake, WEEK_US).await, 0);
    running.shut_down().await;
    let again = plant.start().await;
    plant.clock.set(Timestamp(NEW_YEAR + WEEK_US));
    assert_eq!(vacuum(&again.lake, WEEK_US).await, 2, "also after a restart");
    let after = parquet_files(&plant);
    assert_eq!(after.len(), 2);
    assert!(after.iter().all(|file| before.contains(file)) && !orphan.exists());
    assert_eq!(again.int("SELECT count(*) FROM readings").await, 4);
    again.shut_down().await;
}

#[tokio::test]
async fn a_file_that_comes_into_the_table_meanwhile_is_kept() {
    let plant = Plant::new();
    let running = plant.start().await;
    commit_days(&plant, &running, 1).await;
    let file = std::path::PathBuf::from(parquet_files(&plant).remove(0));
    // The file stands there for a long time before its commit: as a copy under another name, and then under
    // its own.
    let early = file.with_file_name("part-early.zstd.parquet");
    std::fs::rename(&file, &early).unwrap();
    assert_eq!(vacuum(&running.lake, DAY_US).await, 0);
    std::fs::rename(&early, &file).unwrap();
    plant.clock.set(Timestamp(NEW_YEAR + 30 * DAY_US));
    assert_eq!(vacuum(&running.lake, DAY_US).await, 0);
    assert!(file.exists());
    assert_eq!(running.int("SELECT count(*) FROM readings").await, 2);
    running.shut_down().await;
}

#[tokio::test]
async fn a_query_that_began_before_a_compaction_ends_after_it() {
    let plant = Plant::new();
    let running = plant.start().await;
    for _ in 0..8 {
        commit_days(&plant, &running, 1).await;
    }
    let view = running.lake.reader.view();
    running.lake.compact("readings", CompactOptions::default()).await.unwrap();
    assert_eq!(vacuum(&running.lake, DAY_US).await, 0);
    for file in view.tables["readings"].files.iter() {
        assert!(crate::store::local_path(&file.location).exists(), "{}", file.location);
    }
    running.shut_down().await;
}

#[tokio::test]
async fn the_delta_log_is_cut_behind_a_checkpoint_and_still_opens() {
    let plant = Plant::new();
    let running = plant.start().await;
    for day in 0..120_i64 {
        plant.push(&[("p1", "t", day % 2 * DAY_US + day, day as f64)]);
        running.lake.flush().await.unwrap();
    }
    let before = log_entries(&plant);
    // The injected clock stands still, so nothing is older than it by the clock of the store unless the bound
    // is below zero.
    let far = Timestamp(
        running.lake.store().list("readings/_delta_log").await.unwrap()[0].modified.0 + 10 * DAY_US,
    );
    plant.clock.set(far);
    let done = running.lake.vacuum("readings", i64::MAX, DAY_US).await.unwrap();
    let after = log_entries(&plant);
    assert_eq!(before.len() - after.len(), done.log_entries);
    assert!(done.log_entries >= 100, "{before:?}");
    assert!(after[0].ends_with(".checkpoint.parquet"), "{after:?}");
    assert_eq!(running.int("SELECT count(*) FROM readings").await, 120);
    plant.push(&[("p1", "t", 777, 0.0)]);
    running.lake.flush().await.unwrap();
    running.shut_down().await;
    let again = plant.start().await;
    assert_eq!(again.int("SELECT count(*) FROM readings").await, 121);
    again.shut_down().await;
}

#[tokio::test]
async fn a_checkpoint_without_content_covers_no_commits() {
    let plant = Plant::new();
    let running = plant.start().await;
    commit_days(&plant, &running, 3).await;
    let before = log_entries(&plant);
    let checkpoint =
        plant.folder.path().join("readings/_delta_log").join(format!("{:020}.checkpoint.parquet", 2));
    std::fs::write(&checkpoint, b"").unwrap();
    assert_eq!(running.lake.vacuum("readings", WEEK_US, i64::MIN).await.unwrap().log_entries, 0);
    std::fs::remove_file(&checkpoint).unwrap();
    assert_eq!(log_entries(&plant), before);
    running.shut_down().await;
}
