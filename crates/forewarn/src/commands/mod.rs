//! The commands that talk to a running server.

pub(crate) mod alert;
pub(crate) mod import;
pub(crate) mod job;
pub(crate) mod model;
pub(crate) mod sql;

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Result;
use serde_json::Value;

use crate::client::Client;

/// Prints to standard output.
///
/// # Errors
/// If that is closed.
pub(crate) fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

/// Prints JSON, indented.
///
/// # Errors
/// If standard output is closed.
pub(crate) fn print_json(value: &Value) -> Result<()> {
    print(&format!("{value:#}\n"))
}

/// Waits for a run and says how it ended. The exit code is 0 if it succeeded, otherwise 1.
async fn follow(client: &Client, run: &str, json: bool) -> Result<ExitCode> {
    let ended = client.ended_run(run).await?;
    let succeeded = ended["state"] == "succeeded";
    if json {
        print_json(&ended)?;
    } else {
        let rows = ended["rows"].as_u64().map_or_else(String::new, |rows| format!(", {rows} rows"));
        let error = ended["error"].as_str().map_or_else(String::new, |error| format!(": {error}"));
        print(&format!("{run} {}{rows}{error}\n", ended["state"].as_str().unwrap_or("ended")))?;
    }
    Ok(if succeeded { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Says which run was queued, or waits for it.
async fn queued(client: &Client, started: &Value, wait: bool, json: bool) -> Result<ExitCode> {
    let run = started["run"].as_str().unwrap_or_default();
    if wait {
        return follow(client, run, json).await;
    }
    if json {
        print_json(started)?;
    } else {
        print(&format!("queued as {run}\n"))?;
    }
    Ok(ExitCode::SUCCESS)
}
