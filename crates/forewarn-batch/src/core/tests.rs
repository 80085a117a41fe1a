//! The scheduler's decisions, driven by hand.

mod late;
mod requests;
mod update;

use forewarn_types::{BoxFuture, JobKind};

use super::*;
use crate::{RunContext, Trigger};

const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;

struct Idle;

impl Work for Idle {
    fn run(&self, _context: RunContext) -> BoxFuture<'_, Result<Outcome, String>> {
        Box::pin(async { Ok(Outcome::default()) })
    }
}

fn job(name: &str, trigger: Trigger, catch_up: CatchUp) -> Job {
    Job {
        name: name.into(),
        kind: JobKind::Sql,
        trigger,
        catch_up,
        late: crate::Late::default(),
        description: String::new(),
        work: Arc::new(Idle),
    }
}

fn hourly(catch_up: CatchUp) -> Vec<Job> {
    vec![job("h", Trigger::Every(HOUR), catch_up)]
}

/// A time `us` after the start of 2026.
fn at(us: i64) -> Timestamp {
    Timestamp::parse("2026-01-01T00:00:00Z").unwrap().plus_us(us)
}

fn core(jobs: Vec<Job>, past: Vec<JobPast>, now: Timestamp) -> Core {
    let mut core = Core::new(jobs).unwrap();
    core.seed(past, now);
    core
}

/// Everything in the outbox: run, state, trigger.
fn drain(core: &mut Core) -> Vec<JobRun> {
    core.outbox.drain(..).collect()
}

fn hours(run: &JobRun) -> (i64, i64) {
    (run.from.since_us(at(0)) / HOUR, run.to.since_us(at(0)) / HOUR)
}

/// Runs everything that is due, successfully, and gives the intervals in order.
fn run_all(core: &mut Core, now: Timestamp) -> Vec<(i64, i64, String)> {
    let mut ran = Vec::new();
    loop {
        let starts = core.poll(now);
        if starts.is_empty() {
            return ran;
        }
        for start in starts {
            let (from, to) = hours(&start.record);
            ran.push((from, to, start.record.trigger.clone()));
            core.finish(&start.record.run, End::Done(Outcome { rows: 1, details: None }), now);
        }
    }
}

/// Puts a request in line as the loop does.
fn request(
    core: &mut Core,
    job: &str,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    now: Timestamp,
) -> Result<String, BatchError> {
    let (record, run) = core.plan_request(job, from, to, now)?;
    if let Some(record) = record {
        core.admit_written(record, now);
    }
    Ok(run)
}

/// A past in which the hours before `covered` are done.
fn past(covered: i64, runs: Vec<JobRun>) -> Vec<JobPast> {
    let written = runs.iter().filter(|run| has_written(run)).map(|run| (run.from, run.to)).collect();
    vec![JobPast {
        job: "h".into(),
        covered_to: Some(at(covered * HOUR)),
        first_from: Some(at(0)),
        written,
        runs,
        ..JobPast::default()
    }]
}

fn run_of(from: i64, to: i64, attempt: u32, state: RunState, trigger: &str) -> JobRun {
    let (from, to) = (at(from * HOUR), at(to * HOUR));
    JobRun {
        run: format!("{}-{attempt}", series_id("h", from, to, None)),
        job: "h".into(),
        kind: JobKind::Sql,
        state,
        from,
        to,
        time: to,
        trigger: trigger.into(),
        rows: None,
        error: None,
        details: None,
    }
}

#[test]
fn a_new_job_begins_with_its_next_fire_time() {
    let mut core = core(hourly(CatchUp::All), vec![], at(HOUR / 2));
    assert!(core.poll(at(HOUR - 1)).is_empty());
    assert_eq!(run_all(&mut core, at(HOUR)), [(0, 1, SCHEDULE.to_owned())]);
    let states: Vec<RunState> = drain(&mut core).iter().map(|run| run.state).collect();
    assert_eq!(states, [RunState::Queued, RunState::Running, RunState::Succeeded]);
    assert!(run_all(&mut core, at(2 * HOUR - 1)).is_empty());
    assert_eq!(core.status(at(HOUR))[0].next, Some(at(2 * HOUR)));
    assert_eq!(core.status(at(HOUR))[0].covered_to, Some(at(HOUR)));
}

