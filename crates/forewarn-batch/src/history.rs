//! The past of the jobs, read from the table `job_runs`: the scheduler keeps no state of its own on disk.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use forewarn_lake::{Cell, ResultSet};
use forewarn_query::{Query, QueryEngine, QueryError};
use forewarn_types::{BoxFuture, JobKind, JobRun, Offset, RunState, Timestamp};

use crate::core::{Arrived, JobPast, Look, MAX_HISTORY, MINUTE_US, Stretches};

/// Most records read of one job: a run leaves three, or four if it was cut off.
pub(crate) const MAX_RECORDS: usize = 4 * MAX_HISTORY;

/// Most rows of an answer that may be long: 19 years of minutes.
const MAX_ROWS: usize = 10_000_000;
/// Longest time such an answer may take.
const TIMEOUT: Duration = Duration::from_mins(10);

/// What is read of a record.
const COLUMNS: &str = "\"run\", \"kind\", \"state\", \"from_time\", \"to_time\", \"time\", \"trigger\", \
    \"rows\", \"error\", \"details\", \"offset\"";

/// The past of each of `jobs`. It sees every run that was on record when it was called.
pub(crate) async fn load(queries: &QueryEngine, jobs: &[String]) -> Result<Vec<JobPast>, QueryError> {
    let mut past = Vec::with_capacity(jobs.len());
    for job in jobs {
        let name = job.replace('\'', "''");
        let reach = format!(
            "SELECT \"state\", max(\"to_time\") AS latest, min(\"from_time\") AS earliest FROM job_runs \
             WHERE \"job\" = '{name}' AND \"trigger\" IN ('schedule', 'catch-up') GROUP BY \"state\""
        );
        let mut one = JobPast {
            job: job.clone(),
            runs: runs(queries, job, &name).await?,
            written: written(queries, &name).await?,
            ..JobPast::default()
        };
        let reach = query(queries, reach).await?;
        for row in 0..reach.row_count() {
            let (latest, earliest) = (time(reach.cell(row, 1)), time(reach.cell(row, 2)));
            if reach.cell(row, 0) == Cell::Text(RunState::Succeeded.as_str()) {
                one.covered_to = one.covered_to.max(latest);
            }
            one.first_from = one.first_from.into_iter().chain(earliest).min();
        }
        past.push(one);
    }
    Ok(past)
}

/// The newest state of the newest runs and, however old they are, of those that are not over, oldest run
/// first. `name` is the job's, quoted.
async fn runs(queries: &QueryEngine, job: &str, name: &str) -> Result<Vec<JobRun>, QueryError> {
    let recent = format!(
        "SELECT {COLUMNS} FROM job_runs WHERE \"job\" = '{name}' ORDER BY \"offset\" DESC LIMIT {MAX_RECORDS}"
    );
    let open = format!(
        "WITH ended AS (SELECT \"run\" AS \"name\", 1 AS \"ended\" FROM job_runs \
         WHERE \"job\" = '{name}' AND \"state\" NOT IN ('queued', 'running')) \
         SELECT {COLUMNS} FROM job_runs LEFT JOIN ended ON job_runs.\"run\" = ended.\"name\" \
         WHERE job_runs.\"job\" = '{name}' AND \"ended\" IS NULL"
    );
    let mut records = BTreeMap::new();
    for rows in [query(queries, recent).await?, query(queries, open).await?] {
        records.extend((0..rows.row_count()).filter_map(|row| job_run(job, &rows, row)));
    }
    Ok(newest_states(records.into_values()))
}

/// What a SQL job has written rows for. The ends at which one run goes on where another stopped cancel out
/// already in the query, so that a year of runs without a gap is two rows.
async fn written(queries: &QueryEngine, name: &str) -> Result<Stretches, QueryError> {
    let ends = |column, step| {
        format!(
            "SELECT \"{column}\" AS \"at\", {step} AS \"step\" FROM job_runs WHERE \"job\" = '{name}' AND \
             \"kind\" IN ('sql', 'frame') \
             AND \"state\" = 'succeeded' AND (\"rows\" > 0 OR \"rows\" IS NULL OR \"details\" IS NOT NULL)"
        )
    };
    let (starts, ends) = (ends("from_time", 1), ends("to_time", -1));
    let (mut written, mut depth, mut start) = (Stretches::default(), 0, Timestamp::MIN);
    let mut after = Timestamp(0);
    loop {
        let sum = format!(
            "SELECT \"at\", sum(\"step\") AS \"step\" FROM ({starts} UNION ALL {ends}) AS \"ends\" WHERE \
             \"at\" > TIMESTAMP '{after}' \
             GROUP BY \"at\" HAVING sum(\"step\") <> 0 ORDER BY \"at\""
        );
        let rows = query(queries, sum).await?;
        for row in 0..rows.row_count() {
            let (Some(at), Cell::Int(step)) = (time(rows.cell(row, 0)), rows.cell(row, 1)) else { continue };
            if depth == 0 {
                start = at;
            }
            depth += step;
            if depth == 0 {
                written.add(start, at);
            }
            after = at;
        }
        if !rows.truncated() {
            return Ok(written);
        }
    }
}

