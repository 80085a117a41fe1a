//! Tables that other programs, and other versions of this one, have had their hands on.

use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, RecordBatch};
use arrow::datatypes::{Field, Schema};
use bytes::Bytes;
use forewarn_types::{AssetPath, LifeEvent, LifeEventKind, Offset, Record, Timestamp};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::column::writer::ColumnWriter;
use parquet::data_type::Int96;
use parquet::file::writer::SerializedFileWriter;

use crate::table::{Appended, ColumnInfo, ColumnType, DeltaTable, NewFile, TableSchema, file_of_columns};
use crate::tail::{built_in, columns};
use crate::testing::{NEW_YEAR, Plant};
use crate::{ColumnData, CompactOptions, Lake, ReadingsQuery};

const EVENTS: &str = "life_events";

fn event(asset: &str, comment: &str) -> Record {
    let asset: AssetPath = asset.into();
    let comment = Some(comment.to_owned());
    Record::LifeEvent(LifeEvent {
        asset,
        event: LifeEventKind::Failed,
        time: Timestamp(NEW_YEAR),
        actor: None,
        comment,
        corrects: None,
    })
}

fn schema(name: &str) -> TableSchema {
    built_in().into_iter().find(|schema| schema.name == name).unwrap()
}

/// Adds a row to the table of life events, which is made to have the columns of `schema`, as another program
/// would.
async fn add_event(lake: &Lake, schema: TableSchema, asset: &str, version: i64) {
    let (engine, files, asset) =
        (Arc::clone(&lake.writer.tables.engine), lake.reader.store.clone(), asset.to_owned());
    let add = move || {
        let mut table = DeltaTable::open(EVENTS, &engine, &files).unwrap();
        table.conform(&schema).unwrap();
        let known = built_in().into_iter().find(|known| known.name == EVENTS).unwrap();
        let rows = columns(&known, [(Offset(7), &event(&asset, "theirs"))].into_iter());
        let column = |column: &ColumnInfo| {
            let place = known.columns.iter().position(|known| known.name == column.name);
            place.map_or_else(|| ColumnData::Int(vec![Some(42)]), |place| rows[place].clone())
        };
        let columns: Vec<ColumnData> = schema.columns.iter().map(column).collect();
        let file = file_of_columns(&schema, &columns).unwrap();
        assert_eq!(
            table.append(vec![file], "another program", version, None, Timestamp(NEW_YEAR)).unwrap(),
            Appended::Added
        );
    };
    tokio::task::spawn_blocking(add).await.unwrap();
}

/// The schema of life events with a column more.
fn wider() -> TableSchema {
    let mut wider = schema(EVENTS);
    wider.columns.insert(2, ColumnInfo { name: "shift".to_owned(), ty: ColumnType::Int });
    wider
}

#[tokio::test]
async fn a_column_that_another_program_adds_is_passed_over() {
    let plant = Plant::new();
    let running = plant.start().await;
    plant.log.push(event("p1", "ours"));
    running.lake.flush().await.unwrap();
    add_event(&running.lake, wider(), "p2", 1).await;
    running.lake.refresh().await.unwrap();
    plant.log.push(event("p3", "ours"));
    let expected = "p1,ours\np2,theirs\np3,ours";
    let rows = "SELECT asset, comment FROM life_events ORDER BY asset";
    assert_eq!(running.csv(rows).await, expected);
    running.lake.flush().await.unwrap();
    assert_eq!(running.csv(rows).await, expected);
    assert_eq!(running.lake.failures(), []);
    let merged = running
        .lake
        .compact(EVENTS, CompactOptions { min_files: 2, ..CompactOptions::default() })
        .await
        .unwrap();
    assert_eq!(
        (merged.files_before, merged.rows),
        (2, 2),
        "the file with the foreign column stays, as what it holds would get lost"
    );
    assert_eq!(running.csv(rows).await, expected);
    running.shut_down().await;
    // A newer version would have left the table like this.
    let again = plant.start().await;
    assert_eq!(again.csv(rows).await, expected);
    plant.log.push(event("p4", "ours"));
    again.lake.flush().await.unwrap();
    assert_eq!(again.csv(rows).await, format!("{expected}\np4,ours"));
    again.shut_down().await;
}

