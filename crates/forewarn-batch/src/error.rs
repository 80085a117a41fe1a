//! What can go wrong between a schedule and its runs; each message says what to do about it.

use forewarn_types::{JournalError, RunState, Timestamp};

/// Why the scheduler refused a definition or a request, or had to stop.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// A schedule cannot be understood, or never fires.
    #[error(
        "the schedule {schedule:?} of job {job} cannot be used: {reason}; write five cron fields such as \
         \"30 2 * * *\""
    )]
    BadSchedule {
        /// The job.
        job: String,
        /// The schedule as written.
        schedule: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Two jobs have the same name.
    #[error("there are two jobs named {0}; names of jobs are unique over all pipelines and models")]
    DuplicateJob(String),
    /// No such job.
    #[error("there is no job named {0}; GET /v1/jobs lists them")]
    UnknownJob(String),
    /// No such run.
    #[error("there is no run {0} among those remembered; older ones stand in the table job_runs")]
    UnknownRun(String),
    /// The interval asked for is empty or upside down.
    #[error("the interval from {from} to {to} is empty; from must lie before to")]
    BadInterval {
        /// Its start.
        from: Timestamp,
        /// Its end.
        to: Timestamp,
    },
    /// The interval asked for is not over, or what comes late to it is still waited for.
    #[error(
        "the interval ends at {to}, and the job computes it at {due}: it is {now}; leave out from and to for \
         the last interval that is complete"
    )]
    NotYet {
        /// Its end.
        to: Timestamp,
        /// When it is complete.
        due: Timestamp,
        /// The server's time.
        now: Timestamp,
    },
    /// What is asked for is not one interval of the schedule.
    #[error(
        "a run of job {job} covers one whole interval of its schedule ({schedule}), such as from {near_from} \
         to {near_to}; leave out from and to for the last one that is complete, or backfill several"
    )]
    NotWhole {
        /// The job.
        job: String,
        /// Its schedule.
        schedule: String,
        /// Start of an interval nearby.
        near_from: Timestamp,
        /// Its end.
        near_to: Timestamp,
    },
    /// The request would wait behind too many others.
    #[error("{0} runs are waiting already; try again when some have finished, or cancel them")]
    QueueFull(usize),
    /// A backfill over too many intervals at once.
    #[error(
        "the backfill of job {job} covers more than {limit} intervals of its schedule; ask for a shorter \
         stretch at a time"
    )]
    TooManyIntervals {
        /// The job.
        job: String,
        /// The most that is taken at once.
        limit: usize,
    },
    /// No interval of the schedule lies within the stretch asked for.
    #[error("no complete interval of job {job} lies between {from} and {to}; its schedule is {schedule}")]
    NoInterval {
        /// The job.
        job: String,
        /// Its schedule.
        schedule: String,
        /// Start of the stretch.
        from: Timestamp,
        /// End of the stretch.
        to: Timestamp,
    },
    /// A backfill of a job that has no schedule.
    #[error("job {0} has no schedule to split the stretch by; request a run with from and to instead")]
    NoSchedule(String),
    /// The run is over.
    #[error("run {run} is {}; only a queued or running run can be cancelled", state.as_str())]
    NotCancellable {
        /// The run.
        run: String,
        /// Its state.
        state: RunState,
    },
    /// The log did not take the record of a run.
    #[error("the run could not be recorded: {0}")]
    Journal(#[from] JournalError),
    /// The history of runs could not be read.
    #[error("the history of runs could not be read from the table job_runs: {0}; it is tried again")]
    History(String),
    /// The scheduler does not run.
    #[error("the scheduler has stopped; it takes no requests until the server has been started again")]
    Stopped,
}
