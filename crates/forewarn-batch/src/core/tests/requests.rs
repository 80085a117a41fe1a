//! Runs that are requested, backfills, and what keeps a row from being written twice.

use super::*;

#[test]
fn requests_are_tried_once_and_move_the_schedule_on() {
    let mut core = core(hourly(CatchUp::All), past(2, vec![]), at(2 * HOUR));
    let half = at(2 * HOUR + HOUR / 2);
    let run = request(&mut core, "h", None, None, half).unwrap();
    assert_eq!(
        request(&mut core, "h", None, None, half),
        Err(BatchError::NothingToDo { job: "h".into(), until: half })
    );
    assert_eq!(
        request(&mut core, "h", Some(at(2 * HOUR)), Some(half), half),
        Ok(run.clone()),
        "the same interval is in line"
    );
    let start = core.poll(half).remove(0).record;
    assert_eq!((start.run.clone(), start.from, start.to), (run, at(2 * HOUR), half));
    core.finish(&start.run, End::Done(Outcome::default()), half);
    // The scheduled run goes on from there: no row twice, none left out.
    let next = core.poll(at(3 * HOUR)).remove(0).record;
    assert_eq!((next.from, next.to), (half, at(3 * HOUR)));
    core.finish(&next.run, End::Done(Outcome::default()), at(3 * HOUR));

    let old = request(&mut core, "h", Some(at(0)), Some(at(HOUR)), at(3 * HOUR)).unwrap();
    core.poll(at(3 * HOUR));
    core.finish(&old, End::Failed("broken".into()), at(3 * HOUR));
    assert!(core.poll(at(3 * HOUR + HOUR / 2)).is_empty(), "a request is not tried again");
    let again = request(&mut core, "h", Some(at(0)), Some(at(HOUR)), at(3 * HOUR)).unwrap();
    assert_eq!((attempt_of(&old), attempt_of(&again)), (1, 2));
    assert_eq!(core.status(at(3 * HOUR))[0].covered_to, Some(at(3 * HOUR)));
}

#[test]
fn a_requested_run_that_succeeded_still_counts_after_a_restart() {
    let runs =
        vec![run_of(1, 2, 1, RunState::Succeeded, SCHEDULE), run_of(2, 4, 1, RunState::Succeeded, REQUEST)];
    let mut core = core(hourly(CatchUp::All), past(2, runs), at(5 * HOUR));
    assert_eq!(run_all(&mut core, at(5 * HOUR)), [(4, 5, CATCH_UP.to_owned())]);
}

#[test]
fn models_jobs_cover_all_of_the_past_and_keep_their_schedule() {
    let train = Job { kind: JobKind::Train, ..job("train:pump", Trigger::Every(HOUR), CatchUp::Latest) };
    let mut core = core(vec![train], vec![], at(0));
    let run = request(&mut core, "train:pump", None, None, at(HOUR / 2)).unwrap();
    assert!(
        run.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)),
        "{run} must be fit for a URL"
    );
    let start = core.poll(at(HOUR / 2)).remove(0).record;
    assert_eq!((start.from, start.to), (Timestamp(0), at(HOUR / 2)));
    core.finish(&run, End::Done(Outcome::default()), at(HOUR / 2));
    assert_eq!(run_all(&mut core, at(HOUR)), [(0, 1, SCHEDULE.to_owned())]);
}

#[test]
fn the_rows_of_a_frame_are_written_once_as_those_of_a_query() {
    let frame = Job { kind: JobKind::Frame, ..job("h", Trigger::Every(HOUR), CatchUp::All) };
    let mut core = core(vec![frame], vec![], at(0));
    run_all(&mut core, at(2 * HOUR));
    let again = request(&mut core, "h", Some(at(HOUR)), Some(at(2 * HOUR)), at(3 * HOUR - 1));
    assert!(matches!(again, Err(BatchError::Computed { .. })), "{again:?}");
    let rest = request(&mut core, "h", None, None, at(3 * HOUR - 1)).unwrap();
    let start = core.poll(at(3 * HOUR - 1)).remove(0).record;
    assert_eq!((start.run, start.from, start.to), (rest, at(2 * HOUR), at(3 * HOUR - 1)));
}

