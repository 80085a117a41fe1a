//! `forewarn model`: models, their versions, and what they predict.

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;
use serde_json::{Value, json};

use super::{queued, show_list};
use crate::client::{Client, ServerArgs};

/// Arguments of `forewarn model`.
#[derive(Debug, clap::Args)]
pub(crate) struct ModelArgs {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List models, each with the version it predicts with.
    List,
    /// List the versions of a model with their metrics.
    Versions {
        /// The model.
        model: String,
    },
    /// Train a model on all history up to now.
    Train {
        /// The model.
        model: String,
        /// Wait until it has ended.
        #[arg(long)]
        wait: bool,
    },
    /// Have a model predict for all its assets.
    Predict {
        /// The model.
        model: String,
        /// Wait until it has ended.
        #[arg(long)]
        wait: bool,
    },
    /// Put a version of a model in force.
    Promote {
        /// The model.
        model: String,
        /// The version.
        version: String,
    },
    /// List the newest predictions, soonest failure first.
    Predictions {
        /// Asset path, or a glob over paths.
        #[arg(long)]
        asset: Option<String>,
        /// Most predictions.
        #[arg(long, default_value_t = 1_000)]
        limit: usize,
    },
}

const MODELS: [(&str, &str); 5] = [
    ("model", "model"),
    ("assets", "assets"),
    ("unit", "unit"),
    ("version", "version.version"),
    ("problem", "problem"),
];
const VERSIONS: [(&str, &str); 6] = [
    ("version", "version"),
    ("current", "current"),
    ("algorithm", "summary.chosen.algorithm"),
    ("lives", "summary.lives"),
    ("rmse", "summary.metrics.rmse"),
    ("coverage", "summary.coverage"),
];
const QUANTILES: [&str; 3] = ["p05", "p50", "p95"];
const PREDICTIONS: [(&str, &str); 9] = [
    ("asset", "asset"),
    ("p05", "p05"),
    ("p50", "p50"),
    ("p95", "p95"),
    ("cap", "cap"),
    ("unit", "unit"),
    ("as of", "time"),
    ("unlike training", "out_of_distribution"),
    ("version", "version"),
];

/// Does what is asked.
///
/// # Errors
/// No server, or its refusal.
pub(crate) async fn run(args: ModelArgs) -> Result<ExitCode> {
    let client = Client::new(&args.server)?;
    let json = args.server.json;
    let show = |answer: &Value, key: &str, columns: &[(&str, &str)]| show_list(answer, key, columns, json);
    match args.action {
        Action::List => show(&client.get(&["v1", "models"], &[]).await?, "models", &MODELS)?,
        Action::Versions { model } => {
            show(&client.get(&["v1", "models", &model, "versions"], &[]).await?, "versions", &VERSIONS)?;
        }
        Action::Train { model, wait } => {
            let started = client.post(&["v1", "models", &model, "train"], &json!({})).await?;
            return queued(&client, &started, wait, json).await;
        }
        Action::Predict { model, wait } => {
            let started = client.post(&["v1", "models", &model, "predict"], &json!({})).await?;
            return queued(&client, &started, wait, json).await;
        }
        Action::Promote { model, version } => {
            let answer =
                client.post(&["v1", "models", &model, "promote"], &json!({ "version": version })).await?;
            show(&answer, "versions", &VERSIONS)?;
        }
        Action::Predictions { asset, limit } => {
            let mut query = vec![("limit", limit.to_string())];
            query.extend(asset.map(|asset| ("asset", asset)));
            let mut answer = client.get(&["v1", "predictions"], &query).await?;
            if !json {
                round(&mut answer["predictions"]);
            }
            show(&answer, "predictions", &PREDICTIONS)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Rounds the quantiles of predictions to tenths: more decimals only hide how wide the interval is.
fn round(predictions: &mut Value) {
    for prediction in predictions.as_array_mut().into_iter().flatten() {
        for key in QUANTILES {
            if let Some(value) = prediction[key].as_f64() {
                prediction[key] = ((value * 10.0).round() / 10.0).into();
            }
        }
    }
}
