//! The scheduler's decisions: which interval is due, which run starts, what follows when it ends. A pure
//! state machine: time comes in as an argument, records go out through an outbox, and nothing here waits,
//! spawns or writes.
//!
//! Each job has a *cursor*: the intervals of its schedule are done up to there. The next scheduled run covers
//! `[cursor, next fire)`, so intervals abut whatever happens between. Intervals are put in line one at a
//! time, only when the job is idle; a job that is a thousand intervals behind takes no more room than one
//! that is not, and cannot crowd out the others.
//!
//! A run covers one whole interval of the schedule, and its rows take the place of those that an earlier run
//! of the interval has written. Only where a schedule was changed does a run go from where the old one ended
//! to the next time of the new one, so that nothing is left out and nothing counts twice. A backfill leaves
//! out what is *written*, unless it is to be run again; a request always runs.
//!
//! An interval is due once it is over and the job's delay has passed. Intervals that readings come to later
//! are run again, for as long as the job recomputes ([`late`]).
//!
//! A scheduled run that fails is tried three times in all; the fourth time a person must ask. A requested run
//! is tried once, as the one who asked is there to see the error. A run that the server's end cuts off is run
//! again, at most three times in all; one that was still in line has not been tried, and stays there.

mod late;
mod plan;
mod seed;
mod seen;
mod stretches;
#[cfg(test)]
mod tests;
mod update;

use std::collections::VecDeque;
use std::sync::Arc;

use forewarn_spec::CatchUp;
use forewarn_types::{JobRun, Offset, RunState, Timestamp, fingerprint_64, format_duration};

pub(crate) use seed::JobPast;
pub(crate) use seen::{Arrived, Look, MINUTE_US};
pub(crate) use stretches::Stretches;

use crate::{BatchError, Job, JobStatus, Outcome, Schedule, Work};

/// Most runs at work at once.
pub(crate) const MAX_RUNNING: usize = 2;
/// Most runs in line.
pub(crate) const MAX_QUEUED: usize = 1_000;
/// Most intervals that are caught up with after the server was down, and that one backfill covers.
pub(crate) const MAX_INTERVALS: usize = 1_000;
/// How many times of its schedule a job tells.
const NEXT_TIMES: usize = 5;
/// Most runs remembered of each job, beside those that are not over.
pub(crate) const MAX_HISTORY: usize = 200;
/// How often an interval is tried unasked.
const MAX_ATTEMPTS: u32 = 3;
/// How long after the first and the second failure an interval is tried again, µs.
const BACKOFF_US: [i64; 2] = [30_000_000, 120_000_000];

pub(crate) const SCHEDULE: &str = "schedule";
pub(crate) const CATCH_UP: &str = "catch-up";
pub(crate) const REQUEST: &str = "request";
pub(crate) const BACKFILL: &str = "backfill";

/// A run that is to be started now.
pub(crate) struct Start {
    pub(crate) record: JobRun,
    pub(crate) work: Arc<dyn Work>,
}

/// How a run ended.
pub(crate) enum End {
    Done(Outcome),
    Failed(String),
    Cancelled,
}

/// A run in line.
#[derive(Debug)]
struct Waiting {
    record: JobRun,
    /// Not to be started before, after a failure.
    not_before: Timestamp,
    /// Place in line among all jobs.
    order: u64,
}

impl Waiting {
    /// Whether it may start. A pause is over as well when the clock has been set back to before it began: by
    /// that clock it could be long.
    fn is_due(&self, now: Timestamp) -> bool {
        self.not_before <= now || now < self.record.time
    }
}

struct Entry {
    job: Job,
    schedule: Schedule,
    /// The intervals of the schedule are done up to here.
    cursor: Timestamp,
    /// What a SQL job has written rows for.
    written: Stretches,
    /// What its runs have seen of the readings.
    seen: seen::Seen,
    waiting: Vec<Waiting>,
    active: Option<JobRun>,
    /// Whether the active run has been asked to stop.
    cancelled: bool,
    /// It is no longer defined, and stays until its active run has ended.
    removed: bool,
    /// The newest state of each run, oldest run first.
    history: VecDeque<JobRun>,
    note: Option<String>,
}

