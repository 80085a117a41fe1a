//! Runs many seeds, or tells what one seed does: see `make simulate`.

use std::io::Write as _;
use std::process::ExitCode;

use forewarn_sim::crowd::{run_many, run_one};

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
    // Nobody may be listening any more.
    let _written = writeln!(std::io::stdout(), "{line}");
}

fn trace(seed: u64) -> ExitCode {
    let report = run_one(seed, true);
    say(&format!("{report:#?}"));
    if report.broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn many(from: u64, seeds: u64) -> ExitCode {
    let summary = run_many(from, seeds, |done| {
        if done.is_multiple_of(100) || done == seeds {
            say(&format!("{done} of {seeds} seeds"));
        }
    });
    say(&format!("{:>10} operations on disk and store", summary.operations));
    for (what, times) in &summary.tally {
        say(&format!("{times:>10} {what}"));
    }
    for (seed, broken) in &summary.failed {
        say(&format!("seed {seed} fails: {}\n  again, with all it does: make simulate TRACE={seed}", broken.join("\n  ")));
    }
    if summary.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
