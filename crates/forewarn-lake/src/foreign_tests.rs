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
use serde_json::{Value, json};

use crate::parquet::{NewFile, file_of_columns};
use crate::schema::{ColumnInfo, ColumnType, TableSchema, built_in};
use crate::table::{Appended, Change, DeltaTable, Uploaded};
use crate::testing::{NEW_YEAR, Plant};
use crate::{ColumnData, CompactOptions, Lake, ReadingsQuery, records};

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
    })
}

fn schema(name: &str) -> TableSchema {
    built_in().into_iter().find(|schema| schema.name == name).unwrap()
}

/// Adds a row to the table of life events, which is made to have the columns of `schema`, as another program
/// would.
async fn add_event(lake: &Lake, schema: TableSchema, asset: &str, version: i64) {
    let (engine, files, asset) = (Arc::clone(&lake.inner.engine), lake.inner.files.clone(), asset.to_owned());
    let add = move || {
        let mut table = DeltaTable::open(EVENTS, &engine, &files).unwrap();
        table.conform(&schema).unwrap();
        let known = built_in().into_iter().find(|known| known.name == EVENTS).unwrap();
        let rows = records::columns(&known, [(Offset(7), &event(&asset, "theirs"))].into_iter());
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
    let (engine, files, columns) = (Arc::clone(&lake.inner.engine), lake.inner.files.clone(), older.clone());
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
    let (engine, files) = (Arc::clone(&lake.inner.engine), lake.inner.files.clone());
    tokio::task::spawn_blocking(move || DeltaTable::create(&other, &engine, &files).unwrap()).await.unwrap();
    let clock = Arc::clone(&plant.clock) as Arc<dyn forewarn_types::Clock>;
    let error = Lake::open(plant.options(), Arc::clone(&plant.series), clock).await.unwrap_err().to_string();
    assert!(error.contains(EVENTS) && error.contains("column asset should be text, but is int"), "{error}");
}

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
    json!({ "storageType": "i", "pathOrInlineDv": z85(&bytes), "sizeInBytes": bytes.len(), "cardinality": rows.len() })
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
    let mut remove = json!({ "path": add["path"], "deletionTimestamp": 1, "dataChange": true, "extendedFileMetadata": true,
        "partitionValues": add["partitionValues"], "size": add["size"] });
    // A file is the same one only with the same vector.
    if let Some(before) = add.get("deletionVector") {
        remove["deletionVector"] = before.clone();
    }
    add["deletionVector"] = vector(rows);
    let features = json!(["deletionVectors"]);
    let protocol = json!({ "minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": features, "writerFeatures": features });
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
        running.csv("SELECT value FROM readings WHERE asset = 'p1' AND time > '2026-01-01T00:00:00.000001Z' ORDER BY value LIMIT 2").await,
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
    let read = running.lake.inner.view.read().tables["readings"].files.clone();
    delete_rows(&plant, &[1, 3]);
    let writer = running.lake.existing_writer("readings").unwrap();
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
        let mut theirs = DeltaTable::open("readings", &lake.inner.engine, &lake.inner.files).unwrap();
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
        DeltaTable::open("daily", &lake.inner.engine, &lake.inner.files).unwrap().conform(&wanted).unwrap();
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

/// A file of readings as Spark writes it unless it is told otherwise: times are nanoseconds in 96 bits. Each
/// row: µs after the new year, and a value.
fn file_of_spark(rows: &[(i64, f64)]) -> NewFile {
    let schema = "message spark_schema { optional int96 time; optional binary asset (UTF8); optional binary signal (UTF8); \
                  optional double value; optional binary quality (UTF8); optional boolean late; optional int96 arrived; optional int64 offset; }";
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
        let mut theirs = DeltaTable::open("readings", &lake.inner.engine, &lake.inner.files).unwrap();
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
            running.csv("SELECT time, value FROM readings WHERE time > '2026-01-01T00:00:00.000001Z' ORDER BY time LIMIT 2").await,
            "2026-01-01T00:00:00.000002Z,2\n2026-01-01T01:00:00Z,3"
        );
        let hourly = "SELECT date_trunc('hour', time) AS hour, sum(value) AS s, max(arrived) AS a FROM readings GROUP BY hour ORDER BY hour";
        assert!(running.csv(hourly).await.starts_with("2026-01-01T00:00:00Z,3,"), "over rows");
        let hourly = "SELECT date_trunc('hour', time) AS hour, sum(value) AS s FROM readings GROUP BY hour ORDER BY hour";
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
            let stored = Arc::clone(&lake.inner.view.read().tables[name].files[0]);
            let bytes = with_required_columns(
                lake.inner.files.find_blocking(&stored.location, stored.size_bytes).unwrap().unwrap(),
            );
            let date = (name == "readings").then(|| i32::try_from(NEW_YEAR / 86_400_000_000).unwrap());
            let file =
                NewFile { date, bytes, rows: stored.rows.unwrap(), bounds: Vec::new(), nulls: Vec::new() };
            let mut theirs = DeltaTable::open(name, &lake.inner.engine, &lake.inner.files).unwrap();
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

#[tokio::test]
async fn deletion_vectors_are_read_once() {
    let plant = Plant::new();
    let running = plant.start().await;
    plant.push(&(0..6).map(|n| ("p1", "t", n, n as f64)).collect::<Vec<_>>());
    running.lake.flush().await.unwrap();
    delete_rows(&plant, &[1, 3]);
    running.lake.refresh().await.unwrap();
    let deleted = |lake: &Lake| {
        lake.inner.view.read().tables["readings"].files.iter().find_map(|file| file.deleted.clone()).unwrap()
    };
    let first = deleted(&running.lake);
    let other = plant.open(plant.options()).await;
    let writer = running.lake.existing_writer("readings").unwrap();
    let lake = running.lake.clone();
    let refresh = move || {
        let mut table = writer.lock();
        table.refresh().unwrap();
        lake.show_files(&mut table).unwrap();
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
    let gone = json!({ "storageType": "p", "pathOrInlineDv": missing, "offset": 1, "sizeInBytes": 40, "cardinality": 2 }).to_string();
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