/// The state of all jobs.
pub(crate) struct Core {
    entries: Vec<Entry>,
    outbox: VecDeque<JobRun>,
    next_order: u64,
    /// The newest record that is known to be in the log.
    newest: Offset,
    /// When the scheduler began: intervals that ended before are caught up with.
    began: Timestamp,
}

impl Core {
    /// All jobs, idle, not yet told of the past.
    pub(crate) fn new(jobs: Vec<Job>) -> Result<Self, BatchError> {
        let mut entries: Vec<Entry> = Vec::with_capacity(jobs.len());
        for job in jobs {
            if entries.iter().any(|entry| entry.job.name == job.name) {
                return Err(BatchError::DuplicateJob(job.name));
            }
            let bad = |reason| BatchError::BadSchedule {
                job: job.name.clone(),
                schedule: job.trigger.to_string(),
                reason,
            };
            let schedule = Schedule::new(&job.trigger).map_err(bad)?;
            entries.push(Entry::new(job, schedule));
        }
        Ok(Self { entries, outbox: VecDeque::new(), next_order: 0, newest: Offset(0), began: Timestamp::MIN })
    }

    /// The record that must be written next.
    pub(crate) fn unwritten(&self) -> Option<&JobRun> {
        self.outbox.front()
    }

    /// That record has been written, at an offset, or never can be.
    pub(crate) fn written(&mut self, offset: Option<Offset>) {
        let Some((record, offset)) = self.outbox.pop_front().zip(offset) else { return };
        self.newest = self.newest.max(offset);
        let Ok(index) = self.index_of(&record.job) else { return };
        if record.state == RunState::Running {
            self.entries[index].run_began(offset);
        }
    }

    /// Puts due intervals in line and says which runs start now. Their records are in the outbox and must be
    /// written first.
    pub(crate) fn poll(&mut self, now: Timestamp) -> Vec<Start> {
        for index in 0..self.entries.len() {
            self.put_due_in_line(index, now);
        }
        let mut starts = Vec::new();
        while self.entries.iter().filter(|entry| entry.active.is_some()).count() < MAX_RUNNING {
            let ready = self.entries.iter_mut().filter_map(|entry| Some((entry.ready(now)?, entry)));
            let Some(((_, place), entry)) = ready.min_by_key(|((order, _), _)| *order) else { break };
            let record =
                JobRun { state: RunState::Running, time: now, ..entry.waiting.swap_remove(place).record };
            entry.active = Some(record.clone());
            entry.cancelled = false;
            starts.push(Start { record: record.clone(), work: Arc::clone(&entry.job.work) });
            entry.remember(record.clone());
            self.outbox.push_back(record);
        }
        starts
    }

    /// Puts the next due interval of an idle job in line.
    fn put_due_in_line(&mut self, index: usize, now: Timestamp) {
        let began = self.began;
        let entry = &mut self.entries[index];
        if entry.active.is_some() || !entry.waiting.is_empty() || entry.removed {
            return;
        }
        let complete = entry.complete_to(now);
        if entry.cursor > complete {
            // The clock has been set back. A clock that was wrong by years shall not keep the job from its
            // work for years.
            entry.cursor = entry.schedule.last_at(complete).unwrap_or(entry.cursor);
        }
        while let Some(fire) = entry.schedule.next_after(entry.cursor).filter(|fire| *fire <= complete) {
            if entry.job.catch_up != CatchUp::All && entry.skip_to_newest(now) {
                continue;
            }
            let Some((from, to)) = entry.written.gaps(entry.cursor, fire).first().copied() else {
                entry.cursor = fire;
                continue;
            };
            entry.cursor = from;
            if entry.is_settled(from, to) {
                entry.cursor = to;
                continue;
            }
            let due = fire.plus_us(entry.job.late.delay_us);
            let trigger = if due <= began { CATCH_UP } else { SCHEDULE };
            let record = entry.new_run(from, to, trigger, now);
            self.admit(record);
            return;
        }
    }

    /// Puts a run in line. Its record goes to the outbox.
    fn admit(&mut self, record: JobRun) {
        self.outbox.push_back(record.clone());
        let now = record.time;
        self.admit_written(record, now);
    }

