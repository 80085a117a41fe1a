//! A slice of what `make simulate` runs.

use forewarn_sim::crowd::{run_many, run_one};

/// What the seeds must get to, or they prove nothing.
const REACHED: [&str; 26] = [
    "alert transitions",
    "answers lost",
    "checkpoints",
    "commits of the branch",
    "commits vacuumed",
    "deaths in an operation",
    "files merged",
    "files retired",
    "files rewritten by others",
    "files vacuumed",
    "lives",
    "lives paused",
    "lives resumed",
    "logs stopped",
    "operations that failed",
    "power cuts",
    "readings acknowledged",
    "requests delayed",
    "requests repeated",
    "runs of a job",
    "second copies of snapshots",
    "sends refused",
    "snapshots",
    "snapshots of before a decision",
    "times the log was trimmed",
    "writes without room",
];

#[test]
fn nothing_acknowledged_is_lost_or_repeated_and_no_alert_changes_whatever_fails() {
    let summary = run_many(0, 200, |_| {});
    assert!(summary.failed.is_empty(), "make simulate TRACE=seed tells more of {:#?}", summary.failed);
    let missing: Vec<_> =
        REACHED.iter().filter(|what| summary.tally.get(*what).is_none_or(|times| *times == 0)).collect();
    assert!(missing.is_empty(), "no seed got to {missing:?}: {:#?}", summary.tally);
}

#[test]
fn a_seed_does_the_same_in_every_run() {
    for seed in [3, 14, 159, 265] {
        assert_eq!(run_one(seed, false), run_one(seed, false), "seed {seed}");
    }
    assert_ne!(run_one(3, false).trace, run_one(4, false).trace);
}
