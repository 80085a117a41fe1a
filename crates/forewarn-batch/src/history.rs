//! The past of the jobs, read from the table `job_runs`: the scheduler keeps no state of its own on disk.

use forewarn_lake::{Cell, Lake, LakeError, ResultSet, SqlRequest};
use forewarn_types::{JobKind, JobRun, RunState, Timestamp};

use crate::core::{JobPast, MAX_HISTORY};

/// Most records read of one job: a run leaves three, or four if it was cut off.
const MAX_RECORDS: usize = 4 * MAX_HISTORY;

/// The past of each of `jobs`. It sees every run that was on record when it was called.
pub(crate) async fn load(lake: &Lake, jobs: &[String]) -> Result<Vec<JobPast>, LakeError> {
    let mut past = Vec::with_capacity(jobs.len());
    for job in jobs {
        let name = job.replace('\'', "''");
        let recent = format!(
            "SELECT \"run\", \"kind\", \"state\", \"from_time\", \"to_time\", \"time\", \"trigger\", \"rows\", \"error\", \"details\", \
             \"offset\" FROM job_runs WHERE \"job\" = '{name}' ORDER BY \"offset\" DESC LIMIT {MAX_RECORDS}"
        );
        let reach = format!(
            "SELECT \"state\", max(\"to_time\") AS latest, min(\"from_time\") AS earliest FROM job_runs \
             WHERE \"job\" = '{name}' AND \"trigger\" IN ('schedule', 'catch-up') GROUP BY \"state\""
        );
        let mut one = JobPast { job: job.clone(), runs: newest_states(job, &query(lake, recent).await?), ..JobPast::default() };
        let reach = query(lake, reach).await?;
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

async fn query(lake: &Lake, query: String) -> Result<ResultSet, LakeError> {
    lake.sql(SqlRequest { query, internal: true, ..SqlRequest::default() }).await
}

/// The newest state of each run, oldest run first. `rows` stand newest first.
fn newest_states(job: &str, rows: &ResultSet) -> Vec<JobRun> {
    let mut runs: Vec<JobRun> = Vec::new();
    // Walked from the oldest record on, so that a run keeps the place at which it was first put in line.
    for row in (0..rows.row_count()).rev() {
        let Some(run) = job_run(job, rows, row) else { continue };
        match runs.iter_mut().find(|known| known.run == run.run) {
            Some(known) => *known = run,
            None => runs.push(run),
        }
    }
    runs
}

/// One record; `None` if it was written by a version that knew more kinds or states.
fn job_run(job: &str, rows: &ResultSet, row: usize) -> Option<JobRun> {
    let text = |column: usize| match rows.cell(row, column) {
        Cell::Text(text) => Some(text.to_owned()),
        _ => None,
    };
    let (kind, state) = (text(1)?, text(2)?);
    Some(JobRun {
        run: text(0)?,
        job: job.to_owned(),
        kind: [JobKind::Sql, JobKind::Train, JobKind::Predict].into_iter().find(|known| kind_name(*known) == kind)?,
        state: [RunState::Queued, RunState::Running, RunState::Succeeded, RunState::Failed, RunState::Cancelled]
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
    })
}

/// The name that the lake writes.
const fn kind_name(kind: JobKind) -> &'static str {
    match kind {
        JobKind::Sql => "sql",
        JobKind::Train => "train",
        JobKind::Predict => "predict",
    }
}

fn time(cell: Cell<'_>) -> Option<Timestamp> {
    match cell {
        Cell::Time(time) => Some(time),
        _ => None,
    }
}
