//! The binary: command line, configuration, wiring, shutdown.

mod backup;
mod check;
mod client;
mod clock;
mod commands;
mod config;
mod crash;
mod demo;
mod jobs;
mod metrics;
mod output;
mod private;
mod serve;
mod server;
mod table;

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use crate::client::Refused;
use crate::commands::{
    alert, apply, import, job, log, model, notify, restore, rule, silence, sql, token, user,
};
use crate::output::ReaderGone;

/// What still works in the background when a command is done gets this long.
const GRACE: Duration = Duration::from_secs(1);

/// Watches machines: alerts in real time, predictions from history.
///
/// Exit codes: 0 done; 1 there were mistakes in what was given, or the server refused; 2 it could not be
/// done.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a simulated plant with everything embedded, and watch it.
    Demo(demo::DemoArgs),
    /// Run the server until SIGINT or SIGTERM.
    Serve {
        /// The server's settings.
        #[arg(long, default_value = "forewarn.yaml")]
        config: PathBuf,
    },
    /// Say all mistakes of a server configuration and of the definitions it points to. Exit code 1 if there
    /// are any.
    Check {
        /// The server's settings.
        #[arg(long, default_value = "forewarn.yaml")]
        config: PathBuf,
        /// A server that runs: also say what its open alerts would do under these definitions.
        #[arg(long)]
        server: Option<String>,
    },
    /// Put definitions in force on a running server: all of them, or none if there are mistakes.
    Apply(apply::ApplyArgs),
    /// Send histories from CSV files, tables or Parquet to a running server.
    Import(Box<import::ImportArgs>),
    /// Ask a running server a query over all history.
    Sql(sql::SqlArgs),
    /// Look at rules: on which assets they watch, how they stand there, and why.
    Rule(rule::RuleArgs),
    /// Look at jobs and their runs, and start them.
    Job(job::JobArgs),
    /// Look at models and their predictions, train them, put versions in force.
    Model(model::ModelArgs),
    /// Look at alerts, act on them, watch them come.
    Alert(alert::AlertArgs),
    /// See whether contacts can be reached, what was sent, and why an alert was sent or not.
    Notify(notify::NotifyArgs),
    /// Look at silences and maintenance windows, set them, take them back.
    Silence(Box<silence::SilenceArgs>),
    /// Say who may log in, and what they may do.
    User(user::UserArgs),
    /// Make and revoke the tokens by which programs show who they are.
    Token(token::TokenArgs),
    /// Look into the files of a log and check them, with or without a server that runs.
    Log(log::LogArgs),
    /// Copy everything a running server knows, as of one moment, to another object store. Ingestion goes on
    /// meanwhile.
    Backup(commands::backup::BackupArgs),
    /// Make the lake and the data folder of a new server from a backup.
    Restore(restore::RestoreArgs),
}

/// What the server tells of itself; the table format's library tells every step of every commit.
const SERVER_LOG: &str = "info,delta_kernel=warn,delta_kernel_default_engine=warn";
const COMMAND_LOG: &str = "warn";

fn main() -> ExitCode {
    run(Cli::parse().command).unwrap_or_else(|error| {
        if error.is::<ReaderGone>() {
            return ExitCode::SUCCESS;
        }
        output::complain(&format!("{error:#}"));
        ExitCode::from(if error.is::<Refused>() { 1 } else { 2 })
    })
}

fn run(command: Command) -> Result<ExitCode> {
    // Whoever talks TLS takes the process-wide provider; a second installation is refused and changes
    // nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    log_to_stderr(if matches!(command, Command::Serve { .. }) { SERVER_LOG } else { COMMAND_LOG });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let code = runtime.block_on(async {
        match command {
            Command::Demo(args) => demo::run(args).await,
            Command::Serve { config } => serve::run(&config).await,
            Command::Check { config, server } => check::run(&config, server.as_deref()).await,
            Command::Apply(args) => apply::run(args).await,
            Command::Import(args) => import::run(*args).await,
            Command::Sql(args) => sql::run(args).await,
            Command::Rule(args) => rule::run(args).await,
            Command::Job(args) => job::run(args).await,
            Command::Model(args) => model::run(args).await,
            Command::Alert(args) => alert::run(args).await,
            Command::Notify(args) => notify::run(args).await,
            Command::Silence(args) => silence::run(*args).await,
            Command::User(args) => user::run(args).await,
            Command::Token(args) => token::run(args).await,
            Command::Log(args) => log::run(args),
            Command::Backup(args) => commands::backup::run(args).await,
            Command::Restore(args) => restore::run(args).await,
        }
    });
    runtime.shutdown_timeout(GRACE);
    code
}

/// Sends the log to standard error, at the level of `RUST_LOG` or else of `default`.
fn log_to_stderr(default: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let color = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(color).init();
}
