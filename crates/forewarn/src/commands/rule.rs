//! `forewarn rule`: on which assets rules watch, how they stand there, and why.

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;
use serde_json::Value;

use crate::client::{Client, ServerArgs};
use crate::output::{print, print_json};
use crate::table;

/// Arguments of `forewarn rule`.
#[derive(Debug, clap::Args)]
pub(crate) struct RuleArgs {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the rules in force, with the number of assets that each matches, by state.
    List,
    /// Show a rule, how it stands on each asset, and which signals it waits for.
    Show {
        /// The rule.
        rule: String,
        /// Only assets on which it is in this state: `normal`, `pending`, `alert`, `unknown`,
        /// `never_decided`, `retired`.
        #[arg(long)]
        state: Option<String>,
        /// Most assets, 1 to 1000.
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
}

const RULES: [(&str, &str); 9] = [
    ("rule", "name"),
    ("severity", "severity"),
    ("assets", "matches"),
    ("normal", "states.normal"),
    ("pending", "states.pending"),
    ("alert", "states.alert"),
    ("unknown", "states.unknown"),
    ("never decided", "states.never_decided"),
    ("condition", "condition"),
];
const ASSETS: [(&str, &str); 4] =
    [("asset", "asset"), ("state", "state"), ("alert", "alert"), ("why", "why")];

/// Does what is asked.
///
/// # Errors
/// No server, or its refusal.
pub(crate) async fn run(args: RuleArgs) -> Result<ExitCode> {
    let client = Client::new(&args.server)?;
    let (answer, told) = match args.action {
        Action::List => {
            let answer = client.get(&["v1", "rules"], &[]).await?;
            let told = listed(&answer);
            (answer, told)
        }
        Action::Show { rule, state, limit } => {
            let mut query = vec![("limit", limit.to_string())];
            query.extend(state.map(|state| ("state", state)));
            let answer = client.get(&["v1", "rules", &rule], &query).await?;
            let told = in_full(&answer);
            (answer, told)
        }
    };
    if args.server.json {
        print_json(&answer)?;
    } else {
        print(&told)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The rules, for people, and below them what is to be known of them.
fn listed(answer: &Value) -> String {
    let mut told = table::of_objects(&RULES, &answer["rules"]);
    let rules = answer["rules"].as_array().into_iter().flatten();
    let notes = rules.flat_map(|rule| {
        let name = rule["name"].as_str().unwrap_or("-");
        texts(&rule["notes"]).map(move |note| format!("{name}: {note}\n"))
    });
    let notes: String = notes.chain(texts(&answer["refused"]).map(|text| format!("{text}\n"))).collect();
    if !notes.is_empty() {
        told.extend(["\n", &notes]);
    }
    told
}

/// A rule with its assets, for people.
fn in_full(rule: &Value) -> String {
    let text = |key: &str| rule[key].as_str().unwrap_or("-");
    let mut told = format!(
        "{}: {}, pipeline {}\n{}\nassets: {}\n",
        text("name"),
        text("severity"),
        text("pipeline"),
        text("condition"),
        text("assets")
    );
    told.extend(texts(&rule["notes"]).map(|note| format!("note: {note}\n")));
    told.push('\n');
    told.push_str(&table::of_objects(&ASSETS, &rule["per_asset"]));
    if !rule["next"].is_null() {
        told.push_str("(there are more: see --limit and --state)\n");
    }
    told
}

fn texts(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}
