//! The loop with a journal in memory and a clock set by hand; and the whole with a real log and a real lake.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use forewarn_lake::{Branch, Lake, LakeOptions};
use forewarn_log::{LocalLog, Log, LogOptions, Ticket};
use forewarn_query::{Query, QueryEngine, QueryOptions};
use forewarn_spec::{CatchUp, SqlJob};
use forewarn_types::{
    BoxFuture, JobKind, ManualClock, Offset, Quality, ReadingBatch, ReadingFlags, RunState, SeriesDef,
    SeriesId, SeriesTable,
};
use tokio::task::JoinHandle;

use super::*;
use crate::history::{self, Asked};
use crate::{SqlWork, Trigger, Work};

const HOUR: i64 = 3_600_000_000;

fn at(us: i64) -> Timestamp {
    Timestamp::parse("2026-01-01T00:00:00Z").unwrap().plus_us(us)
}

/// Keeps records; refuses them while it is full.
#[derive(Default)]
struct MemoryJournal {
    records: Mutex<Vec<JobRun>>,
    full: AtomicBool,
}

impl Journal for MemoryJournal {
    fn append(&self, record: Record) -> BoxFuture<'_, Result<Offset, JournalError>> {
        Box::pin(async move {
            if self.full.load(Ordering::SeqCst) {
                return Err(JournalError::Full("a test".into()));
            }
            let Record::JobRun(run) = record else { return Err(JournalError::Refused("no run".into())) };
            let mut records = self.records.lock();
            records.push(run);
            Ok(Offset(records.len() as u64 - 1))
        })
    }
}

impl MemoryJournal {
    fn states(&self) -> Vec<RunState> {
        self.records.lock().iter().map(|run| run.state).collect()
    }
}

/// Nothing comes late.
struct Nothing;

impl Arrivals for Nothing {
    fn since<'a>(&'a self, _look: &'a Look) -> BoxFuture<'a, Result<Arrived, String>> {
        Box::pin(async { Ok(Arrived::default()) })
    }

    fn past<'a>(&'a self, _jobs: &'a [Asked]) -> BoxFuture<'a, Result<Vec<JobPast>, String>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

/// What a test's job does.
enum Deed {
    Succeed,
    Fail,
    Panic,
    /// Waits until it is let go.
    Wait(Arc<Notify>),
}

struct Doing {
    deed: Deed,
    begun: AtomicUsize,
}

impl Work for Doing {
    fn run(&self, context: RunContext) -> BoxFuture<'_, Result<Outcome, String>> {
        Box::pin(async move {
            self.begun.fetch_add(1, Ordering::SeqCst);
            match &self.deed {
                Deed::Succeed => Ok(Outcome { rows: 7, details: Some("{}".into()) }),
                Deed::Fail => Err("no such table".into()),
                Deed::Panic => panic!("index out of bounds in {}", context.run),
                Deed::Wait(go) => {
                    go.notified().await;
                    Ok(Outcome::default())
                }
            }
        })
    }
}

fn job(deed: Deed) -> (Job, Arc<Doing>) {
    let work = Arc::new(Doing { deed, begun: AtomicUsize::new(0) });
    let job = Job {
        name: "j".into(),
        kind: JobKind::Sql,
        trigger: Trigger::Every(HOUR),
        catch_up: CatchUp::All,
        late: crate::Late::default(),
        description: "a test".into(),
        work: Arc::clone(&work) as Arc<dyn Work>,
    };
    (job, work)
}

struct Rig {
    clock: Arc<ManualClock>,
    journal: Arc<MemoryJournal>,
    handle: SchedulerHandle,
    stop: CancellationToken,
    task: JoinHandle<Result<(), BatchError>>,
}

impl Rig {
    /// Comes back once the scheduler has looked at the clock for the first time.
    async fn start(job: Job) -> Self {
        let clock = Arc::new(ManualClock::new(at(0)));
        let journal = Arc::new(MemoryJournal::default());
        let (worker, handle) =
            Worker::build(vec![job], Arc::clone(&journal) as _, Arc::clone(&clock) as _, Arc::new(Nothing))
                .unwrap();
        let stop = CancellationToken::new();
        let mut changes = handle.changes();
        let task = tokio::spawn(worker.run(Vec::new(), stop.clone()));
        changes.changed().await.unwrap();
        Self { clock, journal, handle, stop, task }
    }

    fn set(&self, now: Timestamp) {
        self.clock.set(now);
        self.handle.shared.wake.notify_one();
    }

