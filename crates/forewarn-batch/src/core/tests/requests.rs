//! Runs that are requested, backfills, and that each covers a whole interval.

use super::*;

#[test]
fn a_run_by_hand_covers_the_last_complete_interval_and_none_is_cut() {
    let mut core = core(hourly(CatchUp::All), past(2, vec![]), at(2 * HOUR));
    let twenty_past = at(2 * HOUR + HOUR / 3);
    let run = request(&mut core, "h", None, None, twenty_past).unwrap();
    let whole = (at(HOUR), at(2 * HOUR));
    let asked = core.run(&run).unwrap();
    assert_eq!((asked.from, asked.to), whole);
    for (from, to) in [(Some(whole.0), None), (None, Some(whole.1)), (Some(whole.0), Some(whole.1))] {
        let same = request(&mut core, "h", from, to, twenty_past);
        assert_eq!(same, Ok(run.clone()), "the same interval is in line");
    }
    // Parts of an interval, and several at once.
    for (from, to) in [(at(HOUR), twenty_past), (at(HOUR + 1), at(2 * HOUR)), (at(0), at(2 * HOUR))] {
        let error = request(&mut core, "h", Some(from), Some(to), twenty_past).unwrap_err().to_string();
        assert!(error.contains("one whole interval of its schedule"), "{error}");
    }
    let error = request(&mut core, "h", Some(at(HOUR + 1)), None, twenty_past).unwrap_err().to_string();
    assert!(error.contains(&format!("such as from {} to {}", whole.0, whole.1)), "{error}");
    assert_eq!(run_all(&mut core, twenty_past), [(1, 2, REQUEST.to_owned())]);
    // The hour that was under way is computed once, by the schedule, and whole.
    assert_eq!(run_all(&mut core, at(3 * HOUR)), [(2, 3, SCHEDULE.to_owned())]);
}

#[test]
fn requests_are_tried_once_and_move_the_schedule_on() {
    let mut core = core(hourly(CatchUp::All), past(2, vec![]), at(2 * HOUR));
    let now = at(3 * HOUR);
    let run = request(&mut core, "h", None, None, now).unwrap();
    let start = core.poll(now).remove(0).record;
    assert_eq!((start.run.clone(), hours(&start)), (run, (2, 3)));
    core.finish(&start.run, End::Done(Outcome::default()), now);
    assert!(core.poll(now).is_empty(), "the schedule has no need of it any more");

    let old = request(&mut core, "h", Some(at(0)), Some(at(HOUR)), now).unwrap();
    core.poll(now);
    core.finish(&old, End::Failed("broken".into()), now);
    assert!(core.poll(at(3 * HOUR + HOUR / 2)).is_empty(), "a request is not tried again");
    let again = request(&mut core, "h", Some(at(0)), Some(at(HOUR)), now).unwrap();
    assert_eq!((attempt_of(&old), attempt_of(&again)), (1, 2));
    assert_eq!(core.status(now)[0].covered_to, Some(at(3 * HOUR)));
}

