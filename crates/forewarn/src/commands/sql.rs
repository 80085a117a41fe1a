//! `forewarn sql`: one query, its rows as a table, JSON or CSV.

use std::io::Read as _;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use reqwest::Method;
use serde_json::{Value, json};

use super::{counted, print};
use crate::check::complain;
use crate::client::{Client, ServerArgs};
use crate::table;

/// Arguments of `forewarn sql`.
#[derive(Debug, clap::Args)]
pub(crate) struct SqlArgs {
    /// One SELECT statement; `-` reads it from standard input.
    query: String,
    /// Print CSV.
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    /// Most rows; the server has a limit of its own.
    #[arg(long)]
    max_rows: Option<usize>,
    #[command(flatten)]
    server: ServerArgs,
}

/// Runs the query.
///
/// # Errors
/// No server, or its refusal.
pub(crate) async fn run(mut args: SqlArgs) -> Result<ExitCode> {
    if args.query == "-" {
        args.query.clear();
        std::io::stdin().read_to_string(&mut args.query).context("cannot read the query from standard input")?;
    }
    let client = Client::new(&args.server)?;
    let mut body = json!({ "query": args.query });
    if let Some(most) = args.max_rows {
        body["max_rows"] = most.into();
    }
    if args.csv {
        let request = client.request(Method::POST, &["v1", "sql"])?.header("accept", "text/csv").json(&body);
        let response = client.send(request).await?;
        let truncated = response.headers().contains_key("x-forewarn-truncated");
        print(&response.text().await.context("the rows were cut off")?)?;
        if truncated {
            complain("these are not all rows: see --max-rows, and the server's limits.max_sql_rows");
        }
        return Ok(ExitCode::SUCCESS);
    }
    let answer = client.post(&["v1", "sql"], &body).await?;
    if args.server.json {
        // One line: indented, each cell of each row would stand on a line of its own.
        print(&format!("{answer}\n"))?;
    } else {
        show(&answer)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn show(answer: &Value) -> Result<()> {
    let columns: Vec<&str> = answer["columns"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let rows: Vec<Vec<Value>> = answer["rows"].as_array().into_iter().flatten().filter_map(|row| row.as_array().cloned()).collect();
    print(&table::render(&columns, &rows))?;
    let more = if answer["truncated"] == true { ", and there are more: see --max-rows" } else { "" };
    print(&format!("({}{more})\n", counted(rows.len() as u64, "row")))
}
