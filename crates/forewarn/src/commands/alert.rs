//! `forewarn alert`: look at alerts, act on them, watch them come.

mod kpis;

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;
use serde_json::{Value, json};

use super::{show_list, watch};
use crate::client::{Client, ServerArgs};
use crate::output::{print, print_json};
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
    /// Show the figures of the alarm system: alerts for each operator and ten minutes, floods, the most
    /// frequent, chattering and stale ones, and the time to acknowledge.
    Kpis(kpis::KpisArgs),
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
    Comment {
        /// The alert's id.
        id: String,
        /// Who says it; with a token, the token says who.
        #[arg(long, env = "USER")]
        actor: String,
        /// What they say.
        #[arg(long, short = 'm')]
        comment: String,
        /// Whether the alert was right: `true`, `nuisance`, `maintenance` or `test`.
        #[arg(long)]
        reason: Option<String>,
    },
}

#[derive(Debug, clap::Args)]
struct ActionArgs {
    /// The alert's id.
    id: String,
    /// Who does it; with a token, the token says who.
    #[arg(long, env = "USER")]
    actor: String,
    /// What they say.
    #[arg(long, short = 'm')]
    comment: Option<String>,
    /// Whether the alert was right: `true`, `nuisance`, `maintenance` or `test`.
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
const STEPS: [(&str, &str); 5] = [
    ("time", "time"),
    ("transition", "transition"),
    ("message", "message"),
    ("actor", "actor"),
    ("comment", "comment"),
];

/// Does what is asked.
///
/// # Errors
/// No server, or its refusal.
pub(crate) async fn run(args: AlertArgs) -> Result<ExitCode> {
    let client = Client::new(&args.server)?;
    let json = args.server.json;
    match args.action {
        Action::Kpis(args) => kpis::show(&client, args, json).await?,
        Action::List { state, severity, asset, limit } => {
            let mut query = filter(severity, asset);
            query.extend(state.map(|state| ("state", state)));
            query.push(("limit", limit.to_string()));
            let answer = client.get(&["v1", "alerts"], &query).await?;
            show_list(&answer, "alerts", &ALERTS, json)?;
        }
        Action::Show { id } => show(&client.get(&["v1", "alerts", &id], &[]).await?, json)?,
        Action::Watch { severity, asset } => watch::run(&client, filter(severity, asset), json).await?,
        Action::Acknowledge(action) => act(&client, "acknowledge", action, None, json).await?,
        Action::Shelve { action, duration } => act(&client, "shelve", action, Some(duration), json).await?,
        Action::Unshelve(action) => act(&client, "unshelve", action, None, json).await?,
        Action::Comment { id, actor, comment, reason } => {
            act(&client, "comment", ActionArgs { id, actor, comment: Some(comment), reason }, None, json)
                .await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn filter(severity: Option<String>, asset: Option<String>) -> Vec<(&'static str, String)> {
    severity
        .map(|severity| ("severity", severity))
        .into_iter()
        .chain(asset.map(|asset| ("asset", asset)))
        .collect()
}

fn show(alert: &Value, json: bool) -> Result<()> {
    if json {
        return print_json(alert);
    }
    print(&in_full(alert))
}

/// An alert with its history and evidence, for people. What it does not have is left out.
fn in_full(alert: &Value) -> String {
    let text = |key: &str| alert[key].as_str().unwrap_or("-");
    let doubt = if alert["unknown"] == true { " (in doubt: inputs are missing or bad)" } else { "" };
    let mut told = format!(
        "{} on {}: {}, {}{doubt}\n{}\n",
        text("rule"),
        text("asset"),
        text("severity"),
        text("state"),
        text("message")
    );
    let facts = ["started", "ended", "acknowledged_by", "shelved_until", "consequence", "action"];
    for (name, value) in facts.iter().filter_map(|key| Some((key.replace('_', " "), alert[*key].as_str()?))) {
        told.extend([name.as_str(), ": ", value, "\n"]);
    }
    let evidence = &alert["evidence"];
    let span = |key: &str| evidence[key].as_str().unwrap_or("-");
    // Writing to a string cannot fail.
    let _ = writeln!(
        told,
        "evidence: readings from {} to {}, rule version {}",
        span("from"),
        span("to"),
        span("rule_version")
    );
    for value in evidence["values"].as_array().into_iter().flatten() {
        let text = |key: &str| value[key].as_str().unwrap_or("-");
        let number = value["value"].as_f64().map_or_else(|| "-".to_owned(), |number| number.to_string());
        let _ = writeln!(told, "  {} {number} at {}", text("signal"), text("time"));
    }
    told.push('\n');
    told.push_str(&table::of_objects(&STEPS, &alert["transitions"]));
    match alert["transitions_left_out"].as_u64() {
        Some(count) if count > 0 => {
            told + &format!(
                "({count} transitions after the first are left out; the table alert_events has all)\n"
            )
        }
        _ => told,
    }
}

async fn act(
    client: &Client,
    verb: &str,
    action: ActionArgs,
    duration: Option<String>,
    json: bool,
) -> Result<()> {
    let ActionArgs { id, actor, comment, reason } = action;
    // A server that knows who asks takes no other name.
    let mut body = if client.is_named() { json!({}) } else { json!({ "actor": actor }) };
    for (key, value) in [("comment", comment), ("reason", reason), ("duration", duration)] {
        if let Some(value) = value {
            body[key] = value.into();
        }
    }
    let alert = client.post(&["v1", "alerts", &id, verb], &body).await?;
    if json {
        return print_json(&alert);
    }
    let state = alert["state"].as_str().unwrap_or("unchanged");
    print(&if verb == "comment" {
        format!("the comment on {id} is recorded\n")
    } else {
        format!("{id} is {state}\n")
    })
}
