//! SQL jobs on a real lake: each interval's rows once, and nothing of an answer that was cut.

use forewarn_lake::{Branch, Cell, Lake, LakeOptions};
use forewarn_log::{LocalLog, Log, LogOptions};
use forewarn_query::QueryOptions;
use forewarn_spec::CatchUp;
use forewarn_types::{
    JobRun, Journal as _, ManualClock, Quality, ReadingBatch, ReadingFlags, Record, RunState, SeriesDef,
    SeriesId, SeriesTable, Timestamp,
};
use parking_lot::RwLock;
use tokio_util::sync::CancellationToken;

use super::*;

const HOUR: i64 = 3_600_000_000;

fn at(us: i64) -> Timestamp {
    Timestamp::parse("2026-01-01T00:00:00Z").unwrap().plus_us(us)
}

fn sql_job(sql: &str) -> SqlJob {
    SqlJob {
        name: "hourly".into(),
        schedule: "0 * * * *".into(),
        timezone: chrono_tz::UTC,
        sql: sql.into(),
        into: "health_hourly".into(),
        catch_up: CatchUp::All,
        delay_us: 0,
        recompute_us: 0,
    }
}

fn context(from: i64, to: i64) -> RunContext {
    RunContext { run: "r".into(), from: at(from * HOUR), to: at(to * HOUR) }
}

async fn queries(folder: &std::path::Path, max_rows: usize) -> QueryEngine {
    opened(folder, max_rows).await.1
}

/// A lake over a log with one reading each ten minutes for three hours.
async fn opened(folder: &std::path::Path, max_rows: usize) -> (Arc<LocalLog>, QueryEngine) {
    let clock = Arc::new(ManualClock::new(at(3 * HOUR)));
    let series = Arc::new(RwLock::new(SeriesTable::new(10)));
    series.write().intern("pump", "flow").unwrap();
    let log = LocalLog::open(LogOptions::new(folder.join("log"))).unwrap();
    let options = LakeOptions { url: format!("file://{}/lake", folder.display()), ..LakeOptions::default() };
    let lake = Lake::open(options, series, Arc::clone(&clock) as _).await.unwrap();
    let branch = Branch::build(lake.clone(), Arc::clone(&log) as Arc<dyn Log>, clock.clone());
    tokio::spawn(branch.run(CancellationToken::new()));
    log.append(Record::Series(vec![SeriesDef {
        id: SeriesId(0),
        asset: "pump".into(),
        signal: "flow".into(),
    }]))
    .await
    .unwrap();
    let mut batch = ReadingBatch::with_capacity(at(0), 18);
    for step in 0..18 {
        batch.push(SeriesId(0), at(step * HOUR / 6), step as f64, ReadingFlags::new(Quality::Good, false));
    }
    log.append(Record::Readings(batch)).await.unwrap();
    let options = QueryOptions { max_rows, ..QueryOptions::default() };
    let queries = QueryEngine::new(lake, clock, options).unwrap();
    (log, queries)
}

