//! `forewarn job`: schedules and runs.

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;
use forewarn_types::Timestamp;
use serde_json::{Value, json};

use super::{parse_time, queued, show_list};
use crate::client::{Client, ServerArgs};
use crate::output::{counted, print, print_json};

/// Arguments of `forewarn job`.
#[derive(Debug, clap::Args)]
pub(crate) struct JobArgs {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List jobs with their schedules.
    List,
    /// List the newest runs of a job.
    Runs {
        /// The job.
        job: String,
        /// Most runs.
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// Run a job now.
    Run {
        /// The job.
        job: String,
        /// Start of its data interval, one of its schedule; left out: the last one that is complete.
        #[arg(long, value_parser = parse_time)]
        from: Option<Timestamp>,
        /// End of its data interval; left out: as the schedule has it.
        #[arg(long, value_parser = parse_time)]
        to: Option<Timestamp>,
        /// Wait until it has ended.
        #[arg(long)]
        wait: bool,
    },
    /// Run a job for every interval of its schedule within a range.
    Backfill {
        /// The job.
        job: String,
        /// Start of the first interval.
        #[arg(long, value_parser = parse_time)]
        from: Timestamp,
        /// End of the last interval.
        #[arg(long, value_parser = parse_time)]
        to: Timestamp,
        /// Run intervals again that have succeeded; their rows take the place of the old ones.
        #[arg(long)]
        again: bool,
    },
    /// Cancel a run.
    Cancel {
        /// The run.
        run: String,
    },
}

const JOBS: [(&str, &str); 6] = [
    ("job", "name"),
    ("kind", "kind"),
    ("schedule", "schedule"),
    ("next", "next"),
    ("last run", "last.state"),
    ("at", "last.time"),
];
const RUNS: [(&str, &str); 7] = [
    ("run", "run"),
    ("state", "state"),
    ("from", "from"),
    ("to", "to"),
    ("trigger", "trigger"),
    ("rows", "rows"),
    ("error", "error"),
];

/// Does what is asked.
///
/// # Errors
/// No server, or its refusal.
pub(crate) async fn run(args: JobArgs) -> Result<ExitCode> {
    let client = Client::new(&args.server)?;
    let json = args.server.json;
    let show = |answer: &Value, key: &str, columns: &[(&str, &str)]| show_list(answer, key, columns, json);
    match args.action {
        Action::List => show(&client.get(&["v1", "jobs"], &[]).await?, "jobs", &JOBS)?,
        Action::Runs { job, limit } => {
            let query = [("limit", limit.to_string())];
            show(&client.get(&["v1", "jobs", &job, "runs"], &query).await?, "runs", &RUNS)?;
        }
        Action::Run { job, from, to, wait } => {
            let mut body = json!({});
            for (key, time) in [("from", from), ("to", to)] {
                if let Some(time) = time {
                    body[key] = time.to_string().into();
                }
            }
            let started = client.post(&["v1", "jobs", &job, "run"], &body).await?;
            return queued(&client, &started, wait, json).await;
        }
        Action::Backfill { job, from, to, again } => {
            let answer = client
                .post(
                    &["v1", "jobs", &job, "backfill"],
                    &json!({ "from": from.to_string(), "to": to.to_string(), "again": again }),
                )
                .await?;
            let queued = answer["runs"].as_array().map_or(0, Vec::len) as u64;
            let skipped = answer["skipped"].as_u64().unwrap_or(0);
            let mut told = vec![format!("{} queued", counted(queued, "run"))];
            if queued > 0 {
                told.push(format!("`forewarn job runs {job}` shows them"));
            }
            if skipped > 0 {
                told.push(format!(
                    "{} computed already, or about to be (--again runs them again)",
                    counted(skipped, "interval")
                ));
            }
            if json { print_json(&answer)? } else { print(&format!("{}\n", told.join("; ")))? }
        }
        Action::Cancel { run } => {
            let answer = client.post(&["v1", "jobs", "runs", &run, "cancel"], &json!({})).await?;
            if json { print_json(&answer)? } else { print(&format!("{run} will be cancelled\n"))? }
        }
    }
    Ok(ExitCode::SUCCESS)
}
