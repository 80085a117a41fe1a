//! A compaction changes files and no answer, whatever happens beside it.

use arrow::array::AsArray as _;
use arrow::datatypes::{Float64Type, TimestampMicrosecondType};
use forewarn_types::{AssetPath, LifeEvent, LifeEventKind, ManualClock, Record, Timestamp};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::*;
use crate::Lake;
use crate::table::DeltaTable;
use crate::testing::{NEW_YEAR, Plant, Running};

const DAY_US: i64 = 86_400_000_000;
const OPTIONS: CompactOptions = CompactOptions { target_bytes: 1 << 20, min_files: 4, max_files: 64 };
/// Everything there is to know of the readings, in an order of its own.
const ALL: &str = "SELECT asset, signal, time, value, quality, late, arrived, \"offset\" FROM readings \
    ORDER BY asset, signal, time, \"offset\"";

/// Commits `rounds` rounds of readings of two pumps over two days.
async fn commit_rounds(plant: &Plant, running: &Running, rounds: i64) {
    for round in 0..rounds {
        for day in [0, DAY_US] {
            let time = day + round * 1_000;
            plant.push(&[
                ("p2", "t", time, round as f64),
                ("p1", "v", time + 1, -1.5),
                ("p1", "t", time, 0.25 * round as f64),
            ]);
        }
        running.lake.flush().await.unwrap();
    }
}

fn files(lake: &Lake, table: &str) -> usize {
    lake.reader.view.read().tables[table].files.len()
}

/// The rows of the one file of readings, as they stand in it.
fn stored(lake: &Lake) -> Vec<String> {
    let file = Arc::clone(&lake.reader.view.read().tables["readings"].files[0]);
    let lake = lake.clone();
    let read = std::thread::spawn(move || {
        lake.reader.store.find_blocking(&file.location, file.size_bytes).unwrap().unwrap()
    });
    let rows = ParquetRecordBatchReaderBuilder::try_new(read.join().unwrap()).unwrap().build().unwrap();
    let mut lines = Vec::new();
    for batch in rows.map(Result::unwrap) {
        let time = batch["time"].as_primitive::<TimestampMicrosecondType>();
        let (signal, value) =
            (batch["signal"].as_string::<i32>(), batch["value"].as_primitive::<Float64Type>());
        lines.extend(
            (0..batch.num_rows()).map(|row| {
                format!("{} {} {}", signal.value(row), time.value(row) - NEW_YEAR, value.value(row))
            }),
        );
    }
    lines
}

fn set(clock: &ManualClock, us_after_new_year: i64) {
    clock.set(Timestamp(NEW_YEAR + us_after_new_year));
}

#[tokio::test]
async fn answers_are_the_same_before_and_after_and_in_a_new_process() {
    let plant = Plant::new();
    let running = plant.start().await;
    commit_rounds(&plant, &running, 6).await;
    plant.push(&[("p1", "t", 5, 9.0)]);
    let before = running.csv(ALL).await;
    assert_eq!((before.lines().count(), files(&running.lake, "readings")), (37, 12));
    set(&plant.clock, DAY_US + 10);
    // The clock has moved on far enough for a commit; it shall not come at some other moment.
    running.lake.flush().await.unwrap();
    let done = running.lake.compact("readings", OPTIONS).await.unwrap();
    assert_eq!((done.files_before, done.files_after, done.rows, done.duplicates), (13, 2, 37, 0));
    assert!(done.bytes_after < done.bytes_before, "{done:?}");
    assert_eq!(files(&running.lake, "readings"), 2);
    assert_eq!(running.csv(ALL).await, before);
    assert_eq!(
        running.lake.compact("readings", OPTIONS).await.unwrap(),
        Compacted::default(),
        "nothing is left to be done"
    );
    running.shut_down().await;
    let again = plant.start().await;
    assert_eq!(again.csv(ALL).await, before);
    again.shut_down().await;
}

