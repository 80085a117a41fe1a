//! Runs many seeds, or tells what one seed does: see `make simulate`.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use forewarn_sim::crowd::{Step, Summary, run_many, run_one};

/// A seed takes a fraction of a second; if none ends for so long, the program goes round in circles.
const PATIENCE: Duration = Duration::from_mins(2);

const USAGE: &str = "usage: simulate FROM SEEDS | simulate --trace SEED";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [first, second] = arguments.as_slice() else { return usage() };
    match (first.parse(), second.parse()) {
        (Ok(from), Ok(seeds)) => many(from, seeds),
        (Err(_), Ok(seed)) if first == "--trace" => trace(seed),
        _ => usage(),
    }
}

fn usage() -> ExitCode {
    say(USAGE);
    ExitCode::FAILURE
}

fn say(line: &str) {
    // The reader of the output may be gone.
    let _written = writeln!(std::io::stdout(), "{line}");
}

fn trace(seed: u64) -> ExitCode {
    let report = run_one(seed, true);
    say(&format!("{report:#?}"));
    if report.broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn many(from: u64, seeds: u64) -> ExitCode {
    let (sender, steps) = mpsc::channel();
    let work = move || {
        run_many(from, seeds, |step| {
            // The reader of the output may be gone.
            let _heard = sender.send(step);
        })
    };
    let crowd = thread::spawn(work);
    if let Err(stuck) = follow(&steps, seeds) {
        say(&format!(
            "no seed ends any more; under way are {stuck:?}: make simulate TRACE=seed tells where it goes \
             round in circles"
        ));
        return ExitCode::FAILURE;
    }
    let Ok(summary) = crowd.join() else { return ExitCode::FAILURE };
    tell(&summary);
    if summary.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Tells how far the crowd is, until it ends. If it comes to a standstill, the seeds that are under way come
/// back.
fn follow(steps: &Receiver<Step>, seeds: u64) -> Result<(), BTreeSet<u64>> {
    let (mut under_way, mut done) = (BTreeSet::new(), 0_u64);
    loop {
        match steps.recv_timeout(PATIENCE) {
            Ok(Step::Begins(seed)) => drop(under_way.insert(seed)),
            Ok(Step::Ended(seed)) => {
                under_way.remove(&seed);
                done += 1;
                if done.is_multiple_of(100) || done == seeds {
                    say(&format!("{done} of {seeds} seeds"));
                }
            }
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
            Err(RecvTimeoutError::Timeout) => return Err(under_way),
        }
    }
}

fn tell(summary: &Summary) {
    say(&format!("{:>10} operations on disk and store", summary.operations));
    for (what, times) in &summary.tally {
        say(&format!("{times:>10} {what}"));
    }
    for (seed, broken) in &summary.failed {
        say(&format!(
            "seed {seed} fails: {}\n  again, with all it does: make simulate TRACE={seed}",
            broken.join("\n  ")
        ));
    }
}
