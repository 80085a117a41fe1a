//! The commands for people who work with a server.

pub(crate) mod alert;
pub(crate) mod apply;
pub(crate) mod backup;
pub(crate) mod import;
pub(crate) mod job;
pub(crate) mod log;
pub(crate) mod model;
pub(crate) mod notify;
pub(crate) mod restore;
pub(crate) mod rule;
mod secret;
pub(crate) mod silence;
pub(crate) mod sql;
pub(crate) mod token;
pub(crate) mod user;
mod watch;

use std::process::ExitCode;

use anyhow::Result;
use forewarn_types::Timestamp;
use serde_json::Value;

use crate::client::Client;
use crate::output::{counted, print, print_json};
use crate::table;

/// A time on the command line.
pub(crate) fn parse_time(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text).map_err(|error| error.to_string())
}

/// Prints the list that stands under `key` of an answer, and says so where the server left some of it out.
fn show_list(answer: &Value, key: &str, columns: &[(&str, &str)], json: bool) -> Result<()> {
    if json {
        return print_json(answer);
    }
    let cut = answer["truncated"] == true || !answer["next"].is_null();
    print(
        &(table::of_objects(columns, &answer[key])
            + if cut { "(there are more: see --limit)\n" } else { "" }),
    )
}

/// Waits for a run and says how it ended. The exit code is 0 if it succeeded, otherwise 1.
async fn follow(client: &Client, run: &str, json: bool) -> Result<ExitCode> {
    let ended = client.ended_run(run).await?;
    let succeeded = ended["state"] == "succeeded";
    if json {
        print_json(&ended)?;
    } else {
        print(&format!("{run} {}{}\n", ended["state"].as_str().unwrap_or("ended"), outcome(&ended)))?;
    }
    Ok(if succeeded { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What came of a run: why it failed, what a training learnt, or how many rows were written.
fn outcome(run: &Value) -> String {
    if let Some(error) = run["error"].as_str() {
        return format!(": {error}");
    }
    if let Some(version) = run["details"]["version"].as_str() {
        let force = if run["details"]["promoted"] == true { "in force" } else { "not put in force" };
        let reason =
            run["details"]["reason"].as_str().map_or_else(String::new, |reason| format!(": {reason}"));
        let mut text = format!("; version {version} is {force}{reason}");
        for warning in run["details"]["warnings"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            text.extend(["\nwarning: ", warning]);
        }
        return text;
    }
    let what = if run["kind"] == "predict" { "prediction" } else { "row" };
    run["rows"].as_u64().map_or_else(String::new, |rows| format!(", {}", counted(rows, what)))
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_outcome_of_a_run_is_told_by_its_kind() {
        let check = |run: Value, expected: &str| assert_eq!(outcome(&run), expected);
        check(json!({ "kind": "sql", "rows": 1 }), ", 1 row");
        check(json!({ "kind": "predict", "rows": 1200 }), ", 1,200 predictions");
        check(json!({ "kind": "sql", "error": "no table", "rows": null }), ": no table");
        let trained = json!({ "version": "v2", "promoted": false, "reason": "v1 is better", "warnings": ["few lives"] });
        check(
            json!({ "kind": "train", "rows": 1, "details": trained }),
            "; version v2 is not put in force: v1 is better\nwarning: few lives",
        );
        check(json!({ "kind": "sql" }), "");
    }
}
