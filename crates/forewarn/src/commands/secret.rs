//! Secrets that a person types. They stand in no argument, since others on the machine can read those.

use std::io::{BufRead as _, IsTerminal as _};

use anyhow::{Context as _, Result, bail};
use serde_json::json;

use crate::client::Client;

/// Asks for a secret: at a terminal without showing it, otherwise the next line of standard input.
pub(super) fn ask(what: &str) -> Result<String> {
    let asked = if std::io::stdin().is_terminal() {
        rpassword::prompt_password(format!("{what}: "))
    } else {
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line).map(|_| line)
    };
    let text = asked.with_context(|| format!("cannot read: {what}"))?;
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() {
        bail!("nothing was given: {what}");
    }
    Ok(text.to_owned())
}

/// As [`ask`], twice at a terminal, since nobody sees what they type.
pub(super) fn ask_twice(what: &str) -> Result<String> {
    let first = ask(what)?;
    if std::io::stdin().is_terminal() && ask(&format!("{what}, again"))? != first {
        bail!("the two are not the same");
    }
    Ok(first)
}

/// `client` as `user`, if one is given, whose password is asked for.
pub(super) async fn logged_in(client: Client, user: Option<&str>) -> Result<Client> {
    let Some(user) = user else { return Ok(client) };
    let password = ask(&format!("Password of {user}"))?;
    client.logged_in(&json!({ "user": user, "password": password })).await
}
