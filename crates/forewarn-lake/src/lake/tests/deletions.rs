//! Rows that another program has deleted with deletion vectors.

use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::CompactOptions;
use crate::table::{Change, Uploaded};

/// Z85 (`ZeroMQ` RFC 32), the form of deletion vectors that stand in the log itself.
fn z85(bytes: &[u8]) -> String {
    const DIGITS: &[u8] =
        b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";
    let mut text = String::new();
    for word in bytes.chunks_exact(4) {
        let word = u32::from_be_bytes(word.try_into().unwrap());
        for power in (0..5).rev() {
            text.push(char::from(DIGITS[(word / 85_u32.pow(power) % 85) as usize]));
        }
    }
    text
}

/// A deletion vector of some rows below 65,536 as it stands in the log: a magic number and a 64-bit Roaring
/// bitmap of one array.
fn vector(rows: &[u16]) -> Value {
    let mut bytes = Vec::from(1_681_511_377_u32.to_le_bytes());
    bytes.extend(1_u64.to_le_bytes());
    bytes.extend(0_u32.to_le_bytes());
    bytes.extend(12_346_u32.to_le_bytes());
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend(0_u16.to_le_bytes());
    bytes.extend(u16::try_from(rows.len() - 1).unwrap().to_le_bytes());
    bytes.extend(16_u32.to_le_bytes());
    bytes.extend(rows.iter().flat_map(|row| row.to_le_bytes()));
    let (text, size, count) = (z85(&bytes), bytes.len(), rows.len());
    json!({ "storageType": "i", "pathOrInlineDv": text, "sizeInBytes": size, "cardinality": count })
}

/// Deletes rows of the only file of the table `readings` as Spark does: a commit that gives the file a
/// deletion vector.
fn delete_rows(plant: &Plant, rows: &[u16]) {
    let log = plant.folder.path().join("readings/_delta_log");
    let entry = |version: usize| log.join(format!("{version:020}.json"));
    let versions = (0..usize::MAX).take_while(|version| entry(*version).exists()).count();
    let actions: Vec<Value> = (0..versions)
        .flat_map(|version| {
            std::fs::read_to_string(entry(version)).unwrap().lines().map(str::to_owned).collect::<Vec<_>>()
        })
        .map(|line| serde_json::from_str(&line).unwrap())
        .collect();
    let mut add = actions.iter().filter_map(|action| action.get("add")).next_back().unwrap().clone();
    let mut remove = json!({
        "path": add["path"],
        "deletionTimestamp": 1,
        "dataChange": true,
        "extendedFileMetadata": true,
        "partitionValues": add["partitionValues"],
        "size": add["size"],
    });
    // A file is the same one only with the same vector.
    if let Some(before) = add.get("deletionVector") {
        remove["deletionVector"] = before.clone();
    }
    add["deletionVector"] = vector(rows);
    let features = json!(["deletionVectors"]);
    let protocol = json!({
        "minReaderVersion": 3,
        "minWriterVersion": 7,
        "readerFeatures": features,
        "writerFeatures": features,
    });
    let info = json!({ "timestamp": 1, "operation": "DELETE" });
    let lines = [
        json!({ "commitInfo": info }),
        json!({ "protocol": protocol }),
        json!({ "remove": remove }),
        json!({ "add": add }),
    ];
    std::fs::write(entry(versions), lines.map(|line| format!("{line}\n")).concat()).unwrap();
}

#[tokio::test]
async fn rows_that_another_program_deletes_with_deletion_vectors_are_gone() {
    let plant = Plant::new();
    let running = plant.start().await;
    plant.push(&[("p1", "t", 0, 0.0), ("p1", "t", 1, 1.0), ("p1", "t", 2, 2.0), ("p2", "t", 3, 3.0)]);
    running.lake.flush().await.unwrap();
    delete_rows(&plant, &[1, 3]);
    running.lake.refresh().await.unwrap();
    let values = "SELECT value FROM readings ORDER BY value";
    assert_eq!(running.csv(values).await, "0\n2");
    for round in 0..3 {
        plant.push(&[("p1", "t", 10 + round, 10.0 + round as f64)]);
        running.lake.flush().await.unwrap();
    }
    assert_eq!(running.lake.failures(), []);
    assert_eq!(running.csv(values).await, "0\n2\n10\n11\n12");
    assert_eq!(
        running
            .csv(
                "SELECT value FROM readings WHERE asset = 'p1' AND time > '2026-01-01T00:00:00.000001Z' \
            ORDER BY value LIMIT 2"
            )
            .await,
        "2\n10"
    );
    let series = vec![plant.series("p1", "t"), plant.series("p2", "t")];
    let query = ReadingsQuery { series, from: Timestamp(NEW_YEAR), to: Timestamp(NEW_YEAR + 100) };
    let found = running.lake.readings(query.clone()).await.unwrap();
    assert_eq!((found[0].value.as_slice(), found[1].value.len()), (&[0.0, 2.0, 10.0, 11.0, 12.0][..], 0));
    let merged = running
        .lake
        .compact("readings", CompactOptions { min_files: 2, ..CompactOptions::default() })
        .await
        .unwrap();
    assert_eq!((merged.files_before, merged.rows), (3, 3), "the file with deleted rows stays");
    assert_eq!(running.lake.readings(query).await.unwrap(), found);
    running.shut_down().await;
    let again = plant.start().await;
    assert_eq!(again.int("SELECT count(*) FROM readings").await, 5);
    let removed = again.lake.retain("readings", Timestamp(NEW_YEAR + 10_000_000)).await.unwrap();
    assert_eq!((removed.files, removed.rows), (2, 5), "deleted rows are not counted again");
    assert_eq!(again.int("SELECT count(*) FROM readings").await, 0);
    again.shut_down().await;
}