async fn counts(queries: &QueryEngine) -> Vec<(i64, i64)> {
    let query = "SELECT min(first) AS first, sum(n) AS n FROM health_hourly GROUP BY first ORDER BY first";
    let answer = queries.run(Query { text: query.into(), ..Query::default() }).await.unwrap();
    let rows = answer.collect().await.unwrap();
    let pair = |row| match (rows.cell(row, 0), rows.cell(row, 1)) {
        (Cell::Time(first), Cell::Int(n)) => (first.since_us(at(0)) / HOUR, n),
        other => panic!("{other:?}"),
    };
    (0..rows.row_count()).map(pair).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rows_of_an_interval_are_those_of_its_last_run_in_any_order() {
    let folder = tempfile::tempdir().unwrap();
    let queries = queries(folder.path(), 1_000).await;
    let sql = "SELECT asset, min(time) AS first, count(*) AS n FROM readings WHERE time >= :from AND time < \
        :to GROUP BY asset";
    let work = SqlWork::new(queries.clone(), sql_job(sql));
    assert_eq!(work.run(context(1, 2)).await.unwrap(), Outcome { rows: 1, details: None });
    // An older interval after a newer one, as a backfill has it.
    assert_eq!(work.run(context(0, 1)).await.unwrap().rows, 1);
    for _ in 0..2 {
        assert_eq!(work.run(context(1, 2)).await.unwrap(), Outcome { rows: 1, details: None });
    }
    assert_eq!(work.run(context(2, 3)).await.unwrap().rows, 1);
    assert_eq!(counts(&queries).await, [(0, 6), (1, 6), (2, 6)]);
    // A definition that finds less leaves less, and nothing of before.
    let few = SqlWork::new(queries.clone(), sql_job(&sql.replace("WHERE", "WHERE value > 9 AND")));
    assert_eq!(few.run(context(1, 2)).await.unwrap().rows, 1);
    assert_eq!(few.run(context(0, 1)).await.unwrap().rows, 0);
    assert_eq!(counts(&queries).await, [(1, 2), (2, 6)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_an_earlier_version_has_written_are_not_written_twice() {
    let folder = tempfile::tempdir().unwrap();
    let (log, queries) = opened(folder.path(), 1_000).await;
    let sql = "SELECT asset, min(time) AS first, count(*) AS n FROM readings WHERE time >= :from AND time < \
        :to GROUP BY asset";
    let params = Some((at(0), at(HOUR / 3)));
    let answer = queries.run(Query { text: sql.into(), params, ..Query::default() }).await.unwrap();
    let rows = answer.collect().await.unwrap();
    let (lake, end) = (queries.lake().clone(), at(HOUR / 3).0);
    let writer = format!("job hourly {}..{end}", at(0).0);
    lake.append_rows("health_hourly", &rows, &writer, end).await.unwrap();
    let run = JobRun {
        run: "hourly-1".into(),
        job: "hourly".into(),
        kind: JobKind::Sql,
        state: RunState::Succeeded,
        from: at(0),
        to: at(HOUR / 3),
        time: at(HOUR),
        trigger: "request".into(),
        rows: Some(1),
        error: None,
        details: None,
    };
    log.append(Record::JobRun(run)).await.unwrap();
    let work = SqlWork::new(queries.clone(), sql_job(sql));
    let error = work.run(context(0, 1)).await.unwrap_err();
    assert!(error.contains("an earlier version of Forewarn has written"), "{error}");
    assert_eq!(work.run(context(1, 2)).await.unwrap().rows, 1);
    assert_eq!(counts(&queries).await, [(0, 2), (1, 6)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interval_that_was_empty_is_computed_again_when_its_data_has_come() {
    let folder = tempfile::tempdir().unwrap();
    let queries = queries(folder.path(), 1_000).await;
    let empty = "SELECT asset, min(time) AS first, count(*) AS n FROM readings WHERE time >= :from AND time \
        < :to AND value > 99 GROUP BY asset";
    let work = SqlWork::new(queries.clone(), sql_job(empty));
    for _ in 0..2 {
        assert_eq!(work.run(context(0, 1)).await.unwrap(), Outcome { rows: 0, details: None });
        assert_eq!(counts(&queries).await, [], "the table is there, without rows");
    }
    let work = SqlWork::new(queries.clone(), sql_job(&empty.replace(" AND value > 99", "")));
    assert_eq!(work.run(context(0, 1)).await.unwrap(), Outcome { rows: 1, details: None });
    assert_eq!(counts(&queries).await, [(0, 6)]);
    assert_eq!(work.run(context(7, 8)).await.unwrap(), Outcome { rows: 0, details: None });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_answer_is_an_error_and_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let queries = queries(folder.path(), 4).await;
    let mut work = SqlWork::new(
        queries.clone(),
        sql_job("SELECT time, value FROM readings WHERE time >= :from AND time < :to"),
    );
    work.max_rows = 4;
    let error = work.run(context(0, 1)).await.unwrap_err();
    assert!(error.contains("more than the 4 rows") && error.contains("nothing was written"), "{error}");
    assert!(queries.lake().tables().iter().all(|table| table.name != "health_hourly"));
    // The limits for people do not hold for jobs.
    let work = SqlWork::new(
        queries.clone(),
        sql_job("SELECT time, value FROM readings WHERE time >= :from AND time < :to"),
    );
    assert_eq!(work.run(context(0, 1)).await.unwrap().rows, 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_name_the_job() {
    let folder = tempfile::tempdir().unwrap();
    let queries = queries(folder.path(), 100).await;
    let work = SqlWork::new(queries.clone(), sql_job("SELECT valu FROM readings"));
    let error = work.run(context(0, 1)).await.unwrap_err();
    assert!(error.starts_with("the query of job hourly failed: "), "{error}");
    let work = SqlWork::new(
        queries,
        SqlJob { into: "readings".into(), ..sql_job("SELECT time, value FROM readings") },
    );
    let error = work.run(context(0, 1)).await.unwrap_err();
    assert!(error.starts_with("the rows of job hourly could not be written: "), "{error}");
    let job = work.into_job();
    assert_eq!((job.name.as_str(), job.trigger.to_string().as_str()), ("hourly", "0 * * * * (UTC)"));
}
