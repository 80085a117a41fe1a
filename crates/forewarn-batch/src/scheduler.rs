//! The scheduler's loop: it looks at the clock, writes the records, starts the work and waits for what
//! happens next. What to do is decided in `core`; here is only the doing.
//!
//! The order is what makes a crash harmless: a run's `queued` and `running` records are durable before its
//! work starts, so a run that was cut off is on record as unfinished and is run again.

mod added;
#[cfg(test)]
mod tests;
mod update;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use forewarn_query::QueryEngine;
use forewarn_types::{Clock, JobRun, Journal, JournalError, Record, Timestamp};
use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::core::{Arrived, Core, End, JobPast, Look, Start};
use crate::history::Arrivals;
use crate::{BatchError, Job, JobStatus, Outcome, RunContext};

/// How often the clock is looked at.
const POLL: Duration = Duration::from_millis(200);
/// How long after a failure the history is read again.
const HISTORY_RETRY: Duration = Duration::from_secs(2);
/// How long runs may go on after the server was asked to end.
const GRACE: Duration = Duration::from_secs(3);
/// Requests that wait to be looked at.
const MAX_COMMANDS: usize = 64;

/// Starts jobs when they are due. Build it, hand out the [`SchedulerHandle`], then run it.
pub struct Scheduler {
    worker: Worker,
}

/// Asks the scheduler; clones ask the same one.
#[derive(Clone)]
pub struct SchedulerHandle {
    shared: Arc<Shared>,
    commands: mpsc::Sender<Command>,
}

struct Shared {
    core: Mutex<Core>,
    clock: Arc<dyn Clock>,
    /// Rung when a run is to be stopped.
    wake: Notify,
    /// Counts the rounds in which something may have changed.
    changes: watch::Sender<u64>,
    /// How reading the runs on record has gone; nothing before the first attempt is over.
    past: watch::Sender<Option<Result<(), BatchError>>>,
}

enum Command {
    Request {
        job: String,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
        reply: oneshot::Sender<Result<String, BatchError>>,
    },
    Backfill {
        job: String,
        range: (Timestamp, Timestamp),
        again: bool,
        reply: oneshot::Sender<Result<Backfill, BatchError>>,
    },
    Update(Vec<Job>),
}

/// What a backfill comes to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Backfill {
    /// The runs, oldest first.
    pub runs: Vec<String>,
    /// How many intervals are left out, as a run has written their rows, or is in line or at work for them.
    pub skipped: usize,
}

struct Worker {
    shared: Arc<Shared>,
    journal: Arc<dyn Journal>,
    commands: mpsc::Receiver<Command>,
    /// Runs whose records have still to be written before they start.
    ready: Vec<Start>,
    tasks: JoinSet<Result<Outcome, String>>,
    runs: HashMap<Id, String>,
    stops: HashMap<String, AbortHandle>,
    /// Says what has come late.
    arrivals: Arc<dyn Arrivals>,
    /// Jobs that look for it.
    looks: JoinSet<(Look, Result<Arrived, String>)>,
    /// Jobs that were added, whose past is being read.
    added: added::Added,
    /// Whether the log had no room at the last round: said once, not five times a second.
    log_full: bool,
}

impl Scheduler {
    /// A scheduler for `jobs`, whose runs are recorded in `journal` and whose past is read through `queries`.
    ///
    /// # Errors
    /// [`BatchError::BadSchedule`] or [`BatchError::DuplicateJob`].
    pub fn build(
        jobs: Vec<Job>,
        journal: Arc<dyn Journal>,
        queries: QueryEngine,
        clock: Arc<dyn Clock>,
    ) -> Result<(Self, SchedulerHandle), BatchError> {
        let (worker, handle) = Worker::build(jobs, journal, clock, Arc::new(queries))?;
        Ok((Self { worker }, handle))
    }

    /// Works until `shutdown`. Runs at work then get three seconds; those that are still not done are run
    /// again at the next start. While the past cannot be read, nothing is run and requests are refused.
    ///
    /// # Errors
    /// [`BatchError::Journal`] if the log has stopped.
    pub async fn run(mut self, shutdown: CancellationToken) -> Result<(), BatchError> {
        loop {
            let asked = self.worker.shared.core.lock().asked(self.worker.now());
            let past = tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                past = self.worker.arrivals.past(&asked) => past,
            };
            match past {
                Ok(past) => return self.worker.run(past, shutdown).await,
                Err(error) => {
                    let error = BatchError::History(error);
                    tracing::warn!(%error, "jobs wait");
                    self.worker.shared.past.send_replace(Some(Err(error.clone())));
                    tokio::select! {
                        () = shutdown.cancelled() => return Ok(()),
                        () = tokio::time::sleep(HISTORY_RETRY) => {}
                        () = self.worker.refuse_all(&error) => {}
                    }
                }
            }
        }
    }
}