#[tokio::test]
async fn rows_come_out_sorted_and_each_repetition_once() {
    let plant = Plant::new();
    let running = plant.start().await;
    for round in 0..4 {
        // The same value at the same time is a repetition; another value, or another quality, is not.
        plant.push(&[
            ("p1", "t", 7, 1.0),
            ("p1", "t", 7, f64::from(round)),
            ("p1", "t", i64::from(9 - round), 3.0),
            ("p1", "a", 0, 1.0),
        ]);
        running.lake.flush().await.unwrap();
    }
    let done = running.lake.compact("readings", OPTIONS).await.unwrap();
    // a: once. t: 1.0 at 7 came five times; 0, 2 and 3 at 7 once each, 3 at 7 twice; 3 at 6, 8 and 9 once
    // each.
    assert_eq!((done.files_after, done.rows, done.duplicates), (1, 1 + 1 + 3 + 3, 16 - 8));
    let expected = [
        "a 0 1", // One line a row as it stands in the file: signal, µs, value.
        "t 6 3", "t 7 1", "t 7 0", "t 7 2", "t 7 3", "t 8 3", "t 9 3",
    ];
    assert_eq!(stored(&running.lake), expected);
    running.shut_down().await;
}

#[tokio::test]
async fn readers_and_commits_go_on_beside_it() {
    let plant = Plant::new();
    let running = plant.start().await;
    commit_rounds(&plant, &running, 4).await;
    let lake = running.lake.clone();
    let stop = tokio_util::sync::CancellationToken::new();
    let stopped = stop.clone();
    let compacting = tokio::spawn(async move {
        let mut files = 0;
        while !stopped.is_cancelled() {
            files += lake
                .compact("readings", CompactOptions { min_files: 2, ..OPTIONS })
                .await
                .unwrap()
                .files_before;
        }
        files
    });
    for round in 4..40_i64 {
        plant.push(&[("p1", "t", round * 1_000, 0.25 * round as f64)]);
        let flush = running.lake.flush();
        let count = running.int("SELECT count(*) FROM readings");
        let (flushed, count) = tokio::join!(flush, count);
        flushed.unwrap();
        assert_eq!(count, 24 + round - 3);
    }
    stop.cancel();
    assert!(compacting.await.unwrap() > 0, "it has merged something");
    assert_eq!(running.int("SELECT count(*) FROM readings").await, 60);
    running.shut_down().await;
}

#[tokio::test]
async fn two_writers_that_compact_the_same_files_leave_each_row_once() {
    let plant = Plant::new();
    let running = plant.start().await;
    commit_rounds(&plant, &running, 5).await;
    let before = running.csv(ALL).await;
    // Another process has opened the table and merged its files by the time this one commits.
    let other = plant.open(plant.options()).await;
    set(&plant.clock, 3 * DAY_US);
    assert_eq!(other.compact("readings", OPTIONS).await.unwrap().files_after, 2);
    assert_eq!(running.lake.compact("readings", OPTIONS).await.unwrap(), Compacted::default());
    assert_eq!(files(&running.lake, "readings"), 2, "it has taken over what the other did");
    assert_eq!(running.csv(ALL).await, before);
    plant.push(&[("p1", "t", 5, 9.0)]);
    running.lake.flush().await.unwrap();
    assert_eq!(running.int("SELECT count(*) FROM readings").await, 31);
    running.shut_down().await;
}

#[tokio::test]
async fn tables_without_days_are_joined() {
    let plant = Plant::new();
    let running = plant.start().await;
    for number in 0..5 {
        let asset: AssetPath = format!("p{number}").as_str().into();
        let time = Timestamp(NEW_YEAR + i64::from(number));
        plant.log.push(Record::LifeEvent(LifeEvent {
            asset,
            event: LifeEventKind::Failed,
            time,
            actor: None,
            comment: None,
            corrects: None,
        }));
        running.lake.flush().await.unwrap();
    }
    let query = "SELECT * FROM life_events ORDER BY time";
    let before = running.csv(query).await;
    assert_eq!((before.lines().count(), files(&running.lake, "life_events")), (5, 5));
    let done = running.lake.compact("life_events", OPTIONS).await.unwrap();
    assert_eq!((done.files_before, done.files_after, done.rows), (5, 1, 5));
    assert_eq!(running.csv(query).await, before);
    assert_eq!(
        running.csv("SELECT asset FROM life_events WHERE time = '2026-01-01T00:00:00.000003Z'").await,
        "p3",
        "bounds hold"
    );
    running.shut_down().await;
}

