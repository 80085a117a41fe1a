//! `forewarn sql`: one query, its rows as a table, JSON, CSV, Arrow or Parquet, on standard output or in a
//! file.

use std::io::{IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Client, ServerArgs};
use crate::output::{complain, counted, print_bytes};
use crate::table;

/// Arguments of `forewarn sql`.
#[derive(Debug, clap::Args)]
pub(crate) struct SqlArgs {
    /// One SELECT statement; `-` reads it from standard input.
    query: String,
    /// The form of the rows.
    #[arg(long, value_enum, default_value_t = Format::Table, conflicts_with_all = ["csv", "json"])]
    format: Format,
    /// Write the rows to this file instead of standard output; one that is there already is replaced.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Short for `--format csv`.
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    /// Most rows; the server has a limit of its own.
    #[arg(long)]
    max_rows: Option<usize>,
    #[command(flatten)]
    server: ServerArgs,
}

/// A form of the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// Columns for people.
    Table,
    /// One line of JSON.
    Json,
    /// CSV with a header.
    Csv,
    /// An Arrow IPC stream.
    Arrow,
    /// A Parquet file.
    Parquet,
}

impl Format {
    const fn media_type(self) -> &'static str {
        match self {
            Self::Table | Self::Json => "application/json",
            Self::Csv => "text/csv",
            Self::Arrow => "application/vnd.apache.arrow.stream",
            Self::Parquet => "application/vnd.apache.parquet",
        }
    }
}

/// Runs the query.
///
/// # Errors
/// No server, or its refusal; a file that cannot be written; bytes that are no text and would go to a
/// terminal.
pub(crate) async fn run(mut args: SqlArgs) -> Result<ExitCode> {
    let format = match (args.csv, args.server.json) {
        (true, _) => Format::Csv,
        (_, true) => Format::Json,
        _ => args.format,
    };
    let binary = matches!(format, Format::Arrow | Format::Parquet);
    if binary && args.output.is_none() && std::io::stdout().is_terminal() {
        bail!(
            "these rows are no text for a terminal; write them to a file with --output FILE, or send them on with | or >"
        );
    }
    if args.query == "-" {
        args.query.clear();
        std::io::stdin()
            .read_to_string(&mut args.query)
            .context("cannot read the query from standard input")?;
    }
    let client = Client::new(&args.server)?;
    let mut body = json!({ "query": args.query });
    if let Some(most) = args.max_rows {
        body["max_rows"] = most.into();
    }
    let request =
        client.request(Method::POST, &["v1", "sql"])?.header("accept", format.media_type()).json(&body);
    let response = client.send(request).await?;
    let truncated = response.headers().contains_key("x-forewarn-truncated");
    let bytes = response.bytes().await.context("the rows were cut off")?;
    let output = args.output.as_deref();
    match format {
        Format::Table => write(
            output,
            show(&serde_json::from_slice(&bytes).context("the server's answer is not JSON")?).as_bytes(),
        )?,
        // One line: indented, each cell of each row would stand on a line of its own.
        Format::Json => write(output, &[&bytes[..], b"\n"].concat())?,
        Format::Csv | Format::Arrow | Format::Parquet => write(output, &bytes)?,
    }
    // The others say it among the rows, where somebody looks for it.
    if truncated && (output.is_some() || binary || format == Format::Csv) {
        complain("these are not all rows: see --max-rows, and the server's limits.max_sql_rows");
    }
    Ok(ExitCode::SUCCESS)
}

fn write(output: Option<&Path>, bytes: &[u8]) -> Result<()> {
    match output {
        Some(file) => std::fs::write(file, bytes)
            .with_context(|| format!("cannot write the rows to {}", file.display())),
        None => print_bytes(bytes),
    }
}

fn show(answer: &Value) -> String {
    let columns: Vec<&str> =
        answer["columns"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let rows: Vec<Vec<Value>> =
        answer["rows"].as_array().into_iter().flatten().filter_map(|row| row.as_array().cloned()).collect();
    let more = if answer["truncated"] == true { ", and there are more: see --max-rows" } else { "" };
    let counted = counted(rows.len() as u64, "row");
    table::render(&columns, &rows) + &format!("({counted}{more})\n")
}