#[test]
fn catch_up_does_as_it_is_told() {
    let caught = |policy| {
        let mut core = core(hourly(policy), past(2, vec![]), at(5 * HOUR + 1));
        let ran: Vec<(i64, i64, String)> = run_all(&mut core, at(5 * HOUR + 1));
        assert_eq!(run_all(&mut core, at(6 * HOUR)), [(5, 6, SCHEDULE.to_owned())], "{policy:?}");
        ran
    };
    let late = |from| (from, from + 1, CATCH_UP.to_owned());
    assert_eq!(caught(CatchUp::All), [late(2), late(3), late(4)]);
    assert_eq!(caught(CatchUp::Latest), [late(4)]);
    assert_eq!(caught(CatchUp::None), []);
}

#[test]
fn a_slow_job_skips_to_the_newest_interval_unless_it_wants_all() {
    for (policy, expected) in
        [(CatchUp::All, vec![0, 1, 2, 3]), (CatchUp::Latest, vec![0, 3]), (CatchUp::None, vec![0, 3])]
    {
        let mut core = core(hourly(policy), vec![], at(0));
        let slow = core.poll(at(HOUR)).remove(0).record;
        assert!(core.poll(at(4 * HOUR)).is_empty(), "one run of a job at a time");
        core.finish(&slow.run, End::Done(Outcome::default()), at(4 * HOUR));
        let rest: Vec<i64> = run_all(&mut core, at(4 * HOUR)).iter().map(|run| run.0).collect();
        assert_eq!([vec![0], rest].concat(), expected, "{policy:?}");
    }
}

#[test]
fn too_much_to_catch_up_with_is_cut_and_said() {
    let mut core = core(hourly(CatchUp::All), past(0, vec![]), at(1_500 * HOUR));
    let note = core.status(at(1_500 * HOUR))[0].note.clone().unwrap();
    assert!(note.contains("2026-01-01T00:00:00Z to 2026-01-21T20:00:00Z are left out"), "{note}");
    let ran = run_all(&mut core, at(1_500 * HOUR));
    assert_eq!((ran.len(), ran[0].0, ran[999].1), (1_000, 500, 1_500));
    assert!(core.status(at(0))[0].queued == 0 && core.runs("h").len() == MAX_HISTORY);
}

#[test]
fn runs_that_a_crash_cut_off_are_closed_and_run_again() {
    let left = vec![
        run_of(1, 2, 1, RunState::Succeeded, SCHEDULE),
        run_of(2, 3, 1, RunState::Running, SCHEDULE),
        run_of(0, 1, 1, RunState::Queued, REQUEST),
    ];
    for policy in [CatchUp::All, CatchUp::Latest, CatchUp::None] {
        let mut core = core(hourly(policy), past(2, left.clone()), at(3 * HOUR));
        let records = drain(&mut core);
        let closed: Vec<&JobRun> = records.iter().filter(|run| run.state == RunState::Failed).collect();
        assert_eq!(closed.len(), 1);
        assert!(closed[0].error.as_ref().unwrap().contains("run again as h-2026"), "{closed:?}");
        let again: Vec<u32> = records
            .iter()
            .filter(|run| run.state == RunState::Queued)
            .map(|run| attempt_of(&run.run))
            .collect();
        assert_eq!(again, [2]);
        assert_eq!(
            run_all(&mut core, at(3 * HOUR)),
            [(0, 1, REQUEST.to_owned()), (2, 3, SCHEDULE.to_owned())],
            "{policy:?}"
        );
    }
}

