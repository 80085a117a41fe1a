//! `forewarn token`: how programs show who they are.

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;
use serde_json::json;

use super::{secret, show_list};
use crate::client::{Client, ServerArgs};
use crate::output::{print, print_json};

/// Arguments of `forewarn token`.
#[derive(Debug, clap::Args)]
pub(crate) struct TokenArgs {
    #[command(subcommand)]
    action: Action,
    /// Log in as this user, with a password that is asked for, instead of showing a token.
    #[arg(long, global = true, value_name = "USER")]
    login: Option<String>,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the tokens, without their secrets.
    List,
    /// Make a token. Its secret is shown once.
    Create {
        /// What it is for.
        name: String,
        /// `ingest`, `viewer`, `operator`, `engineer` or `administrator`.
        #[arg(long)]
        role: String,
        /// A glob over the assets that it is bound to, such as `plant1/**`; may be given several times.
        /// Without it all assets.
        #[arg(long = "assets", value_name = "GLOB")]
        assets: Vec<String>,
        /// From when on it is not valid any more, such as `2027-01-01`; without it, it does not expire.
        #[arg(long, value_name = "TIME")]
        expires: Option<String>,
        /// Most requests a second.
        #[arg(long, value_name = "NUMBER")]
        requests_per_s: Option<f64>,
        /// Most readings a second.
        #[arg(long, value_name = "NUMBER")]
        rows_per_s: Option<f64>,
        /// Most event streams open at one time.
        #[arg(long, value_name = "NUMBER")]
        streams: Option<u32>,
    },
    /// Revoke a token. What it is used for ends within seconds.
    Revoke {
        /// The token's id, as `forewarn token list` shows it.
        id: String,
    },
}

const TOKENS: [(&str, &str); 8] = [
    ("id", "id"),
    ("name", "name"),
    ("role", "role"),
    ("assets", "assets"),
    ("expires", "expires"),
    ("last used", "last_used"),
    ("made by", "made_by"),
    ("made", "made"),
];

/// Does what is asked.
///
/// # Errors
/// No server, or its refusal.
pub(crate) async fn run(args: TokenArgs) -> Result<ExitCode> {
    let client = secret::logged_in(Client::new(&args.server)?, args.login.as_deref()).await?;
    let json = args.server.json;
    match args.action {
        Action::List => show_list(&client.get(&["v1", "tokens"], &[]).await?, "tokens", &TOKENS, json)?,
        Action::Create { name, role, assets, expires, requests_per_s, rows_per_s, streams } => {
            let mut limits = json!({});
            for (key, limit) in [("requests_per_s", requests_per_s), ("rows_per_s", rows_per_s)] {
                if let Some(limit) = limit {
                    limits[key] = limit.into();
                }
            }
            if let Some(streams) = streams {
                limits["streams"] = streams.into();
            }
            let mut body = json!({ "name": name, "role": role, "assets": assets, "limits": limits });
            if let Some(expires) = expires {
                body["expires"] = expires.into();
            }
            let made = client.post(&["v1", "tokens"], &body).await?;
            if json {
                print_json(&made)?;
            } else {
                let text = |key: &str| made[key].as_str().unwrap_or_default().to_owned();
                print(&format!("{}\n", text("token")))?;
                crate::output::complain(&format!("this is shown once; its id is {}", text("id")));
            }
        }
        Action::Revoke { id } => {
            client.delete(&["v1", "tokens", &id]).await?;
            if json {
                print_json(&json!({ "revoked": id }))?;
            } else {
                print(&format!("{id} is revoked\n"))?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