#[tokio::test]
async fn a_table_of_an_earlier_version_gets_the_columns_it_lacks() {
    let plant = Plant::new();
    let lake = plant.open(plant.options()).await;
    let mut older = schema(EVENTS);
    older.columns.retain(|column| column.name != "comment");
    std::fs::remove_dir_all(plant.folder.path().join(EVENTS)).unwrap();
    let (engine, files, columns) =
        (Arc::clone(&lake.writer.tables.engine), lake.reader.store.clone(), older.clone());
    tokio::task::spawn_blocking(move || DeltaTable::create(&columns, &engine, &files).unwrap())
        .await
        .unwrap();
    add_event(&lake, older, "p1", 1).await;
    let running = plant.start().await;
    plant.log.push(event("p2", "new"));
    let rows = "SELECT asset, comment, \"offset\" FROM life_events ORDER BY asset";
    for _ in 0..2 {
        assert_eq!(running.csv(rows).await, "p1,,7\np2,new,0");
        running.lake.flush().await.unwrap();
    }
    let merged = running
        .lake
        .compact(EVENTS, CompactOptions { min_files: 2, ..CompactOptions::default() })
        .await
        .unwrap();
    assert_eq!((merged.files_before, merged.rows), (2, 2));
    assert_eq!(running.csv(rows).await, "p1,,7\np2,new,0");
    running.shut_down().await;
}

#[tokio::test]
async fn a_column_of_another_type_is_refused_by_name() {
    let plant = Plant::new();
    drop(plant.open(plant.options()).await);
    let lake = plant.open(plant.options()).await;
    let mut other = schema(EVENTS);
    other.columns[1].ty = ColumnType::Int;
    std::fs::remove_dir_all(plant.folder.path().join(EVENTS)).unwrap();
    let (engine, files) = (Arc::clone(&lake.writer.tables.engine), lake.reader.store.clone());
    tokio::task::spawn_blocking(move || DeltaTable::create(&other, &engine, &files).unwrap()).await.unwrap();
    let clock = Arc::clone(&plant.clock) as Arc<dyn forewarn_types::Clock>;
    let error = Lake::open(plant.options(), Arc::clone(&plant.series), clock).await.unwrap_err().to_string();
    assert!(error.contains(EVENTS) && error.contains("column asset should be text, but is int"), "{error}");
}

#[tokio::test]
async fn a_row_that_is_no_reading_is_not_taken_for_one() {
    let plant = Plant::new();
    let running = plant.start().await;
    plant.push(&[("p1", "t", 0, 5.0)]);
    running.lake.flush().await.unwrap();
    let lake = running.lake.clone();
    let add = move || {
        let table = schema("readings");
        let text = |text: &str| ColumnData::Text(vec![Some(text.into())]);
        let column = |column: &ColumnInfo| match column.name.as_str() {
            "asset" => text("p1"),
            "signal" => text("t"),
            "time" | "arrived" => ColumnData::Time(vec![Some(Timestamp(NEW_YEAR + 1))]),
            _ => ColumnData::nulls(column.ty, 1),
        };
        let columns: Vec<ColumnData> = table.columns.iter().map(column).collect();
        let mut file = file_of_columns(&table, &columns).unwrap();
        file.date = Some(i32::try_from(NEW_YEAR / 86_400_000_000).unwrap());
        let mut theirs =
            DeltaTable::open("readings", &lake.writer.tables.engine, &lake.reader.store).unwrap();
        theirs.append(vec![file], "another program", 1, None, Timestamp(NEW_YEAR)).unwrap()
    };
    assert_eq!(tokio::task::spawn_blocking(add).await.unwrap(), Appended::Added);
    running.lake.refresh().await.unwrap();
    assert_eq!(running.int("SELECT count(*) FROM readings").await, 2);
    let query = ReadingsQuery {
        series: vec![plant.series("p1", "t")],
        from: Timestamp(NEW_YEAR),
        to: Timestamp(NEW_YEAR + 100),
    };
    assert_eq!(running.lake.readings(query).await.unwrap()[0].value, [5.0]);
    running.shut_down().await;
}