    async fn until(&self, reached: impl Fn(&Self) -> bool) {
        let mut changes = self.handle.changes();
        while !reached(self) {
            changes.changed().await.unwrap();
        }
    }

    async fn state(&self, run: &str, state: RunState) -> JobRun {
        self.until(|rig| rig.handle.run(run).is_some_and(|run| run.state == state)).await;
        self.handle.run(run).unwrap()
    }

    async fn shut_down(self) -> Result<(), BatchError> {
        self.stop.cancel();
        self.task.await.unwrap()
    }
}

#[tokio::test]
async fn a_due_interval_is_recorded_and_run() {
    let (job, work) = job(Deed::Succeed);
    let rig = Rig::start(job).await;
    rig.set(at(HOUR));
    rig.until(|rig| rig.journal.records.lock().len() == 3).await;
    assert_eq!(rig.journal.states(), [RunState::Queued, RunState::Running, RunState::Succeeded]);
    assert_eq!(work.begun.load(Ordering::SeqCst), 1);
    let run = rig.handle.runs("j").remove(0);
    assert_eq!((run.from, run.to, run.rows, run.trigger.as_str()), (at(0), at(HOUR), Some(7), "schedule"));
    assert_eq!(rig.handle.jobs()[0].last, Some(run));
    rig.shut_down().await.unwrap();
}

#[tokio::test]
async fn who_asks_right_after_the_start_can_wait_for_the_runs_on_record() {
    let clock = Arc::new(ManualClock::new(at(HOUR)));
    let (job, _) = job(Deed::Succeed);
    let (worker, handle) =
        Worker::build(vec![job], Arc::new(MemoryJournal::default()), clock, Arc::new(Nothing)).unwrap();
    tokio::select! {
        biased;
        _ = handle.past_known() => panic!("nobody has read it"),
        () = std::future::ready(()) => {}
    }
    let past = JobPast {
        job: "j".into(),
        runs: vec![record("j-1".into(), RunState::Succeeded)],
        ..JobPast::default()
    };
    let task = tokio::spawn(worker.run(vec![past], CancellationToken::new()));
    handle.past_known().await.unwrap();
    assert!(handle.runs("j").iter().any(|run| run.run == "j-1"), "{:?}", handle.runs("j"));
    task.abort();
}

#[tokio::test]
async fn whoever_moves_the_clock_can_wait_for_the_jobs() {
    let (job, work) = job(Deed::Succeed);
    let rig = Rig::start(job).await;
    for (hour, runs) in (1..4).zip(1..) {
        rig.set(at(hour * HOUR));
        rig.handle.idle().await.unwrap();
        assert_eq!(work.begun.load(Ordering::SeqCst), runs);
        assert_eq!(rig.journal.states().last(), Some(&RunState::Succeeded));
    }
    rig.shut_down().await.unwrap();
}

#[tokio::test]
async fn a_panic_is_a_failure_and_the_scheduler_goes_on() {
    let (job, _) = job(Deed::Panic);
    let rig = Rig::start(job).await;
    for _ in 0..2 {
        let run = rig.handle.request("j", Some(at(-HOUR)), Some(at(0))).await.unwrap();
        let failed = rig.state(&run, RunState::Failed).await;
        assert!(failed.error.as_ref().unwrap().contains("panicked: index out of bounds in j-"), "{failed:?}");
    }
    rig.shut_down().await.unwrap();
}

#[tokio::test]
async fn a_scheduled_failure_is_tried_again_in_clock_time() {
    let (job, work) = job(Deed::Fail);
    let rig = Rig::start(job).await;
    for (time, tries) in [(HOUR, 1), (HOUR + 30_000_000, 2), (HOUR + 150_000_000, 3)] {
        rig.set(at(time));
        rig.until(|rig| {
            rig.handle.runs("j").iter().filter(|run| run.state == RunState::Failed).count() == tries
        })
        .await;
        assert_eq!(work.begun.load(Ordering::SeqCst), tries);
    }
    assert_eq!(rig.handle.jobs()[0].queued, 0);
    rig.shut_down().await.unwrap();
}

#[tokio::test]
async fn a_running_job_is_cancelled_and_backfills_wait_their_turn() {
    let (job, _) = job(Deed::Wait(Arc::new(Notify::new())));
    let rig = Rig::start(job).await;
    rig.set(at(HOUR / 2));
    let runs = rig.handle.backfill("j", at(-2 * HOUR), at(0), false).await.unwrap().runs;
    assert_eq!(runs.len(), 2);
    rig.state(&runs[0], RunState::Running).await;
    assert_eq!(rig.handle.run(&runs[1]).unwrap().state, RunState::Queued);
    rig.handle.cancel(&runs[0]).unwrap();
    rig.state(&runs[0], RunState::Cancelled).await;
    rig.state(&runs[1], RunState::Running).await;
    rig.handle.cancel(&runs[1]).unwrap();
    rig.state(&runs[1], RunState::Cancelled).await;
    assert!(rig.handle.cancel("nothing").is_err());
    rig.shut_down().await.unwrap();
}

