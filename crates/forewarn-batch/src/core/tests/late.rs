//! Readings that come late: what is waited for, and what is run again.

use super::*;
use crate::core::seen::RECOMPUTE;

/// An hourly job that waits ten minutes, and recomputes a day.
fn patient() -> Vec<Job> {
    let late = crate::Late { delay_us: HOUR / 6, recompute_us: DAY };
    vec![Job { late, ..job("h", Trigger::Every(HOUR), CatchUp::All) }]
}

/// Writes what is to be written to a log in which the next record stands at `next`.
fn write(core: &mut Core, next: &mut u64) {
    while core.unwritten().is_some() {
        core.written(Some(Offset(*next)));
        *next += 1;
    }
}

/// Runs all that is due; every run's records are written.
fn run_due(core: &mut Core, next: &mut u64, now: Timestamp) -> Vec<(i64, String)> {
    let mut ran = Vec::new();
    loop {
        let starts = core.poll(now);
        write(core, next);
        if starts.is_empty() {
            return ran;
        }
        for start in starts {
            ran.push((hours(&start.record).0, start.record.trigger.clone()));
            core.finish(&start.record.run, End::Done(Outcome { rows: 1, details: None }), now);
        }
        write(core, next);
    }
}

/// What a look finds if readings of these minutes stand at these offsets.
fn look(core: &mut Core, now: Timestamp, readings: &[(i64, u64)]) -> Option<Look> {
    let look = core.looks(now).pop()?;
    let found = readings.iter().filter(|(_, offset)| *offset >= look.since.0);
    let arrived: Arrived = found.map(|(minute, offset)| (at(minute * HOUR / 60), Offset(*offset))).collect();
    core.looked(&look, Some(&arrived), now);
    Some(look)
}

#[test]
fn an_interval_is_run_once_its_delay_has_passed() {
    let mut core = core(patient(), vec![], at(HOUR / 2));
    assert_eq!(core.status(at(HOUR / 2))[0].next, Some(at(HOUR + HOUR / 6)));
    assert!(core.poll(at(HOUR + HOUR / 6 - 1)).is_empty(), "stragglers are waited for");
    let error = request(&mut core, "h", Some(at(0)), Some(at(HOUR)), at(HOUR + 1)).unwrap_err();
    let due = at(HOUR + HOUR / 6);
    assert_eq!(error, BatchError::NotYet { to: at(HOUR), due, now: at(HOUR + 1) });
    assert_eq!(run_all(&mut core, due), [(0, 1, SCHEDULE.to_owned())]);
    let next = core.status(due)[0].next_times.clone();
    assert_eq!(next, (2..7).map(|hour| at(hour * HOUR + HOUR / 6)).collect::<Vec<_>>());
}

#[test]
fn an_interval_that_readings_have_come_to_since_is_run_again() {
    let (mut core, mut next) = (core(patient(), vec![], at(0)), 100);
    for hour in 1..=3 {
        run_due(&mut core, &mut next, at(hour * HOUR + HOUR / 6));
        while look(&mut core, at(hour * HOUR + HOUR / 6), &[]).is_some() {}
    }
    // The runs' records take three places each: the run of the second hour began at 104.
    let now = at(4 * HOUR + HOUR / 6);
    let late = [(61, 104 + 1), (30, 100), (190, 500)];
    assert_eq!(run_due(&mut core, &mut next, now), [(3, SCHEDULE.to_owned())]);
    next = next.max(600);
    assert!(look(&mut core, now, &late).is_some());
    let ran = run_due(&mut core, &mut next, now);
    assert_eq!(ran, [(3, RECOMPUTE.to_owned())], "what was there before the first look is known");

    let late = [(61, 700), (62, 701), (30, 100)];
    next = 800;
    let now = at(5 * HOUR + HOUR / 6);
    assert_eq!(run_due(&mut core, &mut next, now), [(4, SCHEDULE.to_owned())]);
    assert!(look(&mut core, now, &late).is_some());
    assert_eq!(run_due(&mut core, &mut next, now), [(1, RECOMPUTE.to_owned())]);
    assert!(look(&mut core, now, &late).is_none(), "the next look is after the next run of the schedule");
    let now = at(6 * HOUR + HOUR / 6);
    run_due(&mut core, &mut next, now);
    assert!(look(&mut core, now, &late).is_some());
    assert_eq!(run_due(&mut core, &mut next, now), [], "it has seen them now");
    // What came to an interval that ended too long ago stays out.
    let now = at(26 * HOUR + HOUR / 6);
    run_due(&mut core, &mut next, now);
    assert!(look(&mut core, now, &[(62, 100_000)]).is_some());
    assert_eq!(run_due(&mut core, &mut next, now), []);
}

#[test]
fn late_readings_are_found_after_a_restart_and_after_a_failed_run() {
    let mut past = past(4, vec![]);
    past[0].seen = (0..4)
        .zip([0, 10, 20, 30])
        .map(|(hour, seen)| (at(hour * HOUR), at((hour + 1) * HOUR), Offset(seen)))
        .collect();
    let (mut core, mut next) = (core(patient(), past, at(4 * HOUR + HOUR / 6)), 100);
    let mut now = at(4 * HOUR + HOUR / 6);
    assert!(!core.is_idle(now), "it has still to look");
    let late = [(90, 50), (200, 25)];
    assert!(look(&mut core, now, &late).is_some());
    for pause in [30, 120, 0] {
        let start = core.poll(now).remove(0).record;
        write(&mut core, &mut next);
        assert_eq!((hours(&start), start.trigger.as_str()), ((1, 2), RECOMPUTE));
        core.finish(&start.run, End::Failed("no memory".into()), now);
        write(&mut core, &mut next);
        now = now.plus_us(pause * 1_000_000);
    }
    assert!(core.is_idle(now));
    let now = at(5 * HOUR + HOUR / 6);
    run_due(&mut core, &mut next, now);
    assert!(look(&mut core, now, &late).is_some());
    assert_eq!(run_due(&mut core, &mut next, now), [(1, RECOMPUTE.to_owned())]);
}

#[test]
fn a_look_that_fails_is_made_again_after_the_next_run() {
    let (mut core, mut next) = (core(patient(), vec![], at(0)), 100);
    let now = at(HOUR + HOUR / 6);
    run_due(&mut core, &mut next, now);
    let asked = core.looks(now).pop().unwrap();
    assert!(core.looks(now).is_empty() && !core.is_idle(now), "one at a time");
    core.looked(&asked, None, now);
    assert!(core.is_idle(now));
    let now = at(2 * HOUR + HOUR / 6);
    run_due(&mut core, &mut next, now);
    assert_eq!(look(&mut core, now, &[(5, 200)]).unwrap().since, asked.since);
    assert_eq!(run_due(&mut core, &mut next, now), [(0, RECOMPUTE.to_owned())]);
}