#[test]
fn a_run_in_line_stays_there_through_any_number_of_restarts() {
    for trigger in [SCHEDULE, REQUEST, BACKFILL] {
        let waiting = run_of(2, 3, 2, RunState::Queued, trigger);
        for _ in 0..3 {
            let mut restarted = core(hourly(CatchUp::All), past(2, vec![waiting.clone()]), at(3 * HOUR));
            assert_eq!(drain(&mut restarted), [], "it is on record already");
            assert_eq!(restarted.runs("h"), std::slice::from_ref(&waiting));
        }
        let mut core = core(hourly(CatchUp::All), past(2, vec![waiting.clone()]), at(3 * HOUR));
        assert_eq!(run_all(&mut core, at(3 * HOUR)), [(2, 3, trigger.to_owned())]);
        assert_eq!(core.run(&waiting.run).unwrap().state, RunState::Succeeded);
    }
}

#[test]
fn a_restart_in_the_middle_of_a_restart_loses_no_run() {
    let left = run_of(0, 1, 1, RunState::Running, REQUEST);
    let first = core(hourly(CatchUp::All), past(2, vec![left.clone()]), at(2 * HOUR));
    let again = first.unwritten().unwrap().clone();
    assert_eq!((again.state, attempt_of(&again.run)), (RunState::Queued, 2), "before the first is closed");
    let mut second = core(hourly(CatchUp::All), past(2, vec![left.clone(), again]), at(2 * HOUR));
    let closed = drain(&mut second);
    assert!(
        closed.len() == 1 && closed[0].run == left.run && closed[0].state == RunState::Failed,
        "{closed:?}"
    );
    assert_eq!(run_all(&mut second, at(2 * HOUR)), [(0, 1, REQUEST.to_owned())]);
}

#[test]
fn however_many_runs_are_in_line_none_is_forgotten_at_a_restart() {
    let left: Vec<JobRun> =
        (0..1_000).map(|hour| run_of(hour, hour + 1, 1, RunState::Queued, BACKFILL)).collect();
    let mut core = core(hourly(CatchUp::All), past(1_000, left.clone()), at(1_000 * HOUR));
    assert_eq!(core.status(at(0))[0].queued, 1_000);
    assert!(left.iter().all(|run| core.run(&run.run).is_some()));
    let first = core.poll(at(1_000 * HOUR)).remove(0).record.run;
    core.finish(&first, End::Done(Outcome::default()), at(1_000 * HOUR));
    assert_eq!(
        core.run(&first).unwrap().state,
        RunState::Succeeded,
        "what just ended is not forgotten for those in line"
    );
    let ran: Vec<i64> = run_all(&mut core, at(1_000 * HOUR)).iter().map(|run| run.0).collect();
    assert_eq!(ran, (1..1_000).collect::<Vec<_>>());
    assert_eq!(core.runs("h").len(), MAX_HISTORY, "what is over may be forgotten");
}

#[test]
fn a_run_that_ends_the_server_is_not_tried_for_ever() {
    let left: Vec<JobRun> = (1..=3)
        .map(|attempt| {
            run_of(2, 3, attempt, if attempt < 3 { RunState::Failed } else { RunState::Running }, SCHEDULE)
        })
        .collect();
    let mut core = core(hourly(CatchUp::All), past(2, left), at(4 * HOUR));
    let closed = drain(&mut core);
    assert_eq!(closed.len(), 1);
    assert!(closed[0].error.as_ref().unwrap().contains("attempt 3 of 3; request the interval"), "{closed:?}");
    assert_eq!(run_all(&mut core, at(4 * HOUR)), [(3, 4, CATCH_UP.to_owned())]);
}

#[test]
fn a_failure_is_tried_three_times_with_growing_pauses_and_holds_up_later_intervals() {
    let mut core = core(hourly(CatchUp::All), vec![], at(0));
    let mut now = at(2 * HOUR);
    let mut runs = Vec::new();
    for pause in [30, 120, 0] {
        let start = core.poll(now).remove(0).record;
        assert_eq!(hours(&start), (0, 1));
        core.finish(&start.run, End::Failed("no such table".into()), now);
        runs.push(core.run(&start.run).unwrap());
        if pause > 0 {
            assert!(core.poll(now.plus_us(pause * 1_000_000 - 1)).is_empty());
            now = now.plus_us(pause * 1_000_000);
        }
    }
    assert!(runs.iter().all(|run| run.state == RunState::Failed));
    assert!(
        runs[0].error.as_ref().unwrap().starts_with("no such table (attempt 1 of 3; tried again as "),
        "{runs:?}"
    );
    assert!(runs[0].error.as_ref().unwrap().contains(&runs[1].run));
    assert_eq!(runs[2].error.as_deref(), Some("no such table"));
    assert_eq!(run_all(&mut core, now), [(1, 2, SCHEDULE.to_owned())], "the next interval goes on");
}