#[tokio::test]
async fn nothing_starts_before_its_record_is_durable() {
    let (job, work) = job(Deed::Succeed);
    let rig = Rig::start(job).await;
    rig.journal.full.store(true, Ordering::SeqCst);
    assert!(matches!(
        rig.handle.request("j", Some(at(-HOUR)), Some(at(0))).await,
        Err(BatchError::Journal(JournalError::Full(_)))
    ));
    rig.set(at(HOUR));
    rig.until(|rig| !rig.handle.runs("j").is_empty()).await;
    assert_eq!((work.begun.load(Ordering::SeqCst), rig.journal.records.lock().len()), (0, 0));
    rig.journal.full.store(false, Ordering::SeqCst);
    rig.handle.shared.wake.notify_one();
    rig.until(|rig| rig.journal.records.lock().len() == 3).await;
    assert_eq!(work.begun.load(Ordering::SeqCst), 1);
    rig.shut_down().await.unwrap();
}

#[tokio::test]
async fn shutdown_lets_runs_end_and_takes_no_more() {
    let go = Arc::new(Notify::new());
    let (job, _) = job(Deed::Wait(Arc::clone(&go)));
    let rig = Rig::start(job).await;
    let run = rig.handle.request("j", Some(at(-HOUR)), Some(at(0))).await.unwrap();
    rig.state(&run, RunState::Running).await;
    let (handle, journal) = (rig.handle.clone(), Arc::clone(&rig.journal));
    rig.stop.cancel();
    go.notify_one();
    rig.shut_down().await.unwrap();
    assert_eq!(journal.states().last(), Some(&RunState::Succeeded));
    assert_eq!(handle.request("j", None, None).await, Err(BatchError::Stopped));
}

/// A log, a lake and a branch between them, in one folder.
struct Plant {
    log: Arc<LocalLog>,
    queries: QueryEngine,
    stop: CancellationToken,
    branch: JoinHandle<Result<(), forewarn_lake::LakeError>>,
}

impl Plant {
    async fn open(folder: &std::path::Path, clock: &Arc<ManualClock>) -> Self {
        let log = LocalLog::open(LogOptions::new(folder.join("log"))).unwrap();
        let series = Arc::new(parking_lot::RwLock::new(SeriesTable::new(100)));
        series.write().intern("p", "t").unwrap();
        let options =
            LakeOptions { url: format!("file://{}/lake", folder.display()), ..LakeOptions::default() };
        let lake = Lake::open(options, series, Arc::clone(clock) as _).await.unwrap();
        let stop = CancellationToken::new();
        let branch = Branch::build(lake.clone(), Arc::clone(&log) as Arc<dyn Log>, Arc::clone(clock) as _);
        let branch = tokio::spawn(branch.run(stop.clone()));
        let queries = QueryEngine::new(lake, Arc::clone(clock) as _, QueryOptions::default()).unwrap();
        Self { log, queries, stop, branch }
    }

