//! Rows of a job's interval: replaced as a whole, and seen as a whole.

use super::*;
use crate::{CompactOptions, IntervalOf};

const HOUR: i64 = 3_600_000_000;

fn interval(from: i64, to: i64) -> IntervalOf {
    let at = |hour: i64| Timestamp(NEW_YEAR + hour * HOUR);
    IntervalOf { job: "job".into(), from: at(from), to: at(to) }
}

/// Rows of one value each.
async fn write(lake: &Lake, values: &[f64], interval: IntervalOf) -> Result<u64, LakeError> {
    lake.replace_interval("health", &rows(values), interval, Vec::new()).await
}

async fn values(lake: &Lake) -> String {
    csv(&sql(lake, "SELECT value FROM health ORDER BY value").await.unwrap()).replace('\n', " ")
}

#[tokio::test]
async fn an_interval_that_runs_again_replaces_its_rows_and_no_others_also_after_compaction() {
    let plant = Plant::new();
    let lake = plant.open(plant.options()).await;
    for hour in 0..6 {
        let value = hour as f64;
        assert_eq!(write(&lake, &[value, value + 0.5], interval(hour, hour + 1)).await.unwrap(), 2);
    }
    let other = IntervalOf { job: "other".into(), ..interval(2, 3) };
    write(&lake, &[90.0], other.clone()).await.unwrap();
    assert_eq!(write(&lake, &[20.0], interval(2, 3)).await.unwrap(), 1);
    assert_eq!(values(&lake).await, "0 0.5 1 1.5 3 3.5 4 4.5 5 5.5 20 90");
    let options = CompactOptions { target_bytes: 1 << 20, min_files: 2, max_files: 64 };
    assert!(lake.compact("health", options).await.unwrap().files_before > 4);
    assert_eq!(write(&lake, &[30.0, 31.0], interval(3, 4)).await.unwrap(), 2);
    assert_eq!(write(&lake, &[], interval(4, 5)).await.unwrap(), 0, "there may be no rows any more");
    assert_eq!(write(&lake, &[20.0], interval(2, 3)).await.unwrap(), 1, "the same again");
    let now = "0 0.5 1 1.5 5 5.5 20 30 31 90";
    assert_eq!(values(&lake).await, now);
    let again = plant.open(plant.options()).await;
    assert_eq!(values(&again).await, now, "the table is found again");
    write(&again, &[1000.0], interval(0, 6)).await.unwrap();
    assert_eq!(values(&again).await, "90 1000", "a longer interval takes the place of those within it");
    let columns = again.tables().into_iter().find(|table| table.name == "health").unwrap().columns;
    assert_eq!(columns.len(), 2, "what Forewarn notes of a row is nothing for users: {columns:?}");
}

#[tokio::test]
async fn no_row_counts_twice_where_intervals_of_another_schedule_overlap() {
    let plant = Plant::new();
    let lake = plant.open(plant.options()).await;
    write(&lake, &[1.0], interval(0, 2)).await.unwrap();
    let error = write(&lake, &[2.0], interval(1, 3)).await.unwrap_err().to_string();
    assert!(error.contains("of an earlier schedule"), "{error}");
    assert_eq!(values(&lake).await, "1");
    write(&lake, &[2.0], interval(2, 3)).await.unwrap();
    assert_eq!(values(&lake).await, "1 2");
}

#[tokio::test]
async fn a_table_of_an_earlier_version_keeps_its_rows_and_gains_intervals() {
    let plant = Plant::new();
    let lake = plant.open(plant.options()).await;
    lake.append_rows("health", &rows(&[1.0]), "job job 0..1", 1).await.unwrap();
    let earlier = vec!["job job 0..1".to_owned()];
    let refused = lake.replace_interval("health", &rows(&[5.0]), interval(0, 1), earlier).await.unwrap_err();
    assert!(refused.to_string().contains("an earlier version of Forewarn"), "{refused}");
    write(&lake, &[2.0], interval(1, 2)).await.unwrap();
    write(&lake, &[3.0], interval(1, 2)).await.unwrap();
    assert_eq!(values(&lake).await, "1 3");
}

#[tokio::test]
async fn a_column_of_the_rows_must_not_be_named_as_one_of_ours() {
    let plant = Plant::new();
    let lake = plant.open(plant.options()).await;
    let taken = ResultSet::new(vec![("_from".into(), ColumnData::Int(vec![Some(1)]))]).unwrap();
    let error = lake.replace_interval("health", &taken, interval(0, 1), Vec::new()).await.unwrap_err();
    assert!(error.is_callers_mistake() && error.to_string().contains("another name with AS"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_never_sees_half_of_an_interval() {
    let plant = Plant::new();
    let lake = plant.open(plant.options()).await;
    write(&lake, &[0.0; 50], interval(0, 1)).await.unwrap();
    write(&lake, &[0.0; 50], interval(1, 2)).await.unwrap();
    let reader = lake.clone();
    let writing = tokio::spawn(async move {
        for round in 1..=12 {
            write(&lake, &[f64::from(round); 50], interval(0, 1)).await.unwrap();
        }
    });
    let mut looks = 0;
    while !writing.is_finished() || looks == 0 {
        let seen =
            sql(&reader, "SELECT count(*) AS n, count(DISTINCT value) AS d FROM health").await.unwrap();
        assert_eq!(seen.cell(0, 0), Cell::Int(100));
        assert!(matches!(seen.cell(0, 1), Cell::Int(1 | 2)), "{seen:?}");
        looks += 1;
    }
    writing.await.unwrap();
}