#[tokio::test]
async fn a_column_that_another_program_adds_to_the_table_of_a_job_stays_empty() {
    let plant = Plant::new();
    let running = plant.start().await;
    let first = running.sql("SELECT 1.5 AS x, 'a' AS name").await.unwrap();
    assert_eq!(running.lake.append_rows("daily", &first, "job", 1).await.unwrap(), 1);
    let wider = running.sql("SELECT 1.5 AS x, 'b' AS name, 7 AS theirs").await.unwrap();
    let (lake, columns) = (running.lake.clone(), wider.schema());
    let widen = move || {
        let wanted = TableSchema { name: "daily".into(), columns, by_date: false };
        DeltaTable::open("daily", &lake.writer.tables.engine, &lake.reader.store)
            .unwrap()
            .conform(&wanted)
            .unwrap();
    };
    tokio::task::spawn_blocking(widen).await.unwrap();
    let second = running.sql("SELECT 1.5 AS x, 'c' AS name").await.unwrap();
    running.shut_down().await;
    let again = plant.start().await;
    assert_eq!(again.lake.append_rows("daily", &second, "job", 2).await.unwrap(), 1);
    assert_eq!(again.csv("SELECT name, theirs FROM daily ORDER BY name").await, "a,\nc,");
    again.shut_down().await;
}

#[tokio::test]
async fn a_damaged_file_is_named_by_queries_and_left_alone_by_compaction() {
    let plant = Plant::new();
    let running = plant.start().await;
    for round in 0..4 {
        plant.push(&[("p1", "t", round, round as f64)]);
        running.lake.flush().await.unwrap();
    }
    let folder = plant.folder.path().join("readings/date=2026-01-01");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let (path, bytes) = (&files[2], std::fs::read(&files[2]).unwrap());
    let name = path.file_name().unwrap().to_str().unwrap();
    let query = ReadingsQuery {
        series: vec![plant.series("p1", "t")],
        from: Timestamp(NEW_YEAR),
        to: Timestamp(NEW_YEAR + 100),
    };
    for (damaged, told) in
        [(Some(bytes.len() / 2), "is damaged: it has"), (Some(0), "is damaged"), (None, "is missing")]
    {
        match damaged {
            Some(length) => std::fs::write(path, &bytes[..length]).unwrap(),
            None => std::fs::remove_file(path).unwrap(),
        }
        for error in [
            running.sql("SELECT sum(value) FROM readings").await.unwrap_err(),
            running.lake.readings(query.clone()).await.unwrap_err(),
        ] {
            let error = error.to_string();
            assert!(
                error.contains(name) && error.contains(told) && error.contains("restore it from a backup"),
                "{error}"
            );
        }
    }
    std::fs::write(path, &bytes[..bytes.len() - 1]).unwrap();
    let merged = running
        .lake
        .compact("readings", CompactOptions { min_files: 2, ..CompactOptions::default() })
        .await
        .unwrap();
    assert_eq!((merged.files_before, merged.files_after, merged.rows), (3, 1, 3), "the others are merged");
    plant.push(&[("p1", "t", 9, 9.0)]);
    running.lake.flush().await.unwrap();
    assert_eq!(running.lake.failures(), []);
    std::fs::write(path, &bytes).unwrap();
    assert_eq!(running.csv("SELECT sum(value) FROM readings").await, "15", "nothing was lost");
    running.shut_down().await;
}