#[test]
fn failed_intervals_after_the_last_success_are_caught_up_with_until_their_attempts_are_used_up() {
    let failed = |from, attempt| run_of(from, from + 1, attempt, RunState::Failed, SCHEDULE);
    let runs = vec![failed(2, 1), failed(3, 1), failed(3, 2), failed(3, 3)];
    let mut core = core(hourly(CatchUp::All), past(2, runs), at(5 * HOUR));
    let ran: Vec<i64> = run_all(&mut core, at(5 * HOUR)).iter().map(|run| run.0).collect();
    assert_eq!(ran, [2, 4]);
}

#[test]
fn stretches_are_joined_and_cut_out() {
    let stretches =
        |all: &[(i64, i64)]| -> Stretches { all.iter().map(|(from, to)| (at(*from), at(*to))).collect() };
    assert_eq!(stretches(&[(5, 6), (1, 2), (3, 4), (2, 3), (9, 9)]), stretches(&[(1, 4), (5, 6)]));
    assert_eq!(stretches(&[(1, 2), (4, 5), (0, 9)]), stretches(&[(0, 9)]));
    let set = stretches(&[(1, 3), (5, 7)]);
    assert_eq!(set.gaps(at(0), at(9)), [(at(0), at(1)), (at(3), at(5)), (at(7), at(9))]);
    assert_eq!(set.gaps(at(2), at(6)), [(at(3), at(5))]);
    assert_eq!(set.gaps(at(5), at(7)), []);
    assert_eq!(set.overlap(at(3), at(5)), None);
    assert_eq!(set.overlap(at(2), at(3)), Some((at(1), at(3))));
}

#[test]
fn at_most_two_runs_work_at_once_and_jobs_take_turns() {
    let jobs = ["a", "b", "c"].map(|name| job(name, Trigger::Every(HOUR), CatchUp::All)).into();
    let mut core = core(jobs, vec![], at(0));
    let now = at(3 * HOUR);
    let mut order = String::new();
    let mut working: VecDeque<JobRun> = VecDeque::new();
    loop {
        working.extend(core.poll(now).into_iter().map(|start| start.record));
        assert!(working.len() <= MAX_RUNNING);
        let Some(run) = working.pop_front() else { break };
        order.push_str(&run.job);
        core.finish(&run.run, End::Done(Outcome::default()), now);
    }
    assert_eq!(order, "abcabcabc");
}

#[test]
fn cancelling_takes_out_of_line_or_marks() {
    let mut core = core(hourly(CatchUp::All), vec![], at(0));
    let queued = request(&mut core, "h", Some(at(-HOUR)), Some(at(0)), at(1)).unwrap();
    assert_eq!(core.cancel(&queued, at(2)), Ok(()));
    assert_eq!(core.run(&queued).unwrap().state, RunState::Cancelled);
    assert!(matches!(core.cancel(&queued, at(2)), Err(BatchError::NotCancellable { .. })));
    assert!(matches!(core.cancel("nothing", at(2)), Err(BatchError::UnknownRun(_))));

    let working = core.poll(at(HOUR)).remove(0).record.run;
    assert!(!core.is_cancelled(&working));
    assert_eq!(core.cancel(&working, at(HOUR)), Ok(()));
    assert!(core.is_cancelled(&working));
    core.finish(&working, End::Cancelled, at(HOUR));
    assert_eq!(core.run(&working).unwrap().state, RunState::Cancelled);
    assert_eq!(
        run_all(&mut core, at(2 * HOUR)),
        [(1, 2, SCHEDULE.to_owned())],
        "a cancelled interval is passed over"
    );
}

