//! The program's commands, run as people run them.

use std::process::{Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::site::{Server, Site, binary};

/// No command takes longer.
pub const PATIENCE: Duration = Duration::from_mins(2);

/// What a command has said, and its exit code.
#[derive(Debug)]
pub struct Said {
    /// The exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

impl Said {
    /// From what the process left.
    pub fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }

    /// Standard output of a command that must have ended with `code`.
    ///
    /// # Panics
    /// If it has not.
    #[must_use]
    pub fn with_code(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{self:?}");
        self.out
    }

    /// Standard error of a command that must have ended with `code` and printed nothing.
    ///
    /// # Panics
    /// If it has not.
    #[must_use]
    pub fn complaint(self, code: i32) -> String {
        assert_eq!((self.code, self.out.as_str()), (Some(code), ""), "{self:?}");
        self.err
    }
}

/// Runs a command against the server at `url`, with `input` on its standard input.
///
/// # Panics
/// If it does not start or does not end.
pub async fn asked_with_input(url: &str, arguments: &[&str], input: &str) -> Said {
    let mut command = Command::new(binary());
    command.args(arguments).args(["--server", url]).env_remove("FOREWARN_SERVER");
    let mut process = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdin = process.stdin.take().expect("it is piped");
    stdin.write_all(input.as_bytes()).await.expect("the program reads");
    drop(stdin);
    let output = tokio::time::timeout(PATIENCE, process.wait_with_output())
        .await
        .expect("the command ends")
        .expect("its output");
    Said::of(&output)
}

/// Runs a command against the server.
pub async fn asked(server: &Server, arguments: &[&str]) -> Said {
    asked_with_input(&server.url, arguments, "").await
}

/// What a command prints that must succeed.
pub async fn done(server: &Server, arguments: &[&str]) -> String {
    asked(server, arguments).await.with_code(0)
}

/// What a command that must succeed prints with `--json`.
///
/// # Panics
/// If that is no JSON.
pub async fn done_json(server: &Server, arguments: &[&str]) -> Value {
    let out = done(server, &[arguments, &["--json"]].concat()).await;
    serde_json::from_str(&out).unwrap_or_else(|_| panic!("no JSON: {out}"))
}

/// Writes a file into the site's folder and gives its path.
pub fn file(site: &Site, name: &str, text: &str) -> String {
    site.write(name, text);
    site.path().join(name).display().to_string()
}

/// Checks that a text holds all of these parts.
///
/// # Panics
/// If it does not.
pub fn assert_says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is missing in:\n{text}");
    }
}
