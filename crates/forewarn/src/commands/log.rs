//! `forewarn log`: look into the files of a log, with or without a server that runs on it.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::Subcommand;
use forewarn_log::{SegmentReport, inspect};
use serde_json::{Value, json};

use crate::output::{complain, counted, print, print_json, report};
use crate::table;

/// Arguments of `forewarn log`.
#[derive(Debug, clap::Args)]
pub(crate) struct LogArgs {
    #[command(subcommand)]
    action: Action,
    /// The settings of the server whose log it is.
    #[arg(long, global = true, default_value = "forewarn.yaml")]
    config: PathBuf,
    /// The log's folder, instead of that of the settings.
    #[arg(long, global = true)]
    dir: Option<PathBuf>,
    /// Print JSON, for programs.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Clone, Copy, Subcommand)]
enum Action {
    /// List the segment files and what is in them.
    Inspect,
    /// Read every record and say what is damaged. Exit code 1 if anything is.
    Verify,
}

const SEGMENTS: [(&str, &str); 6] = [
    ("file", "file"),
    ("from", "from"),
    ("to", "to"),
    ("records", "records"),
    ("bytes", "bytes"),
    ("kinds", "told"),
];

/// Runs the command.
///
/// # Errors
/// Settings or files that cannot be read.
pub(crate) fn run(args: LogArgs) -> Result<ExitCode> {
    let dir = match args.dir {
        Some(dir) => dir,
        None => match crate::config::read_settings(&args.config)? {
            Ok(settings) => settings.data_dir.join("log"),
            Err(mistakes) => return Ok(report(&mistakes)),
        },
    };
    if !dir.is_dir() {
        bail!(
            "there is no folder {}; --config names other settings, --dir the log's folder itself",
            dir.display()
        );
    }
    let segments = inspect(&dir).with_context(|| format!("cannot read the log in {}", dir.display()))?;
    let damaged = segments.iter().any(|segment| segment.problem.is_some() && !segment.torn);
    if args.json {
        print_json(
            &json!({ "segments": segments.iter().map(as_json).collect::<Vec<_>>(), "damaged": damaged }),
        )?;
    } else {
        if matches!(args.action, Action::Inspect) {
            print(&table::of_objects(&SEGMENTS, &segments.iter().map(as_json).collect::<Vec<_>>().into()))?;
        }
        for segment in &segments {
            tell_problem(segment);
        }
        print(&summary(&segments, damaged))?;
    }
    Ok(if damaged && matches!(args.action, Action::Verify) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn as_json(segment: &SegmentReport) -> Value {
    let told: Vec<String> = segment.kinds.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
    json!({
        "file": segment.path.file_name().map(|name| name.to_string_lossy()),
        "from": segment.base,
        "to": segment.end,
        "records": segment.end.0 - segment.base.0,
        "bytes": segment.bytes,
        "kinds": segment.kinds,
        "told": told.join(", "),
        "problem": segment.problem.as_ref().map(|(position, problem)| json!({ "byte": position, "what": problem, "torn": segment.torn })),
    })
}

fn tell_problem(segment: &SegmentReport) {
    let Some((position, problem)) = &segment.problem else { return };
    let path = segment.path.display();
    if segment.torn {
        complain(&format!(
            "{path} ends in the middle of a write at byte {position}, as after a crash; the next start cuts that off"
        ));
    } else {
        let kept = format!("records up to offset {} are whole", segment.end);
        complain(&format!(
            "{path} is damaged at byte {position}: {problem}; {kept}; restore the file from a copy of the disk"
        ));
    }
}

fn summary(segments: &[SegmentReport], damaged: bool) -> String {
    let records = segments.iter().map(|segment| segment.end.0 - segment.base.0).sum();
    let state = if damaged { "damaged" } else { "whole" };
    format!("{} in {}: {state}\n", counted(records, "record"), counted(segments.len() as u64, "segment"))
}
