//! The work of a SQL job: a query over one data interval, whose rows take the place of those that an earlier
//! run of the interval has written.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use forewarn_query::{Query, QueryEngine, Scope};
use forewarn_spec::SqlJob;
use forewarn_types::{BoxFuture, JobKind};

use crate::{Job, Late, Outcome, RunContext, Trigger, Work, rows};

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
            late: Late { delay_us: self.job.delay_us, recompute_us: self.job.recompute_us },
            description: format!("writes the rows of its query to the table {}", self.job.into),
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
            // Whoever may define a job may not read with it what only administrators see.
            scope: Scope::Common,
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
        let rows = rows::replace(&self.queries, &self.job.name, &self.job.into, &rows, &context).await?;
        Ok(Outcome { rows, details: None })
    }
}

impl Work for SqlWork {
    fn definition(&self) -> String {
        format!("{:?}", self.job)
    }

    fn run(&self, context: RunContext) -> BoxFuture<'_, Result<Outcome, String>> {
        Box::pin(self.compute(context))
    }
}