#[test]
fn requests_are_checked() {
    let mut jobs = hourly(CatchUp::All);
    jobs.push(job("asked", Trigger::OnRequest, CatchUp::All));
    let mut core = core(jobs, vec![], at(0));
    assert_eq!(request(&mut core, "nobody", None, None, at(1)), Err(BatchError::UnknownJob("nobody".into())));
    let (from, to) = (at(HOUR), at(HOUR));
    assert_eq!(
        request(&mut core, "h", Some(from), Some(to), at(1)),
        Err(BatchError::BadInterval { from, to })
    );
    let future = BatchError::NotYet { to: at(2), now: at(1) };
    assert_eq!(
        request(&mut core, "h", Some(at(0)), Some(at(2)), at(1)),
        Err(future),
        "it would be computed from half of its data"
    );
    assert_eq!(core.status(at(1))[0].queued, 0);
    assert_eq!(
        core.plan_backfill("asked", at(0), at(DAY), at(DAY)).unwrap_err(),
        BatchError::NoSchedule("asked".into())
    );
    assert!(matches!(
        core.plan_backfill("h", at(0), at(HOUR - 1), at(DAY)),
        Err(BatchError::NoInterval { .. })
    ));
    assert!(matches!(
        core.plan_backfill("h", at(0), at(1_001 * HOUR), at(2_000 * HOUR)),
        Err(BatchError::TooManyIntervals { .. })
    ));
    assert_eq!(
        core.plan_backfill("h", at(0), at(DAY), at(5 * HOUR)).unwrap().0.len(),
        5,
        "what has not passed is no backfill"
    );

    for minute in 0..1_000 {
        request(&mut core, "asked", Some(at(minute)), Some(at(minute + 1)), at(DAY)).unwrap();
    }
    assert_eq!(
        request(&mut core, "asked", Some(at(2_000)), Some(at(2_001)), at(DAY)),
        Err(BatchError::QueueFull(1_000))
    );
    let twins =
        vec![job("twin", Trigger::OnRequest, CatchUp::All), job("twin", Trigger::OnRequest, CatchUp::All)];
    assert!(matches!(Core::new(twins), Err(BatchError::DuplicateJob(_))));
    assert!(matches!(
        Core::new(vec![job("b", Trigger::Every(0), CatchUp::All)]),
        Err(BatchError::BadSchedule { .. })
    ));
}

#[test]
fn a_backfill_runs_oldest_first_and_leaves_the_schedule_alone() {
    let mut core = core(hourly(CatchUp::All), past(5, vec![]), at(5 * HOUR));
    for record in core.plan_backfill("h", at(HOUR), at(4 * HOUR), at(5 * HOUR)).unwrap().0.into_iter().rev() {
        core.admit_written(record, at(5 * HOUR));
    }
    assert_eq!(
        core.plan_backfill("h", at(HOUR), at(4 * HOUR), at(5 * HOUR)).unwrap(),
        (vec![], 3),
        "they are in line already"
    );
    let ran: Vec<(i64, i64, String)> = run_all(&mut core, at(6 * HOUR));
    let back = |from| (from, from + 1, BACKFILL.to_owned());
    assert_eq!(ran, [back(1), back(2), back(3), (5, 6, SCHEDULE.to_owned())]);
}