impl SchedulerHandle {
    /// How each job stands.
    #[must_use]
    pub fn jobs(&self) -> Vec<JobStatus> {
        self.shared.core.lock().status(self.shared.clock.now())
    }

    /// The newest state of a run, if it is remembered.
    #[must_use]
    pub fn run(&self, run: &str) -> Option<JobRun> {
        self.shared.core.lock().run(run)
    }

    /// The runs remembered of a job, newest first; none for an unknown job.
    #[must_use]
    pub fn runs(&self, job: &str) -> Vec<JobRun> {
        self.shared.core.lock().runs(job)
    }

    /// Puts a run of `job` in line and gives its id, once that is durable. A SQL job's run covers one whole
    /// interval of its schedule: without `from` and `to` the last one that is complete. That of a model's job
    /// goes from 1970 to now, if nothing else is said. A run that is in line for the same interval already
    /// serves.
    ///
    /// # Errors
    /// [`BatchError`] says what cannot be done and why.
    pub async fn request(
        &self,
        job: &str,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
    ) -> Result<String, BatchError> {
        let (reply, answer) = oneshot::channel();
        self.send(Command::Request { job: job.to_owned(), from, to, reply }).await?;
        answer.await.map_err(|_| BatchError::Stopped)?
    }

    /// Puts a run in line for each interval of the job's schedule that lies wholly in `[from, to)` and has
    /// passed, and gives their ids once that is durable. Intervals of which a SQL job has written the rows
    /// are left out, unless they are to be run `again`.
    ///
    /// # Errors
    /// [`BatchError`] says what cannot be done and why.
    pub async fn backfill(
        &self,
        job: &str,
        from: Timestamp,
        to: Timestamp,
        again: bool,
    ) -> Result<Backfill, BatchError> {
        let (reply, answer) = oneshot::channel();
        self.send(Command::Backfill { job: job.to_owned(), range: (from, to), again, reply }).await?;
        answer.await.map_err(|_| BatchError::Stopped)?
    }

    /// Takes a queued run out of line, or stops a running one at its next await.
    ///
    /// # Errors
    /// [`BatchError::UnknownRun`] or [`BatchError::NotCancellable`].
    pub fn cancel(&self, run: &str) -> Result<(), BatchError> {
        self.shared.core.lock().cancel(run, self.shared.clock.now())?;
        self.shared.wake.notify_one();
        Ok(())
    }

    /// Waits until nothing is at work, in line, or due by the clock: for whoever moves the clock and wants
    /// the jobs to keep up.
    ///
    /// # Errors
    /// [`BatchError::Stopped`] if the scheduler ends.
    pub async fn idle(&self) -> Result<(), BatchError> {
        let mut changes = self.changes();
        while !self.shared.core.lock().is_idle(self.shared.clock.now()) {
            changes.changed().await.map_err(|_| BatchError::Stopped)?;
        }
        Ok(())
    }

    /// Waits until the runs on record have been read from the lake, as they are soon after the start.
    /// [`SchedulerHandle::runs`] and the like know nothing of them before.
    ///
    /// # Errors
    /// [`BatchError::History`] if they could not be read so far. It is tried again and again.
    pub async fn past_known(&self) -> Result<(), BatchError> {
        let mut past = self.shared.past.subscribe();
        // Its sender lives as long as this handle.
        let read = past.wait_for(Option::is_some).await.map_err(|_| BatchError::Stopped)?;
        read.clone().unwrap_or(Ok(()))
    }

    /// Ticks whenever something may have changed.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.shared.changes.subscribe()
    }

    async fn send(&self, command: Command) -> Result<(), BatchError> {
        self.commands.send(command).await.map_err(|_| BatchError::Stopped)
    }
}

