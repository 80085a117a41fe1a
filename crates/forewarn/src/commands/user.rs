//! `forewarn user`: who may log in, and what they may do.

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;
use serde_json::{Value, json};

use super::secret::{self, ask_twice};
use super::show_list;
use crate::client::{Client, ServerArgs};
use crate::output::{print, print_json};

/// Arguments of `forewarn user`.
#[derive(Debug, clap::Args)]
pub(crate) struct UserArgs {
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
    /// List the users.
    List,
    /// Add a user, or change the role and the assets of one. The password is asked for.
    Add {
        /// The user's name.
        name: String,
        /// `viewer`, `operator`, `engineer`, `administrator` or `ingest`.
        #[arg(long, default_value = "viewer", conflicts_with = "first")]
        role: String,
        /// A glob over the assets that they may see, such as `plant1/**`; may be given several times. Without
        /// it all assets.
        #[arg(long = "assets", value_name = "GLOB")]
        assets: Vec<String>,
        /// Set no password: of a new user for one who shows a client certificate, of a known one to leave it
        /// as it is.
        #[arg(long, conflicts_with = "first")]
        no_password: bool,
        /// Make the first administrator, with the code that the server printed at its start. The answer has
        /// a token for further commands.
        #[arg(long)]
        first: bool,
    },
    /// Remove a user.
    Remove {
        /// The user's name.
        name: String,
    },
    /// Set a user's password, which is asked for. Their logins end.
    Password {
        /// The user's name.
        name: String,
    },
}

const USERS: [(&str, &str); 5] =
    [("user", "user"), ("role", "role"), ("assets", "assets"), ("password", "password"), ("added", "added")];

/// Does what is asked.
///
/// # Errors
/// No server, or its refusal.
pub(crate) async fn run(args: UserArgs) -> Result<ExitCode> {
    let client = Client::new(&args.server)?;
    let json = args.server.json;
    if let Action::Add { name, first: true, .. } = &args.action {
        first(client, name, json).await?;
        return Ok(ExitCode::SUCCESS);
    }
    let client = secret::logged_in(client, args.login.as_deref()).await?;
    match args.action {
        Action::List => show_list(&client.get(&["v1", "users"], &[]).await?, "users", &USERS, json)?,
        Action::Add { name, role, assets, no_password, first: _ } => {
            let mut body = json!({ "user": name, "role": role, "assets": assets });
            if !no_password {
                body["password"] = ask_twice(&format!("Password of {name}"))?.into();
            }
            told(&client.post(&["v1", "users"], &body).await?, &format!("{name} is {role}"), json)?;
        }
        Action::Remove { name } => {
            client.delete(&["v1", "users", &name]).await?;
            told(&json!({ "removed": name }), &format!("{name} is removed"), json)?;
        }
        Action::Password { name } => {
            let body = json!({ "password": ask_twice(&format!("New password of {name}"))? });
            client.post_only(&["v1", "users", &name, "password"], &body).await?;
            told(&json!({ "user": name }), &format!("the password of {name} is set"), json)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Makes the first administrator, and a token for them.
async fn first(client: Client, name: &str, json: bool) -> Result<()> {
    let code = secret::ask("Code that the server printed")?;
    let password = ask_twice(&format!("Password of {name}"))?;
    let body = json!({ "user": name, "password": password, "code": code });
    let client = client.logged_in(&body).await?;
    let wanted = json!({ "name": name, "role": "administrator" });
    let made = client.post(&["v1", "tokens"], &wanted).await?;
    client.post_only(&["v1", "logout"], &Value::Null).await?;
    let token = made["token"].as_str().unwrap_or_default();
    let words = format!(
        "{name} is the first administrator. For commands, a token that is shown this once:\n  export \
         FOREWARN_TOKEN={token}"
    );
    told(&made, &words, json)
}

fn told(answer: &Value, words: &str, json: bool) -> Result<()> {
    if json { print_json(answer) } else { print(&format!("{words}\n")) }
}