#[tokio::test]
async fn a_file_of_another_program_that_is_not_sorted_is_left_alone() {
    let plant = Plant::new();
    let running = plant.start().await;
    commit_rounds(&plant, &running, 4).await;
    let (schema, name) = (Arc::clone(&running.lake.reader.view.read().tables["readings"].schema), "readings");
    let columns = |asset: &[&str]| {
        let count = asset.len();
        let time = crate::ColumnData::Time(vec![Some(Timestamp(NEW_YEAR + DAY_US)); count]);
        let text = |values: &[&str]| {
            crate::ColumnData::Text(values.iter().map(|value| Some((*value).to_owned())).collect())
        };
        vec![
            time.clone(),
            text(asset),
            text(&vec!["t"; count]),
            crate::ColumnData::Float(vec![Some(0.5); count]),
            text(&vec!["good"; count]),
            crate::ColumnData::Bool(vec![Some(false); count]),
            time,
            crate::ColumnData::Int(vec![Some(0); count]),
        ]
    };
    let mut file = crate::table::file_of_columns(&schema, &columns(&["z", "a", "z"])).unwrap();
    file.date = Some(i32::try_from((NEW_YEAR + DAY_US) / DAY_US).unwrap());
    let lake = running.lake.clone();
    let append = move || {
        let mut table = DeltaTable::open(name, &lake.writer.tables.engine, &lake.reader.store).unwrap();
        table.append(vec![file], "spark", 1, None, Timestamp(0)).unwrap();
    };
    tokio::task::spawn_blocking(append).await.unwrap();
    plant.push(&[("p1", "t", 999_999, 1.0)]);
    running.lake.flush().await.unwrap();
    let before = running.csv(ALL).await;
    assert_eq!(before.lines().count(), 28);
    set(&plant.clock, 3 * DAY_US);
    let done = running.lake.compact("readings", OPTIONS).await.unwrap();
    assert_eq!((done.files_before, done.files_after), (9, 2), "the other files of both days are merged");
    assert_eq!(files(&running.lake, "readings"), 3, "one for each day, and the file that is not sorted");
    assert_eq!(running.csv(ALL).await, before);
    running.shut_down().await;
}

#[tokio::test]
async fn groups_that_cannot_be_merged_keep_no_other_from_it() {
    let (plant, store) = (Plant::new(), crate::testing::OddStore::default());
    let running = plant.run(plant.open_on(store.files()).await);
    // From the 6th of January to the 11th.
    for day in 5..11 {
        for round in 0..2 {
            plant.push(&[("p1", "t", day * DAY_US + round, day as f64)]);
            running.lake.flush().await.unwrap();
        }
    }
    let before = running.csv(ALL).await;
    set(&plant.clock, 20 * DAY_US);
    *store.odd.broken.lock() = Some("date=2026-01-0");
    let error = running.lake.compact("readings", OPTIONS).await.unwrap_err().to_string();
    assert!(
        error.contains("4 of 6 groups")
            && error.contains("a broken disk")
            && error.contains("date=2026-01-06"),
        "{error}"
    );
    assert_eq!(files(&running.lake, "readings"), 10, "the two days behind the broken ones are merged");
    *store.odd.broken.lock() = Some("date=2026-01-07");
    let error = running.lake.compact("readings", OPTIONS).await.unwrap_err().to_string();
    assert!(error.contains("1 of 4 groups") && error.contains("date=2026-01-07"), "{error}");
    assert_eq!(files(&running.lake, "readings"), 7, "the other days are merged");
    *store.odd.broken.lock() = None;
    let done = running.lake.compact("readings", OPTIONS).await.unwrap();
    assert_eq!((done.files_before, done.files_after), (2, 1));
    assert_eq!(running.csv(ALL).await, before);
    running.shut_down().await;
}

#[tokio::test]
async fn a_store_that_is_away_is_not_asked_for_every_group() {
    let (plant, store) = (Plant::new(), crate::testing::OddStore::default());
    let running = plant.run(plant.open_on(store.files()).await);
    for day in 0..6 {
        for round in 0..2 {
            plant.push(&[("p1", "t", day * DAY_US + round, day as f64)]);
            running.lake.flush().await.unwrap();
        }
    }
    let before = running.csv(ALL).await;
    set(&plant.clock, 9 * DAY_US);
    store.odd.away.store(true, std::sync::atomic::Ordering::SeqCst);
    let error = running.lake.compact("readings", OPTIONS).await.unwrap_err().to_string();
    assert!(error.contains("3 of 6 groups") && error.contains("nobody answers"), "{error}");
    store.odd.away.store(false, std::sync::atomic::Ordering::SeqCst);
    let done = running.lake.compact("readings", OPTIONS).await.unwrap();
    assert_eq!((done.files_before, done.files_after), (12, 6));
    assert_eq!(running.csv(ALL).await, before);
    running.shut_down().await;
}