#[tokio::test]
async fn a_file_of_which_rows_were_deleted_since_it_was_read_is_not_replaced() {
    let plant = Plant::new();
    let running = plant.start().await;
    plant.push(&[("p1", "t", 0, 0.0), ("p1", "t", 1, 1.0), ("p1", "t", 2, 2.0), ("p1", "t", 3, 3.0)]);
    running.lake.flush().await.unwrap();
    let read = running.lake.reader.view.read().tables["readings"].files.clone();
    delete_rows(&plant, &[1, 3]);
    let writer = running.lake.writer.tables.get("readings").unwrap();
    let replace =
        move || writer.lock().replace(&read, &Uploaded::none(), Change::Rearranged, Timestamp(NEW_YEAR));
    assert!(
        !tokio::task::spawn_blocking(replace).await.unwrap().unwrap(),
        "its rows, the deleted ones too, would stand in a new file"
    );
    running.lake.refresh().await.unwrap();
    assert_eq!(running.csv("SELECT value FROM readings ORDER BY value").await, "0\n2");
    running.shut_down().await;
}

#[tokio::test]
async fn deletion_vectors_are_read_once() {
    let plant = Plant::new();
    let running = plant.start().await;
    plant.push(&(0..6).map(|n| ("p1", "t", n, n as f64)).collect::<Vec<_>>());
    running.lake.flush().await.unwrap();
    delete_rows(&plant, &[1, 3]);
    running.lake.refresh().await.unwrap();
    let deleted = |lake: &Lake| {
        lake.reader.view.read().tables["readings"].files.iter().find_map(|file| file.deleted.clone()).unwrap()
    };
    let first = deleted(&running.lake);
    let other = plant.open(plant.options()).await;
    let writer = running.lake.writer.tables.get("readings").unwrap();
    let lake = running.lake.clone();
    let refresh = move || {
        let mut table = writer.lock();
        table.refresh().unwrap();
        lake.writer.show_files(&mut table).unwrap();
    };
    tokio::task::spawn_blocking(refresh).await.unwrap();
    assert!(Arc::ptr_eq(&first, &deleted(&running.lake)), "the table has been listed again");
    assert!(!Arc::ptr_eq(&first, &deleted(&other)) && first == deleted(&other));
    delete_rows(&plant, &[1, 2, 3, 4]);
    running.lake.refresh().await.unwrap();
    let second = deleted(&running.lake);
    assert!(
        first != second
            && second.within(0..3).eq([1, 2])
            && second.within(3..9).eq([3, 4])
            && second.count() == 4
    );
    assert_eq!(running.csv("SELECT value FROM readings ORDER BY value").await, "0\n5");
    running.shut_down().await;
}

#[tokio::test]
async fn a_deletion_vector_that_is_in_force_no_more_may_be_gone() {
    let plant = Plant::new();
    let running = plant.start().await;
    plant.push(&(0..6).map(|n| ("p1", "t", n, n as f64)).collect::<Vec<_>>());
    running.lake.flush().await.unwrap();
    delete_rows(&plant, &[1, 3]);
    delete_rows(&plant, &[1, 2, 3, 4]);
    // The first vector was in a file of its own, which VACUUM has removed.
    let first = vector(&[1, 3]).to_string();
    let missing = url::Url::from_file_path(plant.folder.path().join("readings/gone.bin")).unwrap();
    let gone = json!({
        "storageType": "p",
        "pathOrInlineDv": missing,
        "offset": 1,
        "sizeInBytes": 40,
        "cardinality": 2,
    })
    .to_string();
    let mut named = 0;
    for entry in std::fs::read_dir(plant.folder.path().join("readings/_delta_log")).unwrap() {
        let path = entry.unwrap().path();
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        named += text.matches(&first).count();
        std::fs::write(&path, text.replace(&first, &gone)).unwrap();
    }
    assert_eq!(named, 2, "it was added and removed");
    running.lake.refresh().await.unwrap();
    assert_eq!(running.csv("SELECT value FROM readings ORDER BY value").await, "0\n5");
    running.shut_down().await;
    let running = plant.start().await;
    assert_eq!(running.csv("SELECT value FROM readings ORDER BY value").await, "0\n5", "after a start");
    running.shut_down().await;
}
