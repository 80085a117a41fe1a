//! `forewarn silence`: alerts that are not sent for a while, and maintenance windows.

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;
use forewarn_types::Timestamp;
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::{parse_time, show_list};
use crate::client::{Client, ServerArgs};
use crate::output::{print, print_json};

/// Arguments of `forewarn silence`.
#[derive(Debug, clap::Args)]
pub(crate) struct SilenceArgs {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List silences and maintenance windows.
    List,
    /// Set a silence, or with `--maintenance` a maintenance window.
    Add(Box<Add>),
    /// Take a silence or a maintenance window back; alerts that are still open are sent then.
    Remove {
        /// Its id.
        id: String,
    },
}

#[derive(Debug, clap::Args)]
struct Add {
    /// Alerts of these assets; several are possible. Left out, of all.
    #[arg(long)]
    asset: Vec<String>,
    /// Alerts of these rules; names or patterns.
    #[arg(long, conflicts_with = "maintenance")]
    rule: Vec<String>,
    /// Alerts of these severities.
    #[arg(long, conflicts_with = "maintenance")]
    severity: Vec<String>,
    /// From when; left out, from now.
    #[arg(long, value_parser = parse_time)]
    from: Option<Timestamp>,
    /// Until when.
    #[arg(long, value_parser = parse_time, conflicts_with = "duration")]
    until: Option<Timestamp>,
    /// For how long, such as 8h.
    #[arg(long, value_name = "TIME")]
    duration: Option<String>,
    /// A maintenance window: work is done on the assets.
    #[arg(long)]
    maintenance: bool,
    /// Of a maintenance window: in these hours of `--day` only, every week.
    #[arg(long, value_name = "FROM-TO", requires = "day", requires = "maintenance")]
    hours: Option<String>,
    /// A day of the week on which the hours begin; several are possible.
    #[arg(long, requires = "hours")]
    day: Vec<String>,
    /// The time zone of the hours.
    #[arg(long, requires = "hours")]
    timezone: Option<String>,
    /// Who sets it.
    #[arg(long)]
    actor: Option<String>,
    /// Why.
    #[arg(long)]
    comment: Option<String>,
}

const COLUMNS: [(&str, &str); 8] = [
    ("id", "id"),
    ("active", "active"),
    ("assets", "assets"),
    ("rules", "rules"),
    ("from", "from"),
    ("until", "until"),
    ("by", "actor"),
    ("comment", "comment"),
];

/// Does what is asked.
///
/// # Errors
/// No server, or its refusal.
pub(crate) async fn run(args: SilenceArgs) -> Result<ExitCode> {
    let client = Client::new(&args.server)?;
    let json = args.server.json;
    match args.action {
        Action::List => {
            let mut all = client.get(&["v1", "silences"], &[]).await?;
            let windows = client.get(&["v1", "maintenance-windows"], &[]).await?;
            all["maintenance_windows"] = windows["maintenance_windows"].clone();
            if json {
                print_json(&all)?;
            } else {
                show_list(&all, "silences", &COLUMNS, false)?;
                if all["maintenance_windows"].as_array().is_some_and(|windows| !windows.is_empty()) {
                    print("\nmaintenance windows:\n")?;
                    show_list(&all, "maintenance_windows", &COLUMNS, false)?;
                }
            }
        }
        Action::Add(add) => {
            let kind = if add.maintenance { "maintenance-windows" } else { "silences" };
            let added = client.post(&["v1", kind], &add.body()).await?;
            if json {
                print_json(&added)?;
            } else {
                print(&format!("{}\n", added["id"].as_str().unwrap_or_default()))?;
            }
        }
        Action::Remove { id } => {
            let windows = client.get(&["v1", "maintenance-windows"], &[]).await?;
            let windows = windows["maintenance_windows"].as_array().cloned().unwrap_or_default();
            let is_window = windows.iter().any(|window| window["id"] == json!(id));
            let kind = if is_window { "maintenance-windows" } else { "silences" };
            client.send(client.request(Method::DELETE, &["v1", kind, &id])?).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl Add {
    fn body(self) -> Value {
        let mut body = Map::new();
        let mut list = |key: &str, list: Vec<String>| {
            if !list.is_empty() {
                body.insert(key.to_owned(), json!(list));
            }
        };
        let assets =
            if self.maintenance && self.asset.is_empty() { vec!["**".to_owned()] } else { self.asset };
        list("assets", assets);
        list("rules", self.rule);
        list("severity", self.severity);
        let times = [("from", self.from), ("until", self.until)];
        let times = times.into_iter().filter_map(|(key, time)| Some((key, time?.to_string())));
        let texts = [("duration", self.duration), ("actor", self.actor), ("comment", self.comment)];
        let texts = texts.into_iter().filter_map(|(key, text)| Some((key, text?)));
        body.extend(times.chain(texts).map(|(key, text)| (key.to_owned(), Value::String(text))));
        if let Some(hours) = self.hours {
            let zone = self.timezone.unwrap_or_else(|| "UTC".to_owned());
            body.insert("weekly".to_owned(), json!({ "days": self.day, "hours": hours, "timezone": zone }));
        }
        Value::Object(body)
    }
}
