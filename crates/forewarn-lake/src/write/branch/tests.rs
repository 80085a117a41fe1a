//! Rows written are rows read, at any moment and after any crash.

mod pace;

use super::*;
use crate::testing::{NEW_YEAR, Plant, Running};
use crate::{LakeOptions, ReadingsQuery};
use forewarn_types::{AssetPath, LifeEvent, LifeEventKind, Record};

const COUNT: &str = "SELECT count(*) FROM readings";

fn life_event(asset: &str) -> Record {
    let asset: AssetPath = asset.into();
    Record::LifeEvent(LifeEvent {
        asset,
        event: LifeEventKind::Failed,
        time: Timestamp(NEW_YEAR),
        actor: None,
        comment: Some("seal".into()),
        corrects: None,
    })
}

/// Every row once: their number, and the number of distinct values, which the tests make unique.
async fn check_unique(plant: &Running, rows: i64) {
    assert_eq!(plant.int(COUNT).await, rows);
    assert_eq!(plant.int("SELECT count(DISTINCT value) FROM readings").await, rows);
}

#[tokio::test]
async fn rows_are_seen_before_during_and_after_a_commit() {
    let plant = Plant::new();
    let running = plant.start().await;
    assert_eq!(running.int(COUNT).await, 0, "an empty table can be asked");
    assert_eq!(running.csv("SELECT time, asset FROM alert_events").await, "");
    for i in 0..30_i32 {
        // Two days, so that a round writes two files.
        let day = i64::from(i % 2) * 86_400_000_000;
        plant.push(&[
            ("p1", "t", day + i64::from(i), f64::from(2 * i)),
            ("p2", "t", day + i64::from(i), f64::from(2 * i + 1)),
        ]);
        let flush = (i % 5 == 4).then(|| {
            let lake = running.lake.clone();
            tokio::spawn(async move { lake.flush().await })
        });
        check_unique(&running, i64::from(2 * i + 2)).await;
        if let Some(flush) = flush {
            flush.await.unwrap().unwrap();
            check_unique(&running, i64::from(2 * i + 2)).await;
            assert_eq!(running.lake.tail_rows(), 0, "a flush empties the tail");
        }
    }
    plant.push(&[("p1", "t", 77, 1000.0)]);
    check_unique(&running, 61).await;
    running.shut_down().await;
    assert_eq!(plant.log.checkpoints.lock().last(), Some(&plant.log.end()), "the log may be trimmed");
    let again = plant.start().await;
    assert_eq!(again.lake.resume_offset(), plant.log.end());
    check_unique(&again, 61).await;
    again.shut_down().await;
}

#[tokio::test]
async fn every_kind_of_record_has_a_row() {
    let plant = Plant::new();
    let running = plant.start().await;
    plant.log.push(life_event("p1"));
    plant.log.push(Record::Tick(Timestamp(5)));
    plant.log.push(Record::Command(forewarn_types::OperatorCommand {
        alert: forewarn_types::AlertId(7),
        action: forewarn_types::CommandAction::Shelve { until: Timestamp(NEW_YEAR) },
        actor: "ann".into(),
        comment: None,
        reason: Some("maintenance".into()),
        time: Timestamp(NEW_YEAR),
    }));
    let expected = "2026-01-01T00:00:00Z,p1,failed,,seal,,0";
    let alert = "00000000000000000000000000000007";
    let commands = format!("2026-01-01T00:00:00Z,{alert},shelve,2026-01-01T00:00:00Z,ann,,maintenance,2");
    for _ in 0..2 {
        assert_eq!(running.csv("SELECT * FROM life_events").await, expected);
        assert_eq!(running.csv("SELECT * FROM commands").await, commands);
        running.lake.flush().await.unwrap();
    }
    running.shut_down().await;
}

#[tokio::test]
async fn a_crash_before_the_commit_loses_nothing() {
    let plant = Plant::new();
    let running = plant.start().await;
    plant.push(&[("p1", "t", 0, 0.0)]);
    running.lake.flush().await.unwrap();
    plant.push(&[("p1", "t", 1, 1.0)]);
    assert_eq!(running.int(COUNT).await, 2);
    running.kill().await;
    // A file that was uploaded but never committed is not seen.
    let orphan = plant.folder.path().join("readings/date=2026-01-01/part-orphan.zstd.parquet");
    std::fs::write(&orphan, b"half a file").unwrap();
    let again = plant.start().await;
    check_unique(&again, 2).await;
    again.lake.flush().await.unwrap();
    check_unique(&again, 2).await;
    again.shut_down().await;
}

