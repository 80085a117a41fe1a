//! Rows that jobs write, the store, and what is refused at the start.

mod deletions;
mod foreign;
mod intervals;

use super::*;
use crate::testing::{NEW_YEAR, Plant, csv, sql};
use crate::{Cell, ColumnData, IntervalOf};
use forewarn_types::Timestamp;

fn rows(values: &[f64]) -> ResultSet {
    let time = ColumnData::Time(values.iter().map(|_| Some(Timestamp(NEW_YEAR))).collect());
    let value = ColumnData::Float(values.iter().copied().map(Some).collect());
    ResultSet::new(vec![("time".into(), time), ("value".into(), value)]).unwrap()
}

#[tokio::test]
async fn rows_of_jobs_are_written_once_each_version() {
    let plant = Plant::new();
    let lake = plant.open(plant.options()).await;
    assert_eq!(lake.append_rows("health", &rows(&[1.0, 2.0]), "job:health", 1).await.unwrap(), 2);
    assert_eq!(
        lake.append_rows("health", &rows(&[1.0, 2.0]), "job:health", 1).await.unwrap(),
        0,
        "the same run again"
    );
    assert_eq!(lake.append_rows("health", &rows(&[3.0]), "job:health", 2).await.unwrap(), 1);
    assert_eq!(
        lake.append_rows("health", &rows(&[4.0]), "job:other", 1).await.unwrap(),
        1,
        "another writer counts by itself"
    );
    let swapped = sql(&lake, "SELECT 5 AS value, max(time) AS time FROM health").await.unwrap();
    assert_eq!(
        lake.append_rows("health", &swapped, "job:health", 3).await.unwrap(),
        1,
        "columns go by name, integers fit floats"
    );
    let query = "SELECT value FROM health WHERE time >= '2026-01-01T00:00:00Z' ORDER BY value";
    assert_eq!(csv(&sql(&lake, query).await.unwrap()), "1\n2\n3\n4\n5");
    let again = plant.open(plant.options()).await;
    assert_eq!(csv(&sql(&again, query).await.unwrap()), "1\n2\n3\n4\n5", "the table is found again");
    assert_eq!(again.append_rows("health", &rows(&[9.0]), "job:health", 3).await.unwrap(), 0);
    assert!(again.tables().iter().any(|table| table.name == "health" && table.columns.len() == 2));
    assert_eq!(
        lake.append_rows("health", &ResultSet::default(), "job:none", 1)
            .await
            .unwrap_err()
            .to_string()
            .matches("missing")
            .count(),
        1
    );
}

#[tokio::test]
async fn rows_in_parts_are_seen_all_at_once_and_replace_those_of_an_earlier_run() {
    let plant = Plant::new();
    let lake = plant.open(plant.options()).await;
    let columns = rows(&[]).schema();
    let begin = |hour: i64| {
        let (from, to) = (Timestamp(hour * 3_600_000_000), Timestamp((hour + 1) * 3_600_000_000));
        lake.rows_in_parts("health", columns.clone(), IntervalOf { job: "job".into(), from, to })
    };
    let mut parts = begin(1).await.unwrap();
    for values in [&[1.0, 2.0][..], &[], &[3.0]] {
        parts.push(rows(values)).await.unwrap();
    }
    let count = "SELECT count(*) AS n FROM health";
    assert_eq!(csv(&sql(&lake, count).await.unwrap()), "0", "nothing is there before the commit");
    let mut second = begin(1).await.unwrap();
    second.push(rows(&[1.0, 2.5])).await.unwrap();
    assert_eq!((parts.rows(), parts.commit().await.unwrap()), (3, 3));
    let mut next = begin(2).await.unwrap();
    next.push(rows(&[9.0])).await.unwrap();
    assert_eq!(next.commit().await.unwrap(), 1);
    assert_eq!(second.commit().await.unwrap(), 2, "a later run takes the place of an earlier one");
    let again = plant.open(plant.options()).await;
    for lake in [&lake, &again] {
        let all = sql(lake, "SELECT value FROM health ORDER BY value").await.unwrap();
        assert_eq!(csv(&all), "1\n2.5\n9");
    }
    assert_eq!(begin(2).await.unwrap().commit().await.unwrap(), 0, "there may be no rows any more");
    assert_eq!(csv(&sql(&lake, count).await.unwrap()), "2");
    let mut lost = begin(2).await.unwrap();
    lost.push(rows(&[4.0])).await.unwrap();
    let known: Vec<_> = lake.reader.view.read().tables["health"].files.iter().cloned().collect();
    for file in lake.store().list("health").await.unwrap() {
        let is_known = known.iter().any(|known| known.location == lake.store().location(&file.path));
        if file.path.ends_with(".parquet") && !is_known {
            lake.store().delete(&file.path).await.unwrap();
        }
    }
    let refused = lost.commit().await.unwrap_err().to_string();
    assert!(refused.contains("were deleted before they were committed"), "{refused}");
    let other = vec![("value".to_owned(), ColumnData::Text(Vec::new()))];
    let other = ResultSet::new(other).unwrap().schema();
    let interval = IntervalOf { job: "job".into(), from: Timestamp(0), to: Timestamp(1) };
    let refused =
        lake.rows_in_parts("health", other.clone(), interval.clone()).await.unwrap_err().to_string();
    assert!(refused.contains("column value is text, not float"), "{refused}");
    let refused = lake.rows_in_parts("readings", other, interval).await.unwrap_err().to_string();
    assert!(refused.contains("holds records of the log"), "{refused}");
}