/// The intervals of `job` that were computed, ended behind `since`, and where the `running` record of the run
/// stands; in the order in which they were computed.
pub(crate) async fn seen(
    queries: &QueryEngine,
    job: &str,
    since: Timestamp,
) -> Result<Vec<(Timestamp, Timestamp, Offset)>, QueryError> {
    let name = job.replace('\'', "''");
    let text = format!(
        "SELECT began.\"from_time\", began.\"to_time\", began.\"offset\" FROM job_runs AS began \
         JOIN job_runs AS done ON began.\"run\" = done.\"run\" \
         WHERE began.\"job\" = '{name}' AND began.\"state\" = 'running' AND done.\"job\" = '{name}' \
         AND done.\"state\" = 'succeeded' AND began.\"to_time\" > TIMESTAMP '{since}' \
         ORDER BY done.\"offset\""
    );
    let rows = rows(queries, text).await?;
    let seen = |row| {
        let Cell::Int(offset) = rows.cell(row, 2) else { return None };
        Some((time(rows.cell(row, 0))?, time(rows.cell(row, 1))?, Offset(u64::try_from(offset).ok()?)))
    };
    Ok((0..rows.row_count()).filter_map(seen).collect())
}

/// What the log and the lake know of jobs: their runs, and which readings have come when.
pub(crate) trait Arrivals: Send + Sync {
    /// The minutes that readings have come to which `look` asks for. It sees all that stood in the log when
    /// it was called.
    fn since<'a>(&'a self, look: &'a Look) -> BoxFuture<'a, Result<Arrived, String>>;

    /// What is on record of `jobs`; where a time is given, also what their runs have seen since then. It sees
    /// every run that was on record when it was called.
    fn past<'a>(&'a self, jobs: &'a [Asked]) -> BoxFuture<'a, Result<Vec<JobPast>, String>>;
}

/// A job, and since when it is asked what its runs have seen; not at all, if it does not recompute.
pub(crate) type Asked = (String, Option<Timestamp>);

impl Arrivals for QueryEngine {
    fn past<'a>(&'a self, jobs: &'a [Asked]) -> BoxFuture<'a, Result<Vec<JobPast>, String>> {
        Box::pin(async move {
            let names: Vec<String> = jobs.iter().map(|(job, _)| job.clone()).collect();
            let mut past = load(self, &names).await.map_err(|error| error.to_string())?;
            for (one, (job, since)) in past.iter_mut().zip(jobs) {
                if let Some(since) = since {
                    one.seen = seen(self, job, *since).await.map_err(|error| error.to_string())?;
                }
            }
            Ok(past)
        })
    }

    fn since<'a>(&'a self, look: &'a Look) -> BoxFuture<'a, Result<Arrived, String>> {
        let minute = MINUTE_US / 1_000_000;
        let text = format!(
            "SELECT time_bucket('{minute} seconds', time) AS \"minute\", max(\"offset\") AS \"newest\" \
             FROM readings WHERE time >= TIMESTAMP '{}' AND time < TIMESTAMP '{}' AND \"offset\" >= {} \
             GROUP BY 1",
            look.from, look.to, look.since.0
        );
        Box::pin(async move {
            let rows = rows(self, text).await.map_err(|error| error.to_string())?;
            let arrived = |row| {
                let Cell::Int(offset) = rows.cell(row, 1) else { return None };
                Some((time(rows.cell(row, 0))?, Offset(u64::try_from(offset).ok()?)))
            };
            Ok((0..rows.row_count()).filter_map(arrived).collect())
        })
    }
}

/// All rows of an answer that may be long.
async fn rows(queries: &QueryEngine, text: String) -> Result<ResultSet, QueryError> {
    let query =
        Query { text, internal: true, max_rows: Some(MAX_ROWS), timeout: Some(TIMEOUT), ..Query::default() };
    let answer = queries.run(query).await?;
    let rows = answer.collect().await?;
    if rows.truncated() {
        return Err(QueryError::TooLarge(format!("there are more than {MAX_ROWS} rows")));
    }
    Ok(rows)
}

async fn query(queries: &QueryEngine, text: String) -> Result<ResultSet, QueryError> {
    let answer = queries.run(Query { text, internal: true, ..Query::default() }).await?;
    answer.collect().await
}

/// The newest state of each run, oldest run first. `records` come oldest first, so that a run keeps the place
/// at which it was first put in line.
fn newest_states(records: impl Iterator<Item = JobRun>) -> Vec<JobRun> {
    let mut runs: Vec<JobRun> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for record in records {
        match places.entry(record.run.clone()) {
            Entry::Occupied(place) => runs[*place.get()] = record,
            Entry::Vacant(place) => {
                place.insert(runs.len());
                runs.push(record);
            }
        }
    }
    runs
}

/// One record and its offset; `None` if it was written by a version that knew more kinds or states.
fn job_run(job: &str, rows: &ResultSet, row: usize) -> Option<(i64, JobRun)> {
    let text = |column: usize| match rows.cell(row, column) {
        Cell::Text(text) => Some(text.to_owned()),
        _ => None,
    };
    let (kind, state) = (text(1)?, text(2)?);
    let Cell::Int(offset) = rows.cell(row, 10) else { return None };
    let run = JobRun {
        run: text(0)?,
        job: job.to_owned(),
        kind: JobKind::ALL.into_iter().find(|known| known.as_str() == kind)?,
        state: [
            RunState::Queued,
            RunState::Running,
            RunState::Succeeded,
            RunState::Failed,
            RunState::Cancelled,
        ]
        .into_iter()
        .find(|known| known.as_str() == state)?,
        from: time(rows.cell(row, 3))?,
        to: time(rows.cell(row, 4))?,
        time: time(rows.cell(row, 5))?,
        trigger: text(6)?,
        rows: match rows.cell(row, 7) {
            Cell::Int(rows) => u64::try_from(rows).ok(),
            _ => None,
        },
        error: text(8),
        details: text(9),
    };
    Some((offset, run))
}

fn time(cell: Cell<'_>) -> Option<Timestamp> {
    match cell {
        Cell::Time(time) => Some(time),
        _ => None,
    }
}
