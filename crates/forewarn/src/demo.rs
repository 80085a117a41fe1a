//! `forewarn demo`: a simulated plant, watched by the real server. History is imported, a model trained, and
//! then the plant runs on before one's eyes, with days that last seconds.
//!
//! The simulator sends readings over HTTP as sensors would. Simulated time is the server's clock here: it
//! moves on only when the server has done what is due, so the same seed shows the same alerts and predictions
//! on a slow machine and on a fast one.

mod folder;
mod live;
mod past;
mod plant;
mod screen;
mod seen;
mod sensors;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use forewarn_batch::SchedulerHandle;
use forewarn_log::LogError;
use forewarn_types::{ManualClock, Timestamp};
use serde_json::json;
use tokio::time::timeout;

use self::live::{Live, Parts};
use self::past::Past;
use self::plant::Plant;
use self::screen::Screen;
use self::sensors::Sensors;
use crate::client::Client;
use crate::output::print;
use crate::serve::stop_signal;
use crate::server::{Server, Ticks};

/// The model that ships with the demo.
const MODEL: &str = "pump-life";
/// Day one of the plant.
const START: &str = "2026-01-01T00:00:00Z";
const PUMPS: usize = 6;
const HISTORY_DAYS: i64 = 150;
/// Streaming begins when some bearing has used up this share of its life.
const WATCH_FROM_SHARE: f64 = 0.62;
/// After Ctrl-C the server may bring its work to an end for this long. What it has not written to the lake by
/// then is in the log, from which the next start goes on, as it would after a crash.
const STOP_WITHIN: Duration = Duration::from_secs(3);

/// Arguments of `forewarn demo`.
#[derive(Debug, clap::Args)]
pub(crate) struct DemoArgs {
    /// The folder for definitions, log and lake; started again on it, the demo goes on where it was.
    #[arg(long, default_value = "data/demo")]
    dir: PathBuf,
    /// Where the API listens.
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: String,
    /// Another seed is another plant.
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// How many simulated hours pass in a second.
    #[arg(long, default_value_t = 5.0)]
    hours_per_second: f64,
    /// Run as fast as the machine can until a pump has failed, print a summary, and end.
    #[arg(long)]
    once: bool,
}

/// Runs the demo until Ctrl-C, or with `--once` until its end.
///
/// # Errors
/// What kept it from starting, or made it end.
pub(crate) async fn run(args: DemoArgs) -> Result<ExitCode> {
    if !(args.hours_per_second > 0.0 && args.hours_per_second <= 1_000.0) {
        bail!("--hours-per-second is {}; give a number above 0, at most 1000", args.hours_per_second);
    }
    let tree = match folder::prepare(&args.dir, &args.listen)? {
        Ok(tree) => tree,
        Err(diagnostics) => return Ok(crate::output::report(&diagnostics)),
    };
    let plant = Plant::new(args.seed, Timestamp::parse(START).context("the demo's first day")?, PUMPS);
    let screen = Screen::new();
    screen.title(&args.dir, plant.pumps().len(), args.seed)?;
    let watch_from = plant.moment_to_watch(HISTORY_DAYS, WATCH_FROM_SHARE);
    let clock = Arc::new(ManualClock::new(watch_from));
    let started = Server::start(tree, clock.clone(), Ticks::ByHand).await;
    let mut server = started.map_err(|error| explain(error, &args))?;
    let client = Client::at(&server.url)?;
    let show = Show {
        parts: Parts {
            log: Arc::clone(&server.log),
            scheduler: server.scheduler.clone(),
            state: server.state.clone(),
            clock,
        },
        sensors: Sensors { client: &client, plant: &plant },
        screen: &screen,
        address: server.url.trim_start_matches("http://").to_owned(),
        watch_from,
        args,
    };
    // Whatever ends the show, the folder is left in a state from which it goes on.
    let outcome = tokio::select! {
        stopped = stop_signal() => {
            stopped?;
            print("stopping; started again it goes on\n")?;
            return timeout(STOP_WITHIN, server.stop()).await.unwrap_or(Ok(())).map(|()| ExitCode::SUCCESS);
        }
        error = server.failed() => Err(error),
        outcome = show.run() => outcome,
    };
    let stopped = server.stop().await;
    let code = outcome?;
    stopped.map(|()| code)
}

/// What most often keeps a demo from starting, in words that say what to do.
fn explain(error: anyhow::Error, args: &DemoArgs) -> anyhow::Error {
    let dir = args.dir.display();
    if matches!(error.downcast_ref(), Some(LogError::Locked(_))) {
        return anyhow!(
            "the folder {dir} is in use: a demo or server runs on it already; stop that, or give another folder with --dir"
        );
    }
    if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::AddrInUse) {
        let listen = &args.listen;
        return anyhow!(
            "{listen} is in use: a demo or server listens there already; stop that, or give another address with --listen"
        );
    }
    error
}

struct Show<'a> {
    parts: Parts,
    sensors: Sensors<'a>,
    screen: &'a Screen,
    address: String,
    watch_from: Timestamp,
    args: DemoArgs,
}

impl Show<'_> {
    async fn run(self) -> Result<ExitCode> {
        let Self { parts, sensors, screen, watch_from, args, .. } = self;
        let newest = sensors.newest().await?;
        let now = newest.map_or(watch_from, |newest| newest.max(watch_from));
        parts.clock.set(now);
        let stored = sensors
            .import(newest.unwrap_or(Timestamp(0)), watch_from, |share| screen.progress(share))
            .await?;
        let mut missed = sensors.record_missing(now).await?;
        missed.retain(|event| event.time > watch_from);
        screen.history(stored, watch_from)?;
        predict(sensors.client, &parts.scheduler).await?;
        screen.links(&self.address, args.hours_per_second, args.once)?;

        let pace = (!args.once)
            .then(|| Duration::from_secs_f64(plant::STEP_US as f64 / 3_600e6 / args.hours_per_second));
        let past = Past::read(&sensors, now).await?;
        let seen = Live::new(parts, &sensors, screen, past).run(&missed, pace, args.once).await?;
        screen::summary(&seen)?;
        let warned = seen
            .failures
            .iter()
            .all(|failure| failure.first_alert.is_some() && !failure.predictions.is_empty());
        Ok(if warned { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// Trains the model unless it has been, and has it predict.
async fn predict(client: &Client, scheduler: &SchedulerHandle) -> Result<()> {
    let versions = ["v1", "models", MODEL, "versions"];
    if client.get(&versions, &[]).await?["versions"].as_array().is_none_or(Vec::is_empty) {
        run_to_end(client, "train").await?;
    }
    scheduler.idle().await?;
    screen::model(&client.get(&versions, &[]).await?["versions"])?;
    run_to_end(client, "predict").await?;
    screen::predictions(&client.get(&["v1", "predictions"], &[]).await?["predictions"])
}

async fn run_to_end(client: &Client, action: &str) -> Result<()> {
    let run = client.post(&["v1", "models", MODEL, action], &json!({})).await?;
    let ended = client.ended_run(run["run"].as_str().unwrap_or_default()).await?;
    if ended["state"] != "succeeded" {
        bail!(
            "the run {action}:{MODEL} {}: {}",
            ended["state"],
            ended["error"].as_str().unwrap_or("no reason given")
        );
    }
    Ok(())
}