#[test]
fn a_run_that_is_asked_for_again_has_a_name_of_its_own_and_all_its_attempts() {
    let mut core = core(hourly(CatchUp::All), past(5, vec![]), at(5 * HOUR));
    let mut names = Vec::new();
    for minute in 0..5 {
        let now = at(5 * HOUR + minute * HOUR / 60);
        let (runs, _) = core.plan_backfill("h", (at(0), at(HOUR)), true, now).unwrap();
        assert_eq!(attempt_of(&runs[0].run), 1);
        core.admit_written(runs[0].clone(), now);
        let start = core.poll(now).remove(0).record;
        core.finish(&start.run, End::Done(Outcome { rows: 1, details: None }), now);
        names.push(start.run);
    }
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 5, "{names:?}");
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
fn a_frame_runs_over_whole_intervals_as_a_query_does() {
    let frame = Job { kind: JobKind::Frame, ..job("h", Trigger::Every(HOUR), CatchUp::All) };
    let mut core = core(vec![frame], vec![], at(0));
    run_all(&mut core, at(2 * HOUR));
    let part = request(&mut core, "h", Some(at(HOUR)), Some(at(2 * HOUR - 1)), at(3 * HOUR - 1));
    assert!(matches!(part, Err(BatchError::NotWhole { .. })), "{part:?}");
    let last = request(&mut core, "h", None, None, at(3 * HOUR - 1)).unwrap();
    let start = core.poll(at(3 * HOUR - 1)).remove(0).record;
    assert_eq!((start.run, start.from, start.to), (last, at(HOUR), at(2 * HOUR)));
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
    let future = BatchError::NotYet { to: at(HOUR), due: at(HOUR), now: at(1) };
    assert_eq!(
        request(&mut core, "h", Some(at(0)), Some(at(HOUR)), at(1)),
        Err(future),
        "it would be computed from half of its data"
    );
    assert_eq!(core.status(at(1))[0].queued, 0);
    assert_eq!(
        core.plan_backfill("asked", (at(0), at(DAY)), false, at(DAY)).unwrap_err(),
        BatchError::NoSchedule("asked".into())
    );
    assert!(matches!(
        core.plan_backfill("h", (at(0), at(HOUR - 1)), false, at(DAY)),
        Err(BatchError::NoInterval { .. })
    ));
    assert!(matches!(
        core.plan_backfill("h", (at(0), at(1_001 * HOUR)), false, at(2_000 * HOUR)),
        Err(BatchError::TooManyIntervals { .. })
    ));
    assert_eq!(
        core.plan_backfill("h", (at(0), at(DAY)), false, at(5 * HOUR)).unwrap().0.len(),
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
    for record in
        core.plan_backfill("h", (at(HOUR), at(4 * HOUR)), false, at(5 * HOUR)).unwrap().0.into_iter().rev()
    {
        core.admit_written(record, at(5 * HOUR));
    }
    assert_eq!(
        core.plan_backfill("h", (at(HOUR), at(4 * HOUR)), false, at(5 * HOUR)).unwrap(),
        (vec![], 3),
        "they are in line already"
    );
    let ran: Vec<(i64, i64, String)> = run_all(&mut core, at(6 * HOUR));
    let back = |from| (from, from + 1, BACKFILL.to_owned());
    assert_eq!(ran, [back(1), back(2), back(3), (5, 6, SCHEDULE.to_owned())]);
}

#[test]
fn a_backfill_leaves_out_what_is_written_unless_it_is_to_be_run_again() {
    let mut core = core(hourly(CatchUp::All), vec![], at(0));
    run_all(&mut core, at(4 * HOUR));
    let now = at(4 * HOUR + HOUR / 2);
    let (runs, skipped) = core.plan_backfill("h", (at(-2 * HOUR), at(4 * HOUR)), false, now).unwrap();
    assert_eq!((runs.iter().map(hours).collect::<Vec<_>>(), skipped), (vec![(-2, -1), (-1, 0)], 4));
    core.admit_written(runs[1].clone(), now);
    let (runs, skipped) = core.plan_backfill("h", (at(-2 * HOUR), at(4 * HOUR)), true, now).unwrap();
    let hours: Vec<i64> = runs.iter().map(|run| hours(run).0).collect();
    assert_eq!((hours, skipped), (vec![-2, 0, 1, 2, 3], 1), "but for what is in line");
}

#[test]
fn what_was_written_is_known_after_a_restart_when_the_runs_are_forgotten() {
    let mut past = past(5, vec![]);
    past[0].written = [(at(0), at(5 * HOUR)), (at(7 * HOUR), at(8 * HOUR))].into_iter().collect();
    let mut core = core(hourly(CatchUp::All), past, at(9 * HOUR));
    let (runs, skipped) = core.plan_backfill("h", (at(0), at(5 * HOUR)), false, at(9 * HOUR)).unwrap();
    assert_eq!((runs.len(), skipped), (0, 5));
    let ran: Vec<i64> = run_all(&mut core, at(9 * HOUR)).iter().map(|run| run.0).collect();
    assert_eq!(ran, [5, 6, 8]);
}

#[test]
fn what_an_earlier_version_has_written_of_a_part_of_an_interval_is_not_written_twice() {
    let mut past = past(5, vec![]);
    past[0].written = [(at(0), at(5 * HOUR + HOUR / 3))].into_iter().collect();
    let mut core = core(hourly(CatchUp::All), past, at(5 * HOUR + HOUR / 2));
    let start = core.poll(at(6 * HOUR)).remove(0).record;
    assert_eq!((start.from, start.to), (at(5 * HOUR + HOUR / 3), at(6 * HOUR)));
}

#[test]
fn an_interval_without_rows_can_be_computed_again() {
    let mut core = core(hourly(CatchUp::All), vec![], at(0));
    let start = core.poll(at(HOUR)).remove(0);
    core.finish(&start.record.run, End::Done(Outcome::default()), at(HOUR));
    let (runs, skipped) = core.plan_backfill("h", (at(0), at(HOUR)), false, at(HOUR)).unwrap();
    assert_eq!((runs.len(), skipped), (1, 0));
    assert!(request(&mut core, "h", Some(at(0)), Some(at(HOUR)), at(HOUR)).is_ok());
}
