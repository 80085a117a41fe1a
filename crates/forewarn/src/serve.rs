//! `forewarn serve`: the server on the machine's clock, until it is told to stop.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::signal::unix::{SignalKind, signal};

use crate::clock::SystemClock;
use crate::server::{Server, Ticks};

const TICK_EVERY: Duration = Duration::from_secs(1);

/// Serves with the settings at `config` until SIGINT or SIGTERM.
///
/// # Errors
/// What kept the server from starting, or made it end.
pub(crate) async fn run(config: &Path) -> Result<ExitCode> {
    let tree = match crate::config::read_to_serve(config)? {
        Ok(tree) => tree,
        Err(diagnostics) => return Ok(crate::output::report(&diagnostics)),
    };
    crate::crash::heed_environment()?;
    let mut server = Server::start(tree, Arc::new(SystemClock), Ticks::Every(TICK_EVERY)).await?;
    writeln!(std::io::stdout(), "Forewarn listens on http://{}", server.address)?;
    if let Some(code) = &server.first_code {
        let how = "There is no administrator yet. Make the first one with the code";
        writeln!(std::io::stdout(), "{how} {code}:\n  forewarn user add --first NAME")?;
    }
    let failure = tokio::select! {
        stopped = stop_signal() => { stopped?; None }
        error = server.failed() => Some(error),
    };
    let stopped = server.stop().await;
    match failure {
        Some(error) => Err(error),
        None => stopped.map(|()| ExitCode::SUCCESS),
    }
}

/// Resolves at the first SIGINT or SIGTERM.
///
/// # Errors
/// If the signals cannot be caught.
pub(crate) async fn stop_signal() -> Result<()> {
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot catch SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot catch SIGTERM")?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}