    /// Ends as a crash does: what the branch has not committed stays in the log only.
    async fn crash(self) {
        self.branch.abort();
        let _ = self.branch.await;
        self.log.close().unwrap();
        // A read that was under way when the branch was cut off ends by itself; until then the folder stays
        // locked.
        drop(self.queries);
        while Arc::strong_count(&self.log) > 1 {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_schedule_goes_on_after_a_crash_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new(at(0)));
    let plant = Plant::open(folder.path(), &clock).await;
    let (waiting, _) = job(Deed::Wait(Arc::new(Notify::new())));
    let (scheduler, handle) = Scheduler::build(
        vec![waiting],
        Arc::clone(&plant.log) as _,
        plant.queries.clone(),
        Arc::clone(&clock) as _,
    )
    .unwrap();
    let task = tokio::spawn(scheduler.run(CancellationToken::new()));
    let mut changes = handle.changes();
    changes.changed().await.unwrap();
    clock.set(at(HOUR));
    while handle.jobs()[0].running.is_none() {
        changes.changed().await.unwrap();
    }
    let cut_off = handle.jobs()[0].running.clone().unwrap();
    task.abort();
    let _ = task.await;
    plant.crash().await;

    clock.set(at(3 * HOUR));
    let plant = Plant::open(folder.path(), &clock).await;
    let (succeeding, _) = job(Deed::Succeed);
    let (scheduler, handle) = Scheduler::build(
        vec![succeeding],
        Arc::clone(&plant.log) as _,
        plant.queries.clone(),
        Arc::clone(&clock) as _,
    )
    .unwrap();
    let stop = CancellationToken::new();
    let mut changes = handle.changes();
    let task = tokio::spawn(scheduler.run(stop.clone()));
    while handle.jobs()[0].covered_to != Some(at(3 * HOUR)) {
        changes.changed().await.unwrap();
    }
    stop.cancel();
    task.await.unwrap().unwrap();
    let closed = handle.run(&cut_off).unwrap();
    assert!(closed.state == RunState::Failed && closed.error.unwrap().contains("run again as"));
    let mut done: Vec<(Timestamp, String, String)> = handle
        .runs("j")
        .into_iter()
        .filter(|run| run.state == RunState::Succeeded)
        .map(|run| (run.from, run.trigger, run.run))
        .collect();
    done.sort();
    assert_eq!(
        done.iter().map(|(from, trigger, _)| (*from, trigger.as_str())).collect::<Vec<_>>(),
        [(at(0), "schedule"), (at(HOUR), "catch-up"), (at(2 * HOUR), "catch-up")]
    );
    assert!(done[0].2.ends_with("-2"), "the second attempt: {}", done[0].2);
    // A third start finds nothing to do.
    let past = history::load(&plant.queries, &["j".to_owned(), "it's new".to_owned()]).await.unwrap();
    assert_eq!(
        (past[0].covered_to, past[0].first_from, past[0].runs.len()),
        (Some(at(3 * HOUR)), Some(at(0)), 4)
    );
    assert_eq!((past[1].covered_to, past[1].runs.len()), (None, 0));
    plant.stop.cancel();
    plant.branch.await.unwrap().unwrap();
}

/// A record of a run over the first hour.
fn record(run: String, state: RunState) -> JobRun {
    JobRun {
        run,
        job: "j".into(),
        kind: JobKind::Sql,
        state,
        from: at(0),
        to: at(HOUR),
        time: at(HOUR),
        trigger: "backfill".into(),
        rows: None,
        error: None,
        details: None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_written_is_found_in_the_history() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new(at(0)));
    let plant = Plant::open(folder.path(), &clock).await;
    let done = |from: i64, to: i64, rows, details: Option<&str>| JobRun {
        run: format!("{from}-{to}"),
        from: at(from * HOUR),
        to: at(to * HOUR),
        rows,
        details: details.map(str::to_owned),
        ..record(String::new(), RunState::Succeeded)
    };
    let runs = [
        done(2, 3, Some(1), None),
        done(1, 2, Some(1), None),
        // Over the same rows, as an earlier version let it be.
        done(0, 3, Some(1), None),
        done(3, 4, Some(0), None),
        done(4, 5, Some(0), Some("{}")),
        JobRun { state: RunState::Failed, ..done(5, 6, None, None) },
        JobRun { job: "k".into(), ..done(7, 8, Some(1), None) },
    ];
    for run in runs {
        plant.log.append(Record::JobRun(run)).await.unwrap();
    }
    let past = history::load(&plant.queries, &["j".to_owned(), "none".to_owned()]).await.unwrap();
    assert_eq!(past[0].written, [(at(0), at(3 * HOUR)), (at(4 * HOUR), at(5 * HOUR))].into_iter().collect());
    assert_eq!(past[1].written, std::iter::empty().collect());
    plant.stop.cancel();
    plant.branch.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_that_are_not_over_are_found_however_old_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new(at(0)));
    let plant = Plant::open(folder.path(), &clock).await;
    let open =
        [("a", RunState::Queued), ("b", RunState::Queued), ("a", RunState::Running), ("c", RunState::Queued)];
    let over = (0..history::MAX_RECORDS).map(|n| record(format!("over-{n}"), RunState::Succeeded));
    let open = open.map(|(run, state)| record(run.to_owned(), state));
    let last = record("c".into(), RunState::Cancelled);
    let tickets: Vec<Ticket> = open
        .into_iter()
        .chain(over)
        .chain([last])
        .map(|run| plant.log.submit(Record::JobRun(run)).unwrap())
        .collect();
    for ticket in tickets {
        ticket.durable.await.unwrap();
    }
    let runs = history::load(&plant.queries, &["j".to_owned()]).await.unwrap().remove(0).runs;
    let unfinished: Vec<(&str, RunState)> =
        runs.iter().filter(|run| !run.state.is_final()).map(|run| (run.run.as_str(), run.state)).collect();
    assert_eq!(unfinished, [("a", RunState::Running), ("b", RunState::Queued)]);
    assert_eq!((runs[0].run.as_str(), runs[1].run.as_str()), ("a", "b"), "the oldest come first");
    plant.stop.cancel();
    plant.branch.await.unwrap().unwrap();
}

