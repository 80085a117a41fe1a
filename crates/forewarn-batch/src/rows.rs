//! The rows of one data interval of a job: those of its last run, however often it is run.

use forewarn_lake::{Cell, IntervalOf, ResultSet};
use forewarn_query::{Query, QueryEngine};

use crate::RunContext;

/// Makes `rows` those of the interval in the table `into`, in the place of what an earlier run of `job` has
/// written for it. Says how many there are.
///
/// # Errors
/// Why they could not be written, for a person to read.
pub(crate) async fn replace(
    queries: &QueryEngine,
    job: &str,
    into: &str,
    rows: &ResultSet,
    context: &RunContext,
) -> Result<u64, String> {
    let failed = |problem: String| format!("the rows of job {job} could not be written: {problem}");
    let earlier = earlier_writers(queries, job, context).await.map_err(failed)?;
    let interval = IntervalOf { job: job.to_owned(), from: context.from, to: context.to };
    let written = queries.lake().replace_interval(into, rows, interval, earlier).await;
    written.map_err(|error| failed(error.to_string()))
}

/// Under which names a version that did not replace rows would have written some for a part of the interval.
async fn earlier_writers(
    queries: &QueryEngine,
    job: &str,
    context: &RunContext,
) -> Result<Vec<String>, String> {
    let name = job.replace('\'', "''");
    let text = format!(
        "SELECT DISTINCT \"from_time\", \"to_time\" FROM job_runs WHERE \"job\" = '{name}' \
         AND \"state\" = 'succeeded' AND \"from_time\" < TIMESTAMP '{}' AND \"to_time\" > TIMESTAMP '{}'",
        context.to, context.from
    );
    let query = Query { text, internal: true, ..Query::default() };
    let answer = queries.run(query).await.map_err(|error| error.to_string())?;
    let found = answer.collect().await.map_err(|error| error.to_string())?;
    let writer = |row| match (found.cell(row, 0), found.cell(row, 1)) {
        (Cell::Time(from), Cell::Time(to)) => Some(format!("job {job} {}..{}", from.0, to.0)),
        _ => None,
    };
    Ok((0..found.row_count()).filter_map(writer).collect())
}