#[tokio::test]
async fn a_crash_between_the_commits_of_two_tables_and_the_marker_doubles_nothing() {
    let plant = Plant::new();
    let running = plant.start().await;
    plant.push(&[("p1", "t", 0, 0.0)]);
    plant.log.push(life_event("p1"));
    running.lake.flush().await.unwrap();
    let marker = plant.folder.path().join(MARKER);
    let old = std::fs::read(&marker).unwrap();
    plant.push(&[("p1", "t", 1, 1.0)]);
    plant.log.push(life_event("p2"));
    running.lake.flush().await.unwrap();
    running.kill().await;
    for state in [Some(old), None] {
        match state {
            Some(bytes) => std::fs::write(&marker, bytes).unwrap(),
            None => std::fs::remove_file(&marker).unwrap(),
        }
        let again = plant.start().await;
        assert!(again.lake.resume_offset() < plant.log.end());
        check_unique(&again, 2).await;
        assert_eq!(again.int("SELECT count(*) FROM life_events").await, 2);
        again.lake.flush().await.unwrap();
        check_unique(&again, 2).await;
        again.kill().await;
    }
}

#[tokio::test]
async fn a_commit_whose_answer_got_lost_is_not_repeated() {
    let plant = Plant::new();
    let running = plant.start().await;
    plant.push(&[("p1", "t", 0, 0.0)]);
    running.lake.flush().await.unwrap();
    plant.push(&[("p1", "t", 1, 1.0)]);
    running.lake.wait_applied(plant.log.end()).await.unwrap();
    // Behind the branch's back the same rows are committed, as if an answer had got lost on its way.
    let other = plant.start().await;
    other.lake.flush().await.unwrap();
    other.kill().await;
    plant.push(&[("p1", "t", 2, 2.0)]);
    check_unique(&running, 3).await;
    running.lake.flush().await.unwrap();
    check_unique(&running, 3).await;
    running.shut_down().await;
    let again = plant.start().await;
    check_unique(&again, 3).await;
    again.shut_down().await;
}

#[tokio::test]
async fn a_commit_whose_answer_got_lost_is_not_seen_twice_by_whoever_looks_at_the_table_first() {
    let plant = Plant::new();
    let running = plant.start().await;
    for (round, look) in ["refresh", "vacuum", "compact"].into_iter().enumerate() {
        let first = i32::try_from(round).unwrap() * 9;
        // The same rows are committed behind the branch's back, and stand in its tail.
        for row in first..first + 9 {
            plant.push(&[("p1", "t", i64::from(row), f64::from(row))]);
            running.lake.wait_applied(plant.log.end()).await.unwrap();
            let other = plant.start().await;
            other.lake.flush().await.unwrap();
            other.kill().await;
        }
        match look {
            "refresh" => running.lake.refresh().await.unwrap(),
            "vacuum" => drop(running.lake.vacuum("readings", i64::MAX, i64::MAX).await.unwrap()),
            _ => {
                let options = crate::CompactOptions { min_files: 2, ..crate::CompactOptions::default() };
                running.lake.compact("readings", options).await.unwrap();
            }
        }
        check_unique(&running, i64::from(first) + 9).await;
    }
    running.shut_down().await;
    let again = plant.start().await;
    check_unique(&again, 27).await;
    again.shut_down().await;
}

#[tokio::test]
async fn rows_of_another_writer_are_seen_without_a_commit_of_ours() {
    let plant = Plant::new();
    let running = plant.start().await;
    plant.push(&[("p1", "t", 0, 0.0)]);
    running.lake.flush().await.unwrap();
    plant.push(&[("p1", "t", 1, 1.0)]);
    let lake = plant.open(plant.options()).await;
    let writer = lake.writer.tables.get("life_events").unwrap();
    let add = move || {
        let mut table = writer.lock();
        let schema = Arc::clone(&table.schema);
        let rows = columns(&schema, [(Offset(0), &life_event("theirs"))].into_iter());
        table
            .append(vec![file_of_columns(&schema, &rows).unwrap()], "other", 1, None, Timestamp(NEW_YEAR))
            .unwrap()
    };
    assert_eq!(tokio::task::spawn_blocking(add).await.unwrap(), Appended::Added);
    running.lake.refresh().await.unwrap();
    assert_eq!(running.csv("SELECT asset FROM life_events").await, "theirs");
    check_unique(&running, 2).await;
    running.shut_down().await;
}

#[tokio::test]
async fn a_lake_that_is_ahead_of_the_log_is_refused() {
    let mut plant = Plant::new();
    let running = plant.start().await;
    plant.push(&[("p1", "t", 0, 0.0)]);
    running.lake.flush().await.unwrap();
    running.shut_down().await;
    plant.log = crate::testing::MemoryLog::new();
    let again = plant.start().await;
    let error = again.task.await.unwrap().unwrap_err().to_string();
    assert!(error.contains("the log was deleted"), "{error}");
    let asked = crate::testing::sql(&again.lake, COUNT).await;
    assert!(asked.is_ok(), "the files can still be read");
}