#[tokio::test]
async fn rows_that_do_not_fit_are_refused() {
    let plant = Plant::new();
    let lake = plant.open(plant.options()).await;
    lake.append_rows("health", &rows(&[1.0]), "job", 1).await.unwrap();
    let text = ResultSet::new(vec![
        ("time".into(), ColumnData::Time(vec![None])),
        ("value".into(), ColumnData::Text(vec![Some("high".into())])),
    ]);
    let error = lake.append_rows("health", &text.unwrap(), "job", 2).await.unwrap_err().to_string();
    assert!(error.contains("column value is text, not float"), "{error}");
    let extra = ResultSet::new(vec![("colour".into(), ColumnData::Int(vec![Some(1)]))]).unwrap();
    let error = lake.append_rows("health", &extra, "job", 2).await.unwrap_err().to_string();
    assert!(error.contains("colour is not in the table"), "{error}");
    for name in ["readings", "../x", "Health", ""] {
        assert!(
            lake.append_rows(name, &rows(&[1.0]), "job", 2).await.unwrap_err().is_callers_mistake(),
            "{name}"
        );
    }
    assert!(
        ResultSet::new(vec![("a".into(), ColumnData::Int(vec![])), ("a".into(), ColumnData::Int(vec![]))])
            .is_err()
    );
}

#[tokio::test]
async fn files_lie_beside_the_tables() {
    let plant = Plant::new();
    let lake = plant.open(plant.options()).await;
    let files = lake.store();
    assert!(files.put("models/pump/1.json", "one".into(), true).await.unwrap());
    assert!(!files.put("models/pump/1.json", "two".into(), true).await.unwrap(), "it is there already");
    assert_eq!(files.get("models/pump/1.json").await.unwrap().as_deref(), Some(b"one".as_slice()));
    assert!(files.put("models/pump/1.json", "two".into(), false).await.unwrap());
    assert_eq!(files.get("models/pump/1.json").await.unwrap().as_deref(), Some(b"two".as_slice()));
    assert_eq!(files.get("models/pump/2.json").await.unwrap(), None);
    let listed = files.list("models").await.unwrap();
    let listed: Vec<(&str, u64)> = listed.iter().map(|file| (file.path.as_str(), file.size_bytes)).collect();
    assert_eq!(listed, [("models/pump/1.json", 3)]);
    drop(plant.open(plant.options()).await);
}

#[tokio::test]
async fn a_lake_that_cannot_be_is_refused_with_a_reason() {
    let plant = Plant::new();
    let file = plant.folder.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let table = [
        ("ftp://x/y".to_owned(), "s3://bucket/prefix"),
        ("./data".to_owned(), "file://./folder"),
        ("s3://".to_owned(), "names no bucket"),
        ("file://".to_owned(), "names no folder"),
        (format!("file://{}/below", file.display()), "cannot create the folder"),
    ];
    for (url, expected) in table {
        let options = LakeOptions { url: url.clone(), ..LakeOptions::default() };
        let clock: Arc<dyn Clock> = Arc::clone(&plant.clock) as Arc<dyn Clock>;
        let error = Lake::open(options, Arc::clone(&plant.series), clock).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{url}: {error}");
    }
}

#[test]
fn rows_can_be_written_as_csv() {
    let result = ResultSet::new(vec![
        ("t".into(), ColumnData::Time(vec![Some(Timestamp(NEW_YEAR)), Some(Timestamp(NEW_YEAR + 1)), None])),
        ("a \"b\"".into(), ColumnData::Text(vec![Some("x,\"y\"".into()), Some(String::new()), None])),
        ("f".into(), ColumnData::Float(vec![Some(1.5), Some(f64::NAN), Some(f64::INFINITY)])),
        ("i".into(), ColumnData::Int(vec![Some(-3), None, Some(i64::MAX)])),
        ("o".into(), ColumnData::Bool(vec![Some(true), Some(false), None])),
    ])
    .unwrap();
    let mut csv = Vec::new();
    result.write_csv(&mut csv);
    let expected = "t,\"a \"\"b\"\"\",f,i,o\r\n2026-01-01T00:00:00Z,\"x,\"\"y\"\"\",1.5,-3,true\r\n\
                    2026-01-01T00:00:00.000001Z,\"\",NaN,,false\r\n,,inf,9223372036854775807,\r\n";
    assert_eq!(String::from_utf8(csv).unwrap(), expected);
    assert_eq!(result.cell(9, 0), Cell::Null);
}

/// Runs against the S3 store that the environment names, for example moto's server.
#[tokio::test]
async fn the_lake_lies_on_s3_as_well() {
    let Ok(url) = std::env::var("FOREWARN_TEST_S3") else {
        println!("skipped: FOREWARN_TEST_S3 names no s3://bucket/prefix");
        return;
    };
    let plant = Plant::new();
    let options =
        LakeOptions { url: format!("{url}/{:016x}", crate::store::unique()), ..LakeOptions::default() };
    for round in 0..3_i32 {
        let running = plant.run(plant.open(options.clone()).await);
        plant.push(&[
            ("p1", "t", i64::from(round), f64::from(round)),
            ("p2", "t", i64::from(round), 100.0 + f64::from(round)),
        ]);
        running.lake.flush().await.unwrap();
        plant.push(&[("p1", "t", 1000 + i64::from(round), 200.0 + f64::from(round))]);
        let count = i64::from(3 * (round + 1));
        assert_eq!(
            running.int("SELECT count(DISTINCT value) FROM readings WHERE time >= '2026-01-01'").await,
            count
        );
        let query = crate::ReadingsQuery {
            series: vec![plant.series("p2", "t")],
            from: Timestamp::MIN,
            to: Timestamp::MAX,
        };
        let found = running.lake.readings(query).await.unwrap();
        assert_eq!(found[0].value.len(), usize::try_from(round).unwrap() + 1);
        running.shut_down().await;
    }
}
