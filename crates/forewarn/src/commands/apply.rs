//! `forewarn apply`: puts definitions in force on a server that runs; all of them or none.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use crate::client::{Client, Refused, ServerArgs};
use crate::output::{complain, counted, print, print_json};

/// Arguments of `forewarn apply`.
#[derive(Debug, clap::Args)]
pub(crate) struct ApplyArgs {
    /// The folder with the definitions to send: YAML files of pipelines, or the folders `pipelines` and
    /// `models`. They are written to the server's folders; its other files stay. Without a folder, the server
    /// puts in force what is in its folders now.
    folder: Option<PathBuf>,
    /// Say what it would do to open alerts, and change nothing.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    server: ServerArgs,
}

/// Does what is asked.
///
/// # Errors
/// No server, or its refusal.
pub(crate) async fn run(args: ApplyArgs) -> Result<ExitCode> {
    let body = args.folder.as_deref().map_or_else(|| Ok(json!({})), texts_in)?;
    let query = [("dry_run", args.dry_run.to_string())];
    let answer = match Client::new(&args.server)?.post_with(&["v1", "apply"], &query, &body).await {
        Ok(answer) => answer,
        Err(error) => {
            let mistakes = error.downcast_ref::<Refused>().map(|refused| refused.answer["mistakes"].clone());
            let Some(Value::Array(mistakes)) = mistakes else { return Err(error) };
            for mistake in &mistakes {
                complain(&format!("{}\n", shown(mistake)));
            }
            complain(&format!("{} mistake(s); nothing has changed", mistakes.len()));
            return Ok(ExitCode::FAILURE);
        }
    };
    if args.server.json {
        print_json(&answer)?;
        return Ok(ExitCode::SUCCESS);
    }
    for warning in answer["warnings"].as_array().into_iter().flatten() {
        complain(&format!("warning: {}\n", shown(warning)));
    }
    if answer["state"] == "would_be" {
        print(&would(&answer["would"]))?;
    } else if answer["offset"].is_null() {
        print("nothing changed: these definitions are in force already\n")?;
    } else {
        print(&format!("in force from offset {} on\n", answer["offset"]))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The definition files below `folder`, as the server takes them.
fn texts_in(folder: &Path) -> Result<Value> {
    let (pipelines, models) = (folder.join("pipelines"), folder.join("models"));
    let is_tree = pipelines.is_dir() || models.is_dir();
    let pipelines = files_in(if is_tree { &pipelines } else { folder })?;
    let models = if is_tree { files_in(&models)? } else { Vec::new() };
    if pipelines.is_empty() && models.is_empty() {
        bail!("there is no definition in {}: give a folder with YAML files", folder.display());
    }
    Ok(json!({ "pipelines": pipelines, "models": models }))
}

fn files_in(folder: &Path) -> Result<Vec<Value>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut files = Vec::new();
    for path in crate::config::yaml_paths("", folder)? {
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        files.push(json!({ "file": name, "text": text }));
    }
    Ok(files)
}

/// A mistake or a warning, as `forewarn check` shows it.
pub(crate) fn shown(mistake: &Value) -> String {
    let text = |key: &str| mistake[key].as_str().unwrap_or_default().to_owned();
    let place = match mistake["line"].as_u64() {
        Some(line) if line > 0 => format!("{}:{line}:{}", text("file"), mistake["column"]),
        _ => text("file"),
    };
    let hint = text("hint");
    let hint = if hint.is_empty() { hint } else { format!("\n  hint: {hint}") };
    format!("{place}: {}{hint}", text("message"))
}

/// What definitions would do to open alerts, in words.
pub(crate) fn would(would: &Value) -> String {
    let count = |key: &str| would[key].as_u64().unwrap_or(0);
    let mut text = format!(
        "open alerts: {} would stay, {} of them with other texts; {} would end, {} would be raised\n",
        count("kept"),
        count("retexted_total"),
        count("ended_total"),
        count("raised_total"),
    );
    for (key, what) in [("ended", "ends"), ("raised", "raised"), ("retexted", "stays")] {
        for alert in would[key].as_array().into_iter().flatten() {
            let words = ["rule", "asset", "message"].map(|key| alert[key].as_str().unwrap_or_default());
            _ = writeln!(text, "{what}: {} on {}: {}", words[0], words[1], words[2]);
        }
        let named = would[key].as_array().map_or(0, Vec::len) as u64;
        let more = count(&format!("{key}_total")).saturating_sub(named);
        if more > 0 {
            _ = writeln!(text, "and {} more", counted(more, "alert"));
        }
    }
    for note in would["notes"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        _ = writeln!(text, "note: {note}");
    }
    text
}