impl Worker {
    fn build(
        jobs: Vec<Job>,
        journal: Arc<dyn Journal>,
        clock: Arc<dyn Clock>,
        arrivals: Arc<dyn Arrivals>,
    ) -> Result<(Self, SchedulerHandle), BatchError> {
        let core = Mutex::new(Core::new(jobs)?);
        let shared = Arc::new(Shared {
            core,
            clock,
            wake: Notify::new(),
            changes: watch::Sender::new(0),
            past: watch::Sender::new(None),
        });
        let (sender, commands) = mpsc::channel(MAX_COMMANDS);
        let handle = SchedulerHandle { shared: Arc::clone(&shared), commands: sender };
        let (tasks, runs, stops) = (JoinSet::new(), HashMap::new(), HashMap::new());
        Ok((
            Self {
                shared,
                journal,
                commands,
                ready: Vec::new(),
                tasks,
                runs,
                stops,
                arrivals,
                looks: JoinSet::new(),
                added: added::Added::default(),
                log_full: false,
            },
            handle,
        ))
    }

    async fn run(mut self, past: Vec<JobPast>, shutdown: CancellationToken) -> Result<(), BatchError> {
        self.shared.core.lock().seed(past, self.now());
        // Who wants to know of them need not wait for the log's disk, as the first round may have to.
        self.shared.past.send_replace(Some(Ok(())));
        let mut poll = tokio::time::interval(POLL);
        poll.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let shared = Arc::clone(&self.shared);
        loop {
            self.round().await?;
            shared.changes.send_modify(|count| *count += 1);
            tokio::select! {
                () = shutdown.cancelled() => break,
                Some(ended) = self.tasks.join_next_with_id() => self.ended(ended),
                Some(looked) = self.looks.join_next() => self.looked(looked),
                Some(added) = self.added.join_next() => self.add(added),
                Some(command) = self.commands.recv() => self.obey(command).await,
                () = shared.wake.notified() => {}
                _ = poll.tick() => {}
            }
        }
        self.wind_down().await
    }

    /// Writes what is to be written, starts and stops what is to be started and stopped, until nothing is
    /// left to do for now.
    async fn round(&mut self) -> Result<(), BatchError> {
        loop {
            if !self.write_records().await? {
                return Ok(());
            }
            for start in std::mem::take(&mut self.ready) {
                self.start(start);
            }
            self.stop_cancelled();
            let mut core = self.shared.core.lock();
            self.ready = core.poll(self.shared.clock.now());
            for look in core.looks(self.shared.clock.now()) {
                let arrivals = Arc::clone(&self.arrivals);
                self.looks.spawn(async move {
                    let arrived = arrivals.since(&look).await;
                    (look, arrived)
                });
            }
            if self.ready.is_empty() && core.unwritten().is_none() {
                return Ok(());
            }
        }
    }

    /// Writes the records that wait; `false` if the log has no room, to be tried again at the next round.
    async fn write_records(&mut self) -> Result<bool, BatchError> {
        loop {
            let Some(record) = self.shared.core.lock().unwritten().cloned() else { return Ok(true) };
            match self.journal.append(Record::JobRun(record)).await {
                Ok(offset) => {
                    self.log_full = false;
                    self.shared.core.lock().written(Some(offset));
                    continue;
                }
                Err(error @ JournalError::Full(_)) => {
                    if !std::mem::replace(&mut self.log_full, true) {
                        tracing::warn!(%error, "jobs wait until their records can be written");
                    }
                    return Ok(false);
                }
                Err(error @ JournalError::Refused(_)) => {
                    tracing::error!(%error, "the state of a run is not on record");
                }
                Err(error @ (JournalError::Stopped(_) | JournalError::TakenOver(_))) => {
                    return Err(error.into());
                }
            }
            self.shared.core.lock().written(None);
        }
    }

    fn start(&mut self, start: Start) {
        let Start { record, work } = start;
        tracing::info!(run = record.run, from = %record.from, to = %record.to, "run starts");
        let run = record.run;
        let context = RunContext { run: run.clone(), from: record.from, to: record.to };
        let stop = self.tasks.spawn(async move { work.run(context).await });
        self.runs.insert(stop.id(), run.clone());
        self.stops.insert(run, stop);
    }

    fn stop_cancelled(&self) {
        let core = self.shared.core.lock();
        self.stops.iter().filter(|(run, _)| core.is_cancelled(run)).for_each(|(_, stop)| stop.abort());
    }