/// Readings of one pump at these minutes, good ones.
fn readings(minutes: &[i64]) -> Record {
    let mut batch = ReadingBatch::with_capacity(at(0), minutes.len());
    for minute in minutes {
        batch.push(SeriesId(0), at(minute * HOUR / 60), 1.0, ReadingFlags::new(Quality::Good, false));
    }
    Record::Readings(batch)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_hour_that_readings_have_come_to_late_is_computed_again_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new(at(0)));
    let plant = Plant::open(folder.path(), &clock).await;
    plant
        .log
        .append(Record::Series(vec![SeriesDef { id: SeriesId(0), asset: "p".into(), signal: "t".into() }]))
        .await
        .unwrap();
    let job = || {
        let job = SqlJob {
            name: "hourly".into(),
            schedule: "0 * * * *".into(),
            timezone: chrono_tz::UTC,
            sql: "SELECT min(time) AS first, count(*) AS n FROM readings WHERE time >= :from AND time < :to \
                  HAVING count(*) > 0"
                .into(),
            into: "counts".into(),
            catch_up: CatchUp::All,
            delay_us: 0,
            recompute_us: 3 * HOUR,
        };
        SqlWork::new(plant.queries.clone(), job).into_job()
    };
    let counts = async || {
        let text = "SELECT n FROM counts ORDER BY first".to_owned();
        let answer = plant.queries.run(Query { text, ..Query::default() }).await.unwrap();
        let rows = answer.collect().await.unwrap();
        (0..rows.row_count()).map(|row| format!("{:?}", rows.cell(row, 0))).collect::<Vec<_>>().join(" ")
    };
    for (hour, minutes, expected) in [
        (1, &[5, 15, 25][..], "Int(3)"),
        (2, &[65][..], "Int(3) Int(1)"),
        // Two of the first hour and one of the second come in the third.
        (3, &[35, 45, 75, 130][..], "Int(5) Int(2) Int(1)"),
        (4, &[190][..], "Int(5) Int(2) Int(1) Int(1)"),
        // Only what ended within the last three hours is computed again.
        (5, &[55, 140, 250][..], "Int(5) Int(2) Int(2) Int(1) Int(1)"),
    ] {
        plant.log.append(readings(minutes)).await.unwrap();
        // A new scheduler each time: what has been seen is found on record.
        let (scheduler, handle) = Scheduler::build(
            vec![job()],
            Arc::clone(&plant.log) as _,
            plant.queries.clone(),
            Arc::clone(&clock) as _,
        )
        .unwrap();
        let stop = CancellationToken::new();
        let task = tokio::spawn(scheduler.run(stop.clone()));
        handle.past_known().await.unwrap();
        clock.set(at(hour * HOUR));
        handle.idle().await.unwrap();
        assert_eq!(counts().await, expected, "hour {hour}");
        stop.cancel();
        task.await.unwrap().unwrap();
    }
    plant.stop.cancel();
    plant.branch.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_job_that_is_added_runs_and_one_that_is_changed_is_not_forgotten() {
    let (first, _) = job(Deed::Succeed);
    let rig = Rig::start(first.clone()).await;
    let (second, work) = job(Deed::Succeed);
    let second = Job { name: "k".into(), ..second };
    rig.handle.update(vec![second.clone(), first.clone()]).await.unwrap();
    rig.until(|rig| rig.handle.jobs().len() == 2).await;
    assert_eq!(rig.handle.jobs()[0].name, "k");
    rig.set(at(HOUR));
    rig.until(|rig| rig.journal.states().iter().filter(|state| **state == RunState::Succeeded).count() == 2)
        .await;
    assert_eq!(work.begun.load(Ordering::SeqCst), 1);
    assert!(rig.handle.update(vec![first.clone(), first]).await.is_err(), "two of one name");
    rig.handle.update(vec![second]).await.unwrap();
    rig.until(|rig| rig.handle.jobs().len() == 1).await;
    rig.shut_down().await.unwrap();
}