#[test]
fn a_run_that_fails_while_it_is_cancelled_is_not_tried_again() {
    let mut core = core(hourly(CatchUp::All), vec![], at(0));
    let working = core.poll(at(HOUR)).remove(0).record.run;
    core.cancel(&working, at(HOUR)).unwrap();
    core.finish(&working, End::Failed("out of memory".into()), at(HOUR));
    let run = core.run(&working).unwrap();
    assert_eq!((run.state, run.error.as_deref()), (RunState::Cancelled, Some("out of memory")));
    assert_eq!(run_all(&mut core, at(2 * HOUR)), [(1, 2, SCHEDULE.to_owned())]);
}

#[test]
fn a_clock_that_was_far_ahead_does_not_stop_the_schedule() {
    for policy in [CatchUp::All, CatchUp::Latest, CatchUp::None] {
        let mut core = core(hourly(policy), past(10_000, vec![]), at(2 * HOUR));
        assert!(core.poll(at(2 * HOUR + 1)).is_empty());
        assert_eq!(run_all(&mut core, at(3 * HOUR)), [(2, 3, SCHEDULE.to_owned())], "{policy:?}");
    }
}

#[test]
fn a_clock_that_is_set_back_repeats_no_interval() {
    for rows in [0, 1] {
        let mut core = core(hourly(CatchUp::All), vec![], at(0));
        let mut ran = Vec::new();
        for now in
            [at(HOUR), at(2 * HOUR), at(2 * HOUR - 1), at(HOUR / 2), at(HOUR), at(2 * HOUR), at(3 * HOUR)]
        {
            for start in core.poll(now) {
                ran.push(hours(&start.record).0);
                core.finish(&start.record.run, End::Done(Outcome { rows, details: None }), now);
            }
        }
        assert_eq!(ran, [0, 1, 2], "with {rows} rows");
    }
}

#[test]
fn a_clock_that_is_set_back_does_not_stretch_a_pause() {
    let mut core = core(hourly(CatchUp::All), vec![], at(0));
    let start = core.poll(at(HOUR)).remove(0).record;
    core.finish(&start.run, End::Failed("no such table".into()), at(HOUR));
    assert!(core.poll(at(HOUR + 1)).is_empty() && core.is_idle(at(HOUR + 1)));
    assert!(!core.is_idle(at(-DAY)));
    assert_eq!(core.poll(at(-DAY)).len(), 1);
}

#[test]
fn a_daily_job_covers_the_short_and_the_long_day_once() {
    // Oslo's clocks went forward on 2026-03-29 and back on 2026-10-25.
    for (noon, lengths) in
        [("2026-03-27T12:00:00Z", [24, 24, 23, 24]), ("2026-10-23T12:00:00Z", [24, 24, 25, 24])]
    {
        let midnight = Trigger::Cron { expr: "0 0 * * *".into(), tz: chrono_tz::Europe::Oslo };
        let noon = Timestamp::parse(noon).unwrap();
        let mut core = core(vec![job("daily", midnight, CatchUp::All)], vec![], noon);
        let mut ran: Vec<(Timestamp, Timestamp)> = Vec::new();
        for hour in 0..4 * 24 {
            for start in core.poll(noon.plus_us(hour * HOUR)) {
                ran.push((start.record.from, start.record.to));
                core.finish(
                    &start.record.run,
                    End::Done(Outcome { rows: 1, details: None }),
                    start.record.to,
                );
            }
        }
        assert!(ran.windows(2).all(|pair| pair[0].1 == pair[1].0), "{ran:?}");
        assert_eq!(ran.iter().map(|(from, to)| to.since_us(*from) / HOUR).collect::<Vec<_>>(), lengths);
    }
}

#[test]
fn a_changed_schedule_goes_on_where_the_old_one_was() {
    let jobs = vec![job("h", Trigger::Every(DAY), CatchUp::All)];
    let mut core = core(jobs, past(5, vec![]), at(6 * HOUR));
    assert_eq!(run_all(&mut core, at(DAY)), [(5, 24, SCHEDULE.to_owned())]);
}
