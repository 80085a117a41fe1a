//! The batch path: what runs when, over which stretch of data, and what became of it.
//!
//! A [`Job`] is work and a schedule. The [`Scheduler`] runs it once for each data interval of the schedule,
//! oldest first, records every step in the log, and finds its place again after a crash from the table
//! `job_runs`. [`SqlWork`] is the work of a pipeline's SQL job, [`FrameWork`] that of a frame job. [`lower`]
//! turns the expressions of rules and frames into polars' own, for work over the history.

mod calendar;
mod core;
mod error;
mod frame;
mod history;
mod job;
mod lower;
mod rows;
mod scheduler;
mod sql_job;

pub use calendar::{Schedule, Trigger};
pub use error::BatchError;
pub use forewarn_spec::CatchUp;
pub use frame::FrameWork;
pub use job::{Job, JobStatus, Late, Outcome, RunContext, Work};
pub use lower::lower;
pub use scheduler::{Backfill, Scheduler, SchedulerHandle};
pub use sql_job::SqlWork;