/// A file of readings as Spark writes it by default: times are nanoseconds in 96 bits. Each
/// row: µs after the new year, and a value.
fn file_of_spark(rows: &[(i64, f64)]) -> NewFile {
    let schema = "message spark_schema { optional int96 time; optional binary asset (UTF8); optional binary \
        signal (UTF8); \
                  optional double value; optional binary quality (UTF8); optional boolean late; optional \
                  int96 arrived; optional int64 offset; }";
    let schema = Arc::new(parquet::schema::parser::parse_message_type(schema).unwrap());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let there = vec![1; rows.len()];
    let times: Vec<Int96> = rows.iter().map(|(time, _)| int96(NEW_YEAR + time)).collect();
    let values: Vec<f64> = rows.iter().map(|(_, value)| *value).collect();
    let mut texts = ["p1", "t", "good"].into_iter();
    while let Some(mut column) = group.next_column().unwrap() {
        match column.untyped() {
            ColumnWriter::Int96ColumnWriter(column) => column.write_batch(&times, Some(&there), None),
            ColumnWriter::DoubleColumnWriter(column) => column.write_batch(&values, Some(&there), None),
            ColumnWriter::BoolColumnWriter(column) => {
                column.write_batch(&vec![false; rows.len()], Some(&there), None)
            }
            ColumnWriter::Int64ColumnWriter(column) => {
                column.write_batch(&vec![0; rows.len()], Some(&there), None)
            }
            ColumnWriter::ByteArrayColumnWriter(column) => {
                column.write_batch(&vec![texts.next().unwrap().into(); rows.len()], Some(&there), None)
            }
            _ => panic!("there is no such column"),
        }
        .unwrap();
        column.close().unwrap();
    }
    group.close().unwrap();
    let date = Some(i32::try_from(NEW_YEAR / 86_400_000_000).unwrap());
    NewFile {
        date,
        bytes: writer.into_inner().unwrap().into(),
        rows: rows.len() as u64,
        bounds: Vec::new(),
        nulls: Vec::new(),
    }
}

/// Nanoseconds of the day and the Julian day.
fn int96(us: i64) -> Int96 {
    let (day, of_day) = (us.div_euclid(86_400_000_000), us.rem_euclid(86_400_000_000) * 1_000);
    let mut time = Int96::new();
    time.set_data(
        u32::try_from(of_day & 0xffff_ffff).unwrap(),
        u32::try_from(of_day >> 32).unwrap(),
        u32::try_from(day + 2_440_588).unwrap(),
    );
    time
}

#[tokio::test]
async fn times_in_the_form_of_spark_are_read_as_others_are() {
    let plant = Plant::new();
    let running = plant.start().await;
    plant.push(&[("p1", "t", 1, 1.0), ("p1", "t", 3_600_000_001, 4.0)]);
    running.lake.flush().await.unwrap();
    let lake = running.lake.clone();
    let add = move || {
        let mut theirs =
            DeltaTable::open("readings", &lake.writer.tables.engine, &lake.reader.store).unwrap();
        let file = file_of_spark(&[(2, 2.0), (3_600_000_000, 3.0)]);
        theirs.append(vec![file], "spark", 1, None, Timestamp(NEW_YEAR)).unwrap()
    };
    assert_eq!(tokio::task::spawn_blocking(add).await.unwrap(), Appended::Added);
    running.lake.refresh().await.unwrap();
    let query = ReadingsQuery {
        series: vec![plant.series("p1", "t")],
        from: Timestamp(NEW_YEAR),
        to: Timestamp(NEW_YEAR + 3_600_000_001),
    };
    for merged in [false, true] {
        if merged {
            let done = running
                .lake
                .compact("readings", CompactOptions { min_files: 2, ..CompactOptions::default() })
                .await
                .unwrap();
            assert_eq!((done.files_before, done.rows), (2, 4));
        }
        assert_eq!(
            running
                .csv(
                    "SELECT time, value FROM readings WHERE time > '2026-01-01T00:00:00.000001Z' ORDER \
                BY time LIMIT 2"
                )
                .await,
            "2026-01-01T00:00:00.000002Z,2\n2026-01-01T01:00:00Z,3"
        );
        let hourly = "SELECT date_trunc('hour', time) AS hour, sum(value) AS s, max(arrived) AS a FROM \
            readings GROUP BY hour ORDER BY hour";
        assert!(running.csv(hourly).await.starts_with("2026-01-01T00:00:00Z,3,"), "over rows");
        let hourly = "SELECT date_trunc('hour', time) AS hour, sum(value) AS s FROM readings GROUP BY hour \
            ORDER BY hour";
        assert_eq!(
            running.csv(hourly).await,
            "2026-01-01T00:00:00Z,3\n2026-01-01T01:00:00Z,7",
            "over groups"
        );
        let found = &running.lake.readings(query.clone()).await.unwrap()[0];
        assert_eq!(found.value, [1.0, 2.0, 3.0]);
        assert_eq!(found.time.iter().map(|time| time - NEW_YEAR).collect::<Vec<_>>(), [1, 2, 3_600_000_000]);
    }
    running.shut_down().await;
}