#[test]
fn no_row_is_written_twice() {
    let mut core = core(hourly(CatchUp::All), vec![], at(0));
    run_all(&mut core, at(4 * HOUR));
    let now = at(4 * HOUR + HOUR / 2);
    let refused =
        |core: &mut Core, from, to| request(core, "h", Some(from), Some(to), now).unwrap_err().to_string();
    let run = |from| run_id("h", at(from * HOUR), at((from + 1) * HOUR), 1);
    for (from, to, overlapped) in [(at(3 * HOUR), now, 3), (at(0), at(3 * HOUR), 0), (at(-HOUR), at(1), 0)] {
        let text = refused(&mut core, from, to);
        let other = format!(
            "overlaps the one from {} to {} of run {} ",
            at(overlapped * HOUR),
            at((overlapped + 1) * HOUR),
            run(overlapped)
        );
        assert!(text.contains(&other), "{text}");
    }
    for (from, to) in [(at(HOUR), at(2 * HOUR)), (at(HOUR + 1), at(HOUR + 2))] {
        let text = refused(&mut core, from, to);
        assert!(
            text.starts_with(&format!(
                "run {} of job h has written the rows from {from} to {to} already",
                run(1)
            )),
            "{text}"
        );
    }
    let (runs, skipped) = core.plan_backfill("h", at(-2 * HOUR), at(4 * HOUR), now).unwrap();
    assert_eq!((runs.iter().map(hours).collect::<Vec<_>>(), skipped), (vec![(-2, -1), (-1, 0)], 4));
    // What is in line is as good as written.
    for run in runs {
        core.admit_written(run, now);
    }
    let text = refused(&mut core, at(-HOUR - 1), at(0));
    assert!(text.contains(&format!("of run {} ", run(-2))), "{text}");
}

#[test]
fn what_was_written_is_known_after_a_restart_when_the_runs_are_forgotten() {
    let mut past = past(5, vec![]);
    past[0].written = [(at(0), at(5 * HOUR)), (at(7 * HOUR), at(8 * HOUR))].into_iter().collect();
    let mut core = core(hourly(CatchUp::All), past, at(9 * HOUR));
    let text =
        request(&mut core, "h", Some(at(HOUR)), Some(at(2 * HOUR)), at(9 * HOUR)).unwrap_err().to_string();
    assert!(text.starts_with("an earlier run of job h has written the rows"), "{text}");
    let ran: Vec<i64> = run_all(&mut core, at(9 * HOUR)).iter().map(|run| run.0).collect();
    assert_eq!(ran, [5, 6, 8]);
}

#[test]
fn a_scheduled_run_covers_what_requests_have_left_of_its_interval() {
    let (minute, now) = (HOUR / 60, at(HOUR / 2));
    let mut core = core(hourly(CatchUp::All), vec![], at(0));
    request(&mut core, "h", Some(at(10 * minute)), Some(at(20 * minute)), now).unwrap();
    run_all(&mut core, now);
    // Without an interval, a request takes the first stretch that is missing.
    let run = request(&mut core, "h", None, None, now).unwrap();
    let asked = core.run(&run).unwrap();
    assert_eq!((asked.from, asked.to), (at(0), at(10 * minute)));
    core.cancel(&run, now).unwrap();
    let mut ran = Vec::new();
    while let Some(start) = core.poll(at(HOUR)).pop() {
        ran.push((start.record.from, start.record.to));
        core.finish(&start.record.run, End::Done(Outcome { rows: 1, details: None }), at(HOUR));
    }
    assert_eq!(ran, [(at(0), at(10 * minute)), (at(20 * minute), at(HOUR))]);
}

#[test]
fn an_interval_without_rows_can_be_computed_again() {
    let mut core = core(hourly(CatchUp::All), vec![], at(0));
    let mut succeed = |outcome: Outcome| {
        let start = core.poll(at(HOUR)).remove(0);
        core.finish(&start.record.run, End::Done(outcome), at(HOUR));
        request(&mut core, "h", Some(at(0)), Some(at(HOUR)), at(HOUR))
    };
    assert!(succeed(Outcome::default()).is_ok());
    // The rows of an attempt that was cut off after it had written them are there too.
    assert!(matches!(
        succeed(Outcome { rows: 0, details: Some("{}".into()) }),
        Err(BatchError::Computed { .. })
    ));
}
