//! The work of a SQL job: a query over one data interval, its rows appended to a table, exactly once for each
//! interval.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use forewarn_query::{Query, QueryEngine};
use forewarn_spec::SqlJob;
use forewarn_types::{BoxFuture, JobKind};

use crate::{Job, Outcome, RunContext, Trigger, Work, interval};

/// Most rows one interval may yield. The limits of users' queries do not hold for jobs.
const MAX_ROWS: usize = 1_000_000;
/// Longest time one interval may take.
const TIMEOUT: Duration = Duration::from_hours(1);

/// Runs a pipeline's SQL job.
pub struct SqlWork {
    queries: QueryEngine,
    job: SqlJob,
    max_rows: usize,
}

impl SqlWork {
    /// The work of `job` on the lake of `queries`.
    #[must_use]
    pub const fn new(queries: QueryEngine, job: SqlJob) -> Self {
        Self { queries, job, max_rows: MAX_ROWS }
    }

    /// The job as the scheduler takes it.
    #[must_use]
    pub fn into_job(self) -> Job {
        Job {
            name: self.job.name.clone(),
            kind: JobKind::Sql,
            trigger: Trigger::Cron { expr: self.job.schedule.clone(), tz: self.job.timezone },
            catch_up: self.job.catch_up,
            description: format!("SQL into the table {}", self.job.into),
            work: Arc::new(self),
        }
    }

    async fn compute(&self, context: RunContext) -> Result<Outcome, String> {
        let query = Query {
            text: self.job.sql.clone(),
            params: Some((context.from, context.to)),
            max_rows: Some(self.max_rows),
            timeout: Some(TIMEOUT),
            internal: true,
        };
        let failed = |error| format!("the query of job {} failed: {error}", self.job.name);
        let answer = self.queries.run(query).await.map_err(failed)?;
        let rows = answer.collect().await.map_err(failed)?;
        if rows.truncated() {
            return Err(format!(
                "the query of job {} yields more than the {} rows that one run may write from {} to {}; \
                 nothing was written: \
                 aggregate more, or run it over shorter intervals",
                self.job.name,
                rows.row_count(),
                context.from,
                context.to
            ));
        }
        // An interval without rows leaves nothing but the table, so that it can be computed again should its
        // data come late.
        let (writer, version) = if rows.row_count() == 0 {
            (format!("job {}", self.job.name), 1)
        } else {
            interval::writer(&self.job.name, &context)
        };
        let written = self.queries.lake().append_rows(&self.job.into, &rows, &writer, version).await;
        let written = written
            .map_err(|error| format!("the rows of job {} could not be written: {error}", self.job.name))?;
        let already = written == 0 && rows.row_count() > 0;
        let details = already.then(interval::written_before);
        Ok(Outcome { rows: written, details })
    }
}

impl Work for SqlWork {
    fn run(&self, context: RunContext) -> BoxFuture<'_, Result<Outcome, String>> {
        Box::pin(self.compute(context))
    }
}