/// The one batch of the Parquet file `bytes` as another program writes it that says of columns which are
/// never empty that they cannot be.
fn with_required_columns(bytes: Bytes) -> Bytes {
    let mut batches = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().build().unwrap();
    let batch = batches.next().unwrap().unwrap();
    let schema = batch.schema();
    let required = |(field, column): (&Arc<Field>, &ArrayRef)| {
        field.as_ref().clone().with_nullable(column.null_count() > 0)
    };
    let fields: Vec<Field> = schema.fields().iter().zip(batch.columns()).map(required).collect();
    assert!(fields.iter().any(|field| !field.is_nullable()));
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), batch.columns().to_vec()).unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap().into()
}

#[tokio::test]
async fn a_file_with_columns_that_cannot_be_empty_is_read_and_merged() {
    let plant = Plant::new();
    let running = plant.start().await;
    plant.push(&[("p1", "t", 1, 1.0), ("p1", "t", 2, 2.0)]);
    plant.log.push(event("p1", "said"));
    running.lake.flush().await.unwrap();
    for name in ["readings", EVENTS] {
        let lake = running.lake.clone();
        // The rows that are there, once more.
        let add = move || {
            let stored = Arc::clone(&lake.reader.view.read().tables[name].files[0]);
            let bytes = with_required_columns(
                lake.reader.store.find_blocking(&stored.location, stored.size_bytes).unwrap().unwrap(),
            );
            let date = (name == "readings").then(|| i32::try_from(NEW_YEAR / 86_400_000_000).unwrap());
            let file =
                NewFile { date, bytes, rows: stored.rows.unwrap(), bounds: Vec::new(), nulls: Vec::new() };
            let mut theirs = DeltaTable::open(name, &lake.writer.tables.engine, &lake.reader.store).unwrap();
            theirs.append(vec![file], "another program", 1, None, Timestamp(NEW_YEAR)).unwrap()
        };
        assert_eq!(tokio::task::spawn_blocking(add).await.unwrap(), Appended::Added);
    }
    running.lake.refresh().await.unwrap();
    let query = ReadingsQuery {
        series: vec![plant.series("p1", "t")],
        from: Timestamp(NEW_YEAR),
        to: Timestamp(NEW_YEAR + 100),
    };
    let sum = "SELECT asset, sum(value) AS s FROM readings GROUP BY asset";
    assert_eq!(
        running.csv("SELECT value FROM readings WHERE value > 0.5 ORDER BY value").await,
        "1\n1\n2\n2"
    );
    assert_eq!(running.csv(sum).await, "p1,6");
    assert_eq!(running.lake.readings(query.clone()).await.unwrap()[0].value, [1.0, 1.0, 2.0, 2.0]);
    for name in ["readings", EVENTS] {
        let done = running
            .lake
            .compact(name, CompactOptions { min_files: 2, ..CompactOptions::default() })
            .await
            .unwrap();
        assert_eq!((done.files_before, done.files_after, done.rows), (2, 1, 2), "{name}");
    }
    assert_eq!(running.csv(sum).await, "p1,3", "repetitions are dropped");
    assert_eq!(running.lake.readings(query).await.unwrap()[0].value, [1.0, 2.0]);
    assert_eq!(running.csv("SELECT asset, comment FROM life_events").await, "p1,said\np1,said");
    running.shut_down().await;
}
