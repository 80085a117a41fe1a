//! `forewarn notify`: whether contacts can be reached, what was sent, and why an alert was sent or not.

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;
use serde_json::{Value, json};

use super::show_list;
use crate::client::{Client, ServerArgs};
use crate::output::{print, print_json};
use crate::table;

/// Arguments of `forewarn notify`.
#[derive(Debug, clap::Args)]
pub(crate) struct NotifyArgs {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the contacts, and whether they can be reached.
    Contacts,
    /// List messages: what is to be sent, and what was.
    List {
        /// Only messages about this alert.
        #[arg(long)]
        alert: Option<String>,
        /// `pending`, `delivered` or `failed`.
        #[arg(long)]
        state: Option<String>,
        /// Only messages to this contact.
        #[arg(long)]
        contact: Option<String>,
        /// Most messages, 1 to 1000.
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// Send a test message now. The exit code is 1 if it is not taken.
    Test {
        /// A contact, or a route, of which all contacts get it.
        to: String,
    },
    /// Say why an alert was sent or not: which routes match, what holds it back, what was sent.
    Why {
        /// The alert's id.
        alert: String,
    },
}

const CONTACTS: [(&str, &str); 7] = [
    ("contact", "contact"),
    ("channel", "channel"),
    ("delivered", "delivered"),
    ("failed", "failed"),
    ("pending", "pending"),
    ("failing since", "failing_since"),
    ("problem", "problem"),
];
const MESSAGES: [(&str, &str); 7] = [
    ("due", "due"),
    ("state", "state"),
    ("kind", "kind"),
    ("contact", "contact"),
    ("channel", "channel"),
    ("title", "title"),
    ("detail", "detail"),
];
const ROUTES: [(&str, &str); 4] =
    [("route", "route"), ("matches", "matches"), ("said", "said"), ("because", "because")];
const TESTS: [(&str, &str); 4] =
    [("contact", "contact"), ("channel", "channel"), ("delivered", "delivered"), ("detail", "detail")];

/// Does what is asked.
///
/// # Errors
/// No server, or its refusal.
pub(crate) async fn run(args: NotifyArgs) -> Result<ExitCode> {
    let client = Client::new(&args.server)?;
    let json = args.server.json;
    match args.action {
        Action::Contacts => {
            show_list(&client.get(&["v1", "contacts"], &[]).await?, "contacts", &CONTACTS, json)?;
        }
        Action::List { alert, state, contact, limit } => {
            let mut query = vec![("limit", limit.to_string())];
            query.extend(alert.map(|alert| ("alert", alert)));
            query.extend(state.map(|state| ("state", state)));
            query.extend(contact.map(|contact| ("contact", contact)));
            let answer = client.get(&["v1", "notifications"], &query).await?;
            show_list(&answer, "notifications", &MESSAGES, json)?;
        }
        Action::Test { to } => {
            let answer = client.post(&["v1", "notifications", "test"], &json!({ "to": to })).await?;
            show_list(&answer, "results", &TESTS, json)?;
            let all = answer["results"].as_array().is_some_and(|results| {
                !results.is_empty() && results.iter().all(|one| one["delivered"] == true)
            });
            return Ok(if all { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Action::Why { alert } => {
            let answer = client.get(&["v1", "alerts", &alert, "notifications"], &[]).await?;
            if json {
                print_json(&answer)?;
            } else {
                print(&in_full(&answer))?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Why an alert was sent or not, for people.
fn in_full(answer: &Value) -> String {
    let text = |key: &str| answer[key].as_str().unwrap_or("-");
    let mut told = format!("{}: {}\n", text("alert"), text("state"));
    if let Some(muted) = answer["muted"].as_str() {
        let _ = writeln!(told, "held back: {muted}");
    }
    if answer["routes"].as_array().is_none_or(Vec::is_empty) {
        told.push_str("no route is asked: the alert is over, or no pipeline has routes\n");
    } else {
        told.push('\n');
        told.push_str(&table::of_objects(&ROUTES, &answer["routes"]));
    }
    told.push('\n');
    told.push_str(&table::of_objects(&MESSAGES, &answer["notifications"]));
    told
}
