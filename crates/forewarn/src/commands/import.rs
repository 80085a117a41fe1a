//! `forewarn import`: histories from CSV files, tables and Parquet, sent to a running server.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use forewarn_ingest::RawBatch;
use forewarn_ingest::import::{self, Format, ImportMapping, Importer, Lives, TimeUnit};
use forewarn_types::{LifeEvent, Timestamp};
use indicatif::{HumanCount, HumanDuration, ProgressBar, ProgressStyle};
use reqwest::Method;
use serde_json::{Value, json};

use super::{print, print_json};
use crate::check::complain;
use crate::client::{Client, ServerArgs};

/// Rows of a file that are read at a time; wide files are sent in smaller pieces.
const ROWS: usize = 2_000;
/// Refused lines that are shown.
const MOST_SHOWN: usize = 20;

/// Arguments of `forewarn import`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  forewarn import temperature.csv --asset plant1/oven --time timestamp --signal value=temperature
  forewarn import train_FD001.txt --columns unit,cycle,setting1..3,s1..s21 --asset engines/unit{unit} \\
      --time cycle --time-start 2024-01-01T00:00:00Z --time-step 1h --lives failed")]
pub(crate) struct ImportArgs {
    /// The files.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Template of the asset path, with names of columns in braces: `plant1/unit{unit}`.
    #[arg(long)]
    asset: String,
    /// The column that holds the time: RFC 3339, `YYYY-MM-DD HH:MM:SS`, a number, or a cycle.
    #[arg(long)]
    time: String,
    /// How the files are built; left out: seen from the name and the first line.
    #[arg(long)]
    format: Option<FileFormat>,
    /// The delimiter of CSV; left out: the commonest of comma, semicolon and tab.
    #[arg(long)]
    delimiter: Option<char>,
    /// Names of the columns of files without a header, such as `unit,cycle,setting1..3,s1..s21`.
    #[arg(long)]
    columns: Vec<String>,
    /// A column that is a signal, `column` or `column=signal`; may be given often. Left out: all numeric columns.
    #[arg(long = "signal", value_name = "COLUMN[=SIGNAL]")]
    signals: Vec<String>,
    /// For files with one reading a row: the column that names the signal.
    #[arg(long, requires = "value_column")]
    signal_column: Option<String>,
    /// For files with one reading a row: the column that holds the value.
    #[arg(long, requires = "signal_column")]
    value_column: Option<String>,
    /// The zone of times that name none, such as `Europe/Oslo`; left out: UTC.
    #[arg(long)]
    timezone: Option<String>,
    /// The unit of a time column that holds numbers.
    #[arg(long)]
    time_unit: Option<Unit>,
    /// The time of cycle 0, where the time column counts cycles.
    #[arg(long, value_parser = parse_time)]
    time_start: Option<Timestamp>,
    /// The time from a cycle to the next, such as `1h`.
    #[arg(long)]
    time_step: Option<String>,
    /// The column that holds good, uncertain or bad.
    #[arg(long)]
    quality_column: Option<String>,
    /// Whether the rows of an asset are one life of it, and how that ends.
    #[arg(long)]
    lives: Option<LifeEnd>,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum FileFormat {
    Csv,
    Table,
    Parquet,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Unit {
    S,
    Ms,
    Us,
    Ns,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LifeEnd {
    /// The machine failed at the last row.
    Failed,
    /// The machine still runs.
    Running,
}

fn parse_time(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text).map_err(|error| error.to_string())
}

impl ImportArgs {
    fn mapping(&self) -> ImportMapping {
        ImportMapping {
            format: self.format.map(|format| match format {
                FileFormat::Csv => Format::Csv,
                FileFormat::Table => Format::Table,
                FileFormat::Parquet => Format::Parquet,
            }),
            delimiter: self.delimiter,
            columns: self.columns.clone(),
            asset: self.asset.clone(),
            signals: self.signals.clone(),
            signal: self.signal_column.clone(),
            value: self.value_column.clone(),
            time: self.time.clone(),
            timezone: self.timezone.clone(),
            time_unit: self.time_unit.map(|unit| match unit {
                Unit::S => TimeUnit::S,
                Unit::Ms => TimeUnit::Ms,
                Unit::Us => TimeUnit::Us,
                Unit::Ns => TimeUnit::Ns,
            }),
            time_start: self.time_start,
            time_step: self.time_step.clone(),
            quality: self.quality_column.clone(),
            lives: match self.lives {
                None => Lives::None,
                Some(LifeEnd::Failed) => Lives::Failed,
                Some(LifeEnd::Running) => Lives::Running,
            },
        }
    }
}

/// What has been done so far.
#[derive(Debug, Default)]
struct Done {
    accepted: u64,
    duplicate: u64,
    late: u64,
    refused: u64,
    empty: u64,
    life_events: usize,
    shown: usize,
}

/// Imports the files, one after another. The exit code is 1 if a line was refused.
///
/// # Errors
/// A file that cannot be read, a mapping that does not fit, no server, or its refusal.
pub(crate) async fn run(args: ImportArgs) -> Result<ExitCode> {
    let client = Client::new(&args.server)?;
    let mapping = args.mapping();
    // Every mapping is fitted before the first reading is sent, so that a wrong name in it leaves nothing half done.
    let importers =
        args.files.iter().map(|path| Ok((path.display().to_string(), import::open(path, &mapping)?))).collect::<Result<Vec<_>>>()?;
    let mut done = Done::default();
    let bar = bar(importers.iter().map(|(_, importer)| importer.bytes_total()).sum(), args.server.json);
    let mut before = 0;
    for (file, mut importer) in importers {
        bar.set_message(file.clone());
        import(&client, &file, &mut importer, &bar, before, &mut done).await.with_context(|| format!("importing {file}"))?;
        before += importer.bytes_total();
    }
    bar.finish_and_clear();
    let summary = json!({
        "files": args.files.len(), "accepted": done.accepted, "duplicate": done.duplicate, "late": done.late, "refused": done.refused,
        "empty_cells": done.empty, "life_events": done.life_events,
    });
    if args.server.json {
        print_json(&summary)?;
    } else {
        print(&told(&done, args.files.len(), &HumanDuration(bar.elapsed()).to_string()))?;
    }
    Ok(if done.refused == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn told(done: &Done, files: usize, took: &str) -> String {
    let mut text = format!("{} readings stored from {files} file(s) in {took}", HumanCount(done.accepted));
    for (count, what) in
        [(done.duplicate, "had been stored before"), (done.late, "came late"), (done.refused, "lines refused"), (done.empty, "cells empty")]
    {
        if count > 0 {
            let _ = write!(text, "; {} {what}", HumanCount(count));
        }
    }
    if done.life_events > 0 {
        let _ = write!(text, "; {} life events recorded", done.life_events);
    }
    text.push('\n');
    text
}

fn bar(bytes: u64, quiet: bool) -> ProgressBar {
    if quiet {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(bytes);
    let style = ProgressStyle::with_template("{msg} [{bar:40}] {bytes}/{total_bytes} {bytes_per_sec}, {eta} left");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "));
    bar
}

async fn import(client: &Client, file: &str, importer: &mut Importer, bar: &ProgressBar, before: u64, done: &mut Done) -> Result<()> {
    while let Some(batch) = tokio::task::block_in_place(|| importer.next_batch(ROWS))? {
        for error in &batch.errors {
            done.shown += 1;
            show(bar, done.shown, file, error.line, &error.reason);
        }
        done.refused += batch.rejected;
        if !batch.is_empty() {
            send(client, file, &batch, bar, done).await?;
        }
        bar.set_position(before + importer.bytes_read());
    }
    done.empty += importer.skipped_cells();
    for event in importer.life_events() {
        record(client, &event, bar).await?;
        done.life_events += 1;
    }
    Ok(())
}

async fn send(client: &Client, file: &str, batch: &RawBatch, bar: &ProgressBar, done: &mut Done) -> Result<()> {
    let mut body = Vec::new();
    batch.write_ndjson(&mut body);
    let request = client.request(Method::POST, &["v1", "readings"])?.header("content-type", "application/x-ndjson").body(body);
    let answer = client.send_patiently(request, |why| bar.suspend(|| complain(why))).await?;
    let count = |key: &str| answer[key].as_u64().unwrap_or_default();
    done.accepted += count("accepted");
    done.duplicate += count("duplicate");
    done.late += count("late");
    done.refused += count("rejected_total");
    for refused in answer["rejected"].as_array().into_iter().flatten() {
        // The server counts the lines of the request; the user knows those of the file.
        let sent = refused["line"].as_u64().and_then(|line| usize::try_from(line).ok()).unwrap_or_default();
        let line = sent.checked_sub(1).and_then(|row| batch.line.get(row)).copied().unwrap_or_default();
        done.shown += 1;
        show(bar, done.shown, file, line as usize, refused["reason"].as_str().unwrap_or("no reason given"));
    }
    Ok(())
}

fn show(bar: &ProgressBar, number: usize, file: &str, line: usize, reason: &str) {
    match number {
        ..=MOST_SHOWN => bar.suspend(|| complain(&format!("{file}:{line}: {reason}"))),
        n if n == MOST_SHOWN + 1 => bar.suspend(|| complain("further refused lines are only counted")),
        _ => {}
    }
}

async fn record(client: &Client, event: &LifeEvent, bar: &ProgressBar) -> Result<()> {
    let body: Value = json!({ "event": event.event.as_str(), "time": event.time.to_string(), "actor": "import" });
    let request = client.request(Method::POST, &["v1", "assets", event.asset.as_ref(), "life-events"])?.json(&body);
    client.send_patiently(request, |why| bar.suspend(|| complain(why))).await.map(drop)
}
