//! `forewarn alert`: look at alerts, act on them, watch them come.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Subcommand;
use futures::StreamExt as _;
use reqwest::Method;
use serde_json::{Value, json};

use super::{print, print_json};
use crate::client::{Client, ServerArgs};
use crate::table;

/// Arguments of `forewarn alert`.
#[derive(Debug, clap::Args)]
pub(crate) struct AlertArgs {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List alerts, newest first.
    List {
        /// States, joined by commas, or `open`, `active`, `all`.
        #[arg(long)]
        state: Option<String>,
        /// Severities, joined by commas.
        #[arg(long)]
        severity: Option<String>,
        /// Asset path, or a glob over paths.
        #[arg(long)]
        asset: Option<String>,
        /// Most alerts, 1 to 1000.
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// Show an alert with its history and evidence.
    Show {
        /// The alert's id.
        id: String,
    },
    /// Print alerts as they happen, until Ctrl-C.
    Watch {
        /// Severities, joined by commas.
        #[arg(long)]
        severity: Option<String>,
        /// Asset path, or a glob over paths.
        #[arg(long)]
        asset: Option<String>,
    },
    /// Acknowledge an alert: somebody has seen it and deals with it.
    #[command(visible_alias = "ack")]
    Acknowledge(ActionArgs),
    /// Hide an alert for a while.
    Shelve {
        #[command(flatten)]
        action: ActionArgs,
        /// For how long: `30m`, `8h`, `2d`.
        #[arg(long = "for", value_name = "DURATION")]
        duration: String,
    },
    /// Show a hidden alert again.
    Unshelve(ActionArgs),
    /// Leave a remark on an alert.
    Comment(ActionArgs),
}

#[derive(Debug, clap::Args)]
struct ActionArgs {
    /// The alert's id.
    id: String,
    /// Who does it.
    #[arg(long, env = "USER")]
    actor: String,
    /// What they say.
    #[arg(long, short = 'm')]
    comment: Option<String>,
    /// Whether the alert was right: `true`, `nuisance` or `maintenance`.
    #[arg(long)]
    reason: Option<String>,
}

const ALERTS: [(&str, &str); 7] = [
    ("started", "started"),
    ("severity", "severity"),
    ("state", "state"),
    ("asset", "asset"),
    ("rule", "rule"),
    ("message", "message"),
    ("id", "id"),
];
const STEPS: [(&str, &str); 5] =
    [("time", "time"), ("transition", "transition"), ("message", "message"), ("actor", "actor"), ("comment", "comment")];

/// Does what is asked.
///
/// # Errors
/// No server, or its refusal.
pub(crate) async fn run(args: AlertArgs) -> Result<ExitCode> {
    let client = Client::new(&args.server)?;
    let json = args.server.json;
    match args.action {
        Action::List { state, severity, asset, limit } => {
            let mut query = filter(severity, asset);
            query.extend(state.map(|state| ("state", state)));
            query.push(("limit", limit.to_string()));
            let answer = client.get(&["v1", "alerts"], &query).await?;
            if json { print_json(&answer)? } else { print(&table::of_objects(&ALERTS, &answer["alerts"]))? }
        }
        Action::Show { id } => show(&client.get(&["v1", "alerts", &id], &[]).await?, json)?,
        Action::Watch { severity, asset } => watch(&client, filter(severity, asset), json).await?,
        Action::Acknowledge(action) => act(&client, "acknowledge", action, None, json).await?,
        Action::Shelve { action, duration } => act(&client, "shelve", action, Some(duration), json).await?,
        Action::Unshelve(action) => act(&client, "unshelve", action, None, json).await?,
        Action::Comment(action) => act(&client, "comment", action, None, json).await?,
    }
    Ok(ExitCode::SUCCESS)
}

fn filter(severity: Option<String>, asset: Option<String>) -> Vec<(&'static str, String)> {
    severity.map(|severity| ("severity", severity)).into_iter().chain(asset.map(|asset| ("asset", asset))).collect()
}

fn show(alert: &Value, json: bool) -> Result<()> {
    if json {
        return print_json(alert);
    }
    let text = |key: &str| alert[key].as_str().unwrap_or("-");
    print(&format!(
        "{} on {}: {}, {}\n{}\nconsequence: {}\naction: {}\n\n{}",
        text("rule"),
        text("asset"),
        text("severity"),
        text("state"),
        text("message"),
        text("consequence"),
        text("action"),
        table::of_objects(&STEPS, &alert["transitions"])
    ))
}

async fn act(client: &Client, verb: &str, action: ActionArgs, duration: Option<String>, json: bool) -> Result<()> {
    let ActionArgs { id, actor, comment, reason } = action;
    let mut body = json!({ "actor": actor });
    for (key, value) in [("comment", comment), ("reason", reason), ("duration", duration)] {
        if let Some(value) = value {
            body[key] = value.into();
        }
    }
    let alert = client.post(&["v1", "alerts", &id, verb], &body).await?;
    if json { print_json(&alert) } else { print(&format!("{id} is {}\n", alert["state"].as_str().unwrap_or("unchanged"))) }
}

/// Prints the stream's events, one a line.
async fn watch(client: &Client, query: Vec<(&str, String)>, json: bool) -> Result<()> {
    let request = client.request(Method::GET, &["v1", "alerts", "stream"])?.query(&query);
    let mut bytes = client.send(request).await?.bytes_stream();
    let mut lines = Lines::default();
    while let Some(chunk) = bytes.next().await {
        lines.push(&chunk.context("the stream of alerts was cut off")?);
        while let Some(line) = lines.next_line() {
            let Some(data) = line.strip_prefix("data:").map(str::trim) else { continue };
            print(&if json { format!("{data}\n") } else { one_line(data) })?;
        }
    }
    Ok(())
}

fn one_line(data: &str) -> String {
    let event: Value = serde_json::from_str(data).unwrap_or_default();
    let text = |key: &str| event[key].as_str().unwrap_or("-").to_owned();
    format!(
        "{}  {:<13} {:<8} {}  {}  {}\n",
        text("time"),
        text("transition"),
        text("severity"),
        text("asset"),
        text("rule"),
        text("message")
    )
}

/// Cuts a stream of bytes into lines.
#[derive(Default)]
struct Lines(Vec<u8>);

impl Lines {
    fn push(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn next_line(&mut self) -> Option<String> {
        let end = self.0.iter().position(|byte| *byte == b'\n')?;
        let line: Vec<u8> = self.0.drain(..=end).collect();
        Some(String::from_utf8_lossy(&line).trim_end().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_whole_however_the_stream_is_cut() {
        let mut lines = Lines::default();
        lines.push("data: pü".as_bytes());
        assert_eq!(lines.next_line(), None);
        lines.push(b"mp\r\n\nid:");
        assert_eq!([lines.next_line(), lines.next_line(), lines.next_line()], [Some("data: pümp".into()), Some(String::new()), None]);
    }
}