    fn looked(&self, looked: Result<(Look, Result<Arrived, String>), JoinError>) {
        // A look neither panics nor is it stopped, but with the server.
        let Ok((look, arrived)) = looked else { return };
        if let Err(error) = &arrived {
            tracing::warn!(
                job = look.job,
                error,
                "what has come late cannot be looked for; it is tried again after the next run"
            );
        }
        self.shared.core.lock().looked(&look, arrived.as_ref().ok(), self.now());
    }

    fn ended(&mut self, ended: Result<(Id, Result<Outcome, String>), JoinError>) {
        let (id, end) = match ended {
            Ok((id, Ok(outcome))) => (id, End::Done(outcome)),
            Ok((id, Err(error))) => (id, End::Failed(error)),
            Err(error) if error.is_cancelled() => (error.id(), End::Cancelled),
            Err(error) => (error.id(), End::Failed(panic_text(error))),
        };
        let Some(run) = self.runs.remove(&id) else { return };
        self.stops.remove(&run);
        match &end {
            End::Done(outcome) => tracing::info!(run, rows = outcome.rows, "run succeeded"),
            End::Failed(error) => tracing::warn!(run, error, "run failed"),
            End::Cancelled => tracing::info!(run, "run cancelled"),
        }
        self.shared.core.lock().finish(&run, end, self.now());
    }

    async fn obey(&mut self, command: Command) {
        // An answer that nobody waits for any more is no loss: the run is in line.
        match command {
            Command::Request { job, from, to, reply } => {
                let _ = reply.send(self.request(&job, from, to).await);
            }
            Command::Backfill { job, range, again, reply } => {
                let _ = reply.send(self.backfill(&job, range, again).await);
            }
            Command::Update(jobs) => self.update(jobs),
        }
    }

    async fn request(
        &self,
        job: &str,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
    ) -> Result<String, BatchError> {
        let (record, run) = self.shared.core.lock().plan_request(job, from, to, self.now())?;
        if let Some(record) = record {
            self.put_in_line(record).await?;
        }
        Ok(run)
    }

    async fn backfill(
        &self,
        job: &str,
        range: (Timestamp, Timestamp),
        again: bool,
    ) -> Result<Backfill, BatchError> {
        let (records, skipped) = self.shared.core.lock().plan_backfill(job, range, again, self.now())?;
        let mut runs = Vec::with_capacity(records.len());
        for record in records {
            runs.push(record.run.clone());
            self.put_in_line(record).await?;
        }
        Ok(Backfill { runs, skipped })
    }

    /// The record first: who is told that a run is in line finds it there after a crash too.
    async fn put_in_line(&self, record: JobRun) -> Result<(), BatchError> {
        self.journal.append(Record::JobRun(record.clone())).await?;
        let due = record.time;
        self.shared.core.lock().admit_written(record, due);
        Ok(())
    }

    /// Answers every request with `error`, without end.
    async fn refuse_all(&mut self, error: &BatchError) {
        while let Some(command) = self.commands.recv().await {
            match command {
                Command::Request { reply, .. } => drop(reply.send(Err(error.clone()))),
                Command::Backfill { reply, .. } => drop(reply.send(Err(error.clone()))),
                Command::Update(jobs) => self.replace(jobs),
            }
        }
        std::future::pending::<()>().await;
    }

    /// Gives runs at work some time to end. What is left then stands on record as running and is run again at
    /// the next start.
    async fn wind_down(mut self) -> Result<(), BatchError> {
        self.commands.close();
        let finish = async {
            while let Some(ended) = self.tasks.join_next_with_id().await {
                self.ended(ended);
            }
        };
        if tokio::time::timeout(GRACE, finish).await.is_err() {
            let left: Vec<&String> = self.stops.keys().collect();
            tracing::warn!(?left, "these runs did not end in time; they are run again at the next start");
        }
        self.write_records().await?;
        self.shared.changes.send_modify(|count| *count += 1);
        Ok(())
    }

    fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }
}

/// What a panic said.
fn panic_text(error: JoinError) -> String {
    let said = match error.try_into_panic() {
        Ok(payload) => match payload.downcast::<String>() {
            Ok(text) => *text,
            Err(payload) => {
                payload.downcast_ref::<&str>().map_or_else(String::new, |text| (*text).to_owned())
            }
        },
        Err(error) => error.to_string(),
    };
    format!("the job panicked: {said}; this is a bug in Forewarn, please report it")
}