    /// Puts a run in line whose record has been written already.
    pub(crate) fn admit_written(&mut self, record: JobRun, not_before: Timestamp) {
        let order = self.next_order;
        self.next_order += 1;
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.job.name == record.job) {
            entry.remember(record.clone());
            entry.waiting.push(Waiting { record, not_before, order });
        }
    }

    /// The run has ended.
    pub(crate) fn finish(&mut self, run: &str, end: End, now: Timestamp) {
        let Some(index) = self
            .entries
            .iter()
            .position(|entry| entry.active.as_ref().is_some_and(|active| active.run == run))
        else {
            return;
        };
        let entry = &mut self.entries[index];
        let Some(mut record) = entry.active.take() else { return };
        record.time = now;
        match end {
            End::Done(outcome) => {
                record.state = RunState::Succeeded;
                record.rows = Some(outcome.rows);
                record.details = outcome.details;
            }
            End::Cancelled => record.state = RunState::Cancelled,
            End::Failed(error) => {
                // Who wants it stopped does not want it tried again.
                record.state = if entry.cancelled { RunState::Cancelled } else { RunState::Failed };
                record.error = Some(error);
            }
        }
        let retry = if record.state == RunState::Failed { entry.retry_of(&mut record, now) } else { None };
        if retry.is_none() {
            entry.settle(&record);
            entry.note_seen(&record);
        }
        if has_written(&record) {
            entry.written.add(record.from, record.to);
        }
        entry.remember(record.clone());
        self.outbox.push_back(record);
        if let Some((retry, not_before)) = retry {
            self.outbox.push_back(retry.clone());
            self.admit_written(retry, not_before);
        }
        self.forget_removed();
    }

    /// Takes a queued run out of line, or marks a running one to be stopped.
    pub(crate) fn cancel(&mut self, run: &str, now: Timestamp) -> Result<(), BatchError> {
        for entry in &mut self.entries {
            if entry.active.as_ref().is_some_and(|active| active.run == run) {
                entry.cancelled = true;
                return Ok(());
            }
            if let Some(place) = entry.waiting.iter().position(|waiting| waiting.record.run == run) {
                let record = JobRun {
                    state: RunState::Cancelled,
                    time: now,
                    ..entry.waiting.swap_remove(place).record
                };
                entry.settle(&record);
                entry.remember(record.clone());
                self.outbox.push_back(record);
                return Ok(());
            }
        }
        match self.run(run) {
            Some(record) => Err(BatchError::NotCancellable { run: run.to_owned(), state: record.state }),
            None => Err(BatchError::UnknownRun(run.to_owned())),
        }
    }

    /// Whether the run, which is at work, is to be stopped.
    pub(crate) fn is_cancelled(&self, run: &str) -> bool {
        self.entries
            .iter()
            .any(|entry| entry.cancelled && entry.active.as_ref().is_some_and(|active| active.run == run))
    }

    /// The newest state of a run.
    pub(crate) fn run(&self, run: &str) -> Option<JobRun> {
        self.entries.iter().flat_map(|entry| &entry.history).find(|record| record.run == run).cloned()
    }

    /// The runs remembered of a job, newest first.
    pub(crate) fn runs(&self, job: &str) -> Vec<JobRun> {
        self.index_of(job)
            .map(|index| self.entries[index].history.iter().rev().cloned().collect())
            .unwrap_or_default()
    }

    /// How each job stands.
    pub(crate) fn status(&self, now: Timestamp) -> Vec<JobStatus> {
        self.entries.iter().filter(|entry| !entry.removed).map(|entry| entry.status(now)).collect()
    }

    /// Whether nothing is at work, in line, or due at `now`. A run that waits for its time to be tried again
    /// does not count.
    pub(crate) fn is_idle(&self, now: Timestamp) -> bool {
        self.entries.iter().all(|entry| {
            entry.active.is_none()
                && !entry.looks()
                && entry.waiting.iter().all(|waiting| !waiting.is_due(now))
                && (!entry.waiting.is_empty()
                    || entry
                        .schedule
                        .next_after(entry.cursor)
                        .is_none_or(|fire| fire > entry.complete_to(now)))
        })
    }

    /// The names of the jobs.
    #[cfg(test)]
    pub(crate) fn names(&self) -> Vec<String> {
        self.entries.iter().map(|entry| entry.job.name.clone()).collect()
    }

    fn index_of(&self, job: &str) -> Result<usize, BatchError> {
        self.entries
            .iter()
            .position(|entry| entry.job.name == job && !entry.removed)
            .ok_or_else(|| BatchError::UnknownJob(job.to_owned()))
    }
}