#[tokio::test]
async fn history_joins_files_and_tail_in_order() {
    let plant = Plant::new();
    let running = plant.start().await;
    plant.push(&[("p1", "t", 10, 1.0), ("p2", "t", 10, 2.0), ("p1", "v", 10, 3.0), ("p1", "t", 30, 4.0)]);
    running.lake.flush().await.unwrap();
    plant.push(&[("p1", "t", 20, 5.0), ("p1", "t", 10, 6.0)]);
    running.lake.flush().await.unwrap();
    plant.push(&[("p1", "t", 5, 7.0), ("p1", "v", 40, 8.0), ("p1", "t", 99, 9.0)]);
    let (t, v) = (plant.series("p1", "t"), plant.series("p1", "v"));
    let query =
        ReadingsQuery { series: vec![v, t], from: Timestamp(NEW_YEAR + 5), to: Timestamp(NEW_YEAR + 99) };
    let found = running.lake.readings(query.clone()).await.unwrap();
    assert_eq!((found[0].id, found[1].id), (v, t));
    assert_eq!(found[0].value, [3.0, 8.0]);
    assert_eq!(found[1].value, [7.0, 1.0, 6.0, 5.0, 4.0]);
    assert_eq!(found[1].offset, [2, 0, 1, 1, 0].map(Offset));
    assert_eq!(found[1].time, [5, 10, 10, 20, 30].map(|us| NEW_YEAR + us));
    running.lake.flush().await.unwrap();
    assert_eq!(running.lake.readings(query).await.unwrap(), found, "a commit changes nothing");
    let nothing = ReadingsQuery { series: vec![forewarn_types::SeriesId(99)], ..ReadingsQuery::default() };
    assert!(running.lake.readings(nothing).await.unwrap_err().is_callers_mistake());
    running.shut_down().await;
}

#[tokio::test]
async fn many_commits_leave_checkpoints_and_every_row() {
    let plant = Plant::new();
    let running = plant.start().await;
    for i in 0..110_i32 {
        plant.push(&[("p1", "t", i64::from(i), f64::from(i))]);
        running.lake.flush().await.unwrap();
    }
    running.shut_down().await;
    let log = plant.folder.path().join("readings/_delta_log");
    let checkpoints = std::fs::read_dir(log)
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().contains("checkpoint"));
    assert!(checkpoints.count() >= 3, "two checkpoints and the pointer to the last");
    let again = plant.start().await;
    check_unique(&again, 110).await;
    again.shut_down().await;
}

#[tokio::test]
async fn a_lake_of_another_log_is_refused() {
    let mut plant = Plant::new();
    let running = plant.start().await;
    plant.push(&[("p1", "t", 0, 0.0)]);
    running.lake.flush().await.unwrap();
    // As long as the first log, so that no offset tells them apart.
    let first = std::mem::replace(&mut plant.log, crate::testing::MemoryLog::with_id("other"));
    plant.push(&[("p1", "t", 1, 1.0)]);
    let other = plant.start().await;
    let error = other.task.await.unwrap().unwrap_err().to_string();
    assert!(error.contains("fed from the log memory, and this server's log is other"), "{error}");
    assert!(error.contains("a lake URL of its own"), "{error}");
    assert!(plant.log.checkpoints.lock().is_empty(), "that log keeps its records");
    running.shut_down().await;
    // Taken over on purpose: the rows of both are there.
    std::fs::remove_file(plant.folder.path().join(MARKER)).unwrap();
    let other = plant.start().await;
    check_unique(&other, 2).await;
    other.lake.flush().await.unwrap();
    check_unique(&other, 2).await;
    other.shut_down().await;
    plant.log = first;
    let back = plant.start().await;
    assert!(back.task.await.unwrap().unwrap_err().to_string().contains("fed from the log other"));
}

#[tokio::test]
async fn a_lake_that_is_empty_is_its_log_s_from_the_start() {
    let mut plant = Plant::new();
    let running = plant.start().await;
    // The branch has begun, and the lake belongs to its log.
    running.lake.flush().await.unwrap();
    assert_eq!(running.int(COUNT).await, 0);
    plant.log = crate::testing::MemoryLog::with_id("other");
    plant.push(&[("p1", "t", 1, 1.0)]);
    running.lake.wait_applied(Offset(0)).await.unwrap();
    running.kill().await;
    assert!(plant.start().await.task.await.unwrap().is_err());
}
