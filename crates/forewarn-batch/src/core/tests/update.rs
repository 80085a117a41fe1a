//! Other jobs while the scheduler works.

use super::*;

/// Work that differs from that of another text.
struct Says(&'static str);

impl Work for Says {
    fn run(&self, _context: RunContext) -> BoxFuture<'_, Result<Outcome, String>> {
        Box::pin(async { Ok(Outcome::default()) })
    }

    fn definition(&self) -> String {
        self.0.to_owned()
    }
}

fn named(name: &str, text: &'static str, trigger: Trigger) -> Job {
    Job { work: Arc::new(Says(text)), ..job(name, trigger, CatchUp::All) }
}

fn hourly_as(text: &'static str) -> Job {
    named("h", text, Trigger::Every(HOUR))
}

#[test]
fn a_job_that_stays_misses_no_interval_and_repeats_none() {
    let mut core = core(vec![hourly_as("a")], Vec::new(), at(0));
    assert_eq!(run_all(&mut core, at(HOUR)).len(), 1);
    let other = named("other", "b", Trigger::Every(HOUR));
    let new = core.update(vec![other, hourly_as("a")], at(HOUR)).unwrap();
    assert_eq!(new.iter().map(|job| job.name.as_str()).collect::<Vec<_>>(), ["other"]);
    core.add(new, Vec::new(), at(HOUR)).unwrap();
    core.sort(&["other".into(), "h".into()]);
    assert_eq!(core.names(), ["other", "h"]);
    let ran = run_all(&mut core, at(2 * HOUR));
    assert_eq!(ran.iter().map(|(from, to, _)| (*from, *to)).collect::<Vec<_>>(), [(1, 2), (1, 2)]);
}

#[test]
fn a_job_that_is_changed_goes_on_where_it_was_and_its_run_at_work_ends_as_it_began() {
    let mut core = core(vec![hourly_as("a")], Vec::new(), at(0));
    let starts = core.poll(at(HOUR));
    assert_eq!(starts[0].work.definition(), "a");
    assert!(core.update(vec![hourly_as("b")], at(HOUR)).unwrap().is_empty());
    assert!(!core.is_cancelled(&starts[0].record.run));
    core.finish(&starts[0].record.run, End::Done(Outcome::default()), at(HOUR));
    let starts = core.poll(at(2 * HOUR));
    assert_eq!((hours(&starts[0].record), starts[0].work.definition()), ((1, 2), "b".to_owned()));
    // Another schedule: the first run goes from where the old one ended to the next time of the new one.
    core.finish(&starts[0].record.run, End::Done(Outcome::default()), at(2 * HOUR));
    core.update(vec![named("h", "b", Trigger::Every(6 * HOUR))], at(2 * HOUR)).unwrap();
    assert_eq!(hours(&core.poll(at(6 * HOUR))[0].record), (2, 6));
}

#[test]
fn a_job_that_gets_a_schedule_begins_with_its_next_time() {
    let mut core = core(vec![named("h", "a", Trigger::OnRequest)], Vec::new(), at(0));
    core.update(vec![hourly_as("a")], at(HOUR / 2)).unwrap();
    assert_eq!(core.poll(at(HOUR / 2)).len(), 0);
    assert_eq!(hours(&core.poll(at(HOUR))[0].record), (0, 1));
}

#[test]
fn a_job_that_is_gone_ends_its_run_and_is_forgotten() {
    let mut core = core(vec![hourly_as("a")], Vec::new(), at(0));
    let run = core.poll(at(HOUR)).remove(0).record.run;
    assert!(core.update(Vec::new(), at(HOUR)).unwrap().is_empty());
    assert!(core.is_cancelled(&run) && core.status(at(HOUR)).is_empty());
    assert!(core.poll(at(9 * HOUR)).is_empty());
    drain(&mut core);
    core.finish(&run, End::Cancelled, at(HOUR));
    assert_eq!(drain(&mut core)[0].state, RunState::Cancelled);
    assert!(core.entries.is_empty());
}

#[test]
fn jobs_with_a_mistake_change_nothing() {
    let mut core = core(vec![hourly_as("a")], Vec::new(), at(0));
    assert!(core.update(vec![named("h", "b", Trigger::Every(0))], at(0)).is_err());
    assert!(core.update(vec![hourly_as("b"), hourly_as("c")], at(0)).is_err());
    assert_eq!(core.poll(at(HOUR))[0].work.definition(), "a");
}