impl Entry {
    /// A job that has not been told of its past.
    fn new(job: Job, schedule: Schedule) -> Self {
        Self {
            job,
            schedule,
            cursor: Timestamp(0),
            written: Stretches::default(),
            seen: seen::Seen::default(),
            waiting: Vec::new(),
            active: None,
            cancelled: false,
            removed: false,
            history: VecDeque::new(),
            note: None,
        }
    }

    /// The run of this job that may start now: its place in line among all jobs, and among this job's. Runs
    /// of one job start in the order of their intervals, so one that waits to be tried again holds up the
    /// later ones.
    fn ready(&self, now: Timestamp) -> Option<(u64, usize)> {
        if self.active.is_some() {
            return None;
        }
        let first =
            self.waiting.iter().enumerate().min_by_key(|(_, w)| (w.record.from, w.record.to, w.order));
        first.filter(|(_, waiting)| waiting.is_due(now)).map(|(place, waiting)| (waiting.order, place))
    }

    /// Passes over all due intervals but the newest. Says whether there were any.
    fn skip_to_newest(&mut self, now: Timestamp) -> bool {
        let newest =
            self.schedule.last_at(self.complete_to(now)).and_then(|fire| self.schedule.last_before(fire));
        match newest {
            Some(start) if start > self.cursor => {
                self.cursor = start;
                true
            }
            _ => false,
        }
    }

    /// Whether nothing more is to be done unasked for an interval of the schedule.
    fn is_settled(&self, from: Timestamp, to: Timestamp) -> bool {
        let settles = |run: &JobRun| match run.state {
            RunState::Succeeded => true,
            // What became of a request is no reason to leave out data that the schedule calls for.
            _ => {
                is_scheduled(run)
                    && (run.state == RunState::Cancelled || attempt_of(&run.run) >= MAX_ATTEMPTS)
            }
        };
        self.history.iter().any(|run| run.from == from && run.to == to && settles(run))
    }

    /// The newest attempt on record of the series that `run` belongs to.
    fn attempts(&self, series: &str) -> u32 {
        let tries = self.history.iter().filter(|run| series_of(&run.run) == series);
        tries.map(|run| attempt_of(&run.run)).max().unwrap_or(0)
    }

    /// A run over an interval: the next attempt of the schedule's series, or the first of one of its own.
    fn new_run(&self, from: Timestamp, to: Timestamp, trigger: &str, now: Timestamp) -> JobRun {
        let asked = (trigger != SCHEDULE && trigger != CATCH_UP).then_some(now);
        let series = series_id(&self.job.name, from, to, asked);
        JobRun {
            run: format!("{series}-{}", self.attempts(&series) + 1),
            job: self.job.name.clone(),
            kind: self.job.kind,
            state: RunState::Queued,
            from,
            to,
            time: now,
            trigger: trigger.to_owned(),
            rows: None,
            error: None,
            details: None,
        }
    }

    /// The next attempt of the series that `run` belongs to.
    fn next_attempt(&self, run: &JobRun, now: Timestamp) -> JobRun {
        let series = series_of(&run.run);
        JobRun {
            run: format!("{series}-{}", self.attempts(series) + 1),
            state: RunState::Queued,
            time: now,
            rows: None,
            error: None,
            details: None,
            ..run.clone()
        }
    }

    /// The next attempt after a failure, and when it is due; the failed record is told of it.
    fn retry_of(&self, failed: &mut JobRun, now: Timestamp) -> Option<(JobRun, Timestamp)> {
        let attempt = attempt_of(&failed.run);
        if failed.trigger == REQUEST || attempt >= MAX_ATTEMPTS {
            return None;
        }
        let backoff = BACKOFF_US.get(attempt.saturating_sub(1) as usize).copied().unwrap_or(BACKOFF_US[1]);
        let due = now.plus_us(backoff);
        let retry = self.next_attempt(failed, now);
        let error = failed.error.take().unwrap_or_default();
        failed.error = Some(format!(
            "{error} (attempt {attempt} of {MAX_ATTEMPTS}; tried again as {} at {due})",
            retry.run
        ));
        Some((retry, due))
    }

    /// A run is over for good: the cursor moves over its interval if that begins at or before it. A failed or
    /// cancelled interval of the schedule is passed over as well, so that the ones after it are computed.
    fn settle(&mut self, run: &JobRun) {
        let counts = is_scheduled(run) || (run.kind.writes_rows() && run.state == RunState::Succeeded);
        if is_scheduled(run) {
            self.want_look();
        }
        if counts && run.from <= self.cursor && run.to > self.cursor {
            self.cursor = run.to;
        }
    }

    /// Keeps the newest state of a run, for as long as it is not over or is one of the newest of those that
    /// are.
    fn remember(&mut self, record: JobRun) {
        match self.history.iter_mut().rev().find(|known| known.run == record.run) {
            Some(known) => *known = record,
            None => self.history.push_back(record),
        }
        let over = self.history.iter().filter(|known| known.state.is_final()).count();
        if over > MAX_HISTORY
            && let Some(place) = self.history.iter().position(|known| known.state.is_final())
        {
            self.history.remove(place);
        }
    }

    fn status(&self, now: Timestamp) -> JobStatus {
        let delay_us = self.job.late.delay_us;
        let next = self.schedule.next_after(self.cursor.max(self.complete_to(now)));
        let times = std::iter::successors(next, |time| self.schedule.next_after(*time));
        JobStatus {
            name: self.job.name.clone(),
            kind: self.job.kind,
            description: self.job.description.clone(),
            schedule: self.job.trigger.to_string(),
            catch_up: match self.job.catch_up {
                CatchUp::All => "all",
                CatchUp::Latest => "latest",
                CatchUp::None => "none",
            },
            next: next.map(|time| time.plus_us(delay_us)),
            next_times: times.take(NEXT_TIMES).map(|time| time.plus_us(delay_us)).collect(),
            delay: format_duration(delay_us),
            recompute: self.recomputes().then(|| format_duration(self.job.late.recompute_us)),
            covered_to: next.map(|_| self.cursor),
            running: self.active.as_ref().map(|run| run.run.clone()),
            queued: self.waiting.len(),
            last: self.history.back().cloned(),
            note: self.note.clone().or_else(|| self.schedule.warning()),
        }
    }
}

fn is_scheduled(run: &JobRun) -> bool {
    run.trigger == SCHEDULE || run.trigger == CATCH_UP
}

/// Whether the run has left rows of its interval in the table. Where there were none, as a gateway was
/// offline perhaps, a backfill computes the interval again. Details of an earlier version tell of rows that
/// an attempt before had written.
fn has_written(run: &JobRun) -> bool {
    run.kind.writes_rows()
        && run.state == RunState::Succeeded
        && (run.rows != Some(0) || run.details.is_some())
}

/// Names the attempts at an interval: the job, the end of the interval, a fingerprint of both ends and, where
/// it was asked for outside of the schedule, of when that was. Only letters that a URL takes as they are.
fn series_id(job: &str, from: Timestamp, to: Timestamp, asked: Option<Timestamp>) -> String {
    let bytes = job.bytes().chain([0]).chain(from.0.to_le_bytes()).chain(to.0.to_le_bytes());
    let hash = fingerprint_64(bytes.chain(asked.into_iter().flat_map(|asked| asked.0.to_le_bytes())));
    let name: String =
        job.chars().map(|c| if c.is_ascii_alphanumeric() || "_.".contains(c) { c } else { '-' }).collect();
    format!("{name}-{}-{:08x}", to.to_utc().format("%Y%m%dT%H%M%S"), hash >> 32)
}

/// A run's id without the attempt: what the attempts at one thing have in common.
fn series_of(run: &str) -> &str {
    run.rsplit_once('-').map_or(run, |(series, _)| series)
}

/// The attempt that a run's id ends with.
fn attempt_of(run: &str) -> u32 {
    run.rsplit('-').next().and_then(|attempt| attempt.parse().ok()).unwrap_or(1)
}
