//! `forewarn import`: histories from CSV files, tables and Parquet, sent to a running server.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use clap::ValueEnum;
use forewarn_import::{Format, ImportMapping, Importer, Lives, TimeUnit};
use forewarn_ingest::RawBatch;
use forewarn_types::{AssetPath, LifeEvent, LifeEventKind, Timestamp};
use indicatif::{HumanCount, HumanDuration, ProgressBar, ProgressStyle};
use reqwest::Method;
use serde_json::{Value, json};

use super::parse_time;
use crate::client::{Client, Refused, ServerArgs};
use crate::output::{complain, counted, print, print_json};

/// Rows of a file that are read at a time; wide files are sent in smaller pieces.
const ROWS: usize = 2_000;
/// Refused lines that are shown.
const MOST_SHOWN: usize = 20;

/// Arguments of `forewarn import`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  forewarn import temperature.csv \\
      --asset plant1/oven --time timestamp --signal value=temperature
  forewarn import train_FD001.txt --columns unit,cycle,setting1..3,s1..s21 \\
      --asset 'engines/unit{unit}' --lives failed \\
      --time cycle --time-start 2024-01-01T00:00:00Z --time-step 1h
  forewarn import logger.csv.gz --asset plant1/oven --delimiter ';' \\
      --decimal , --time-columns date clock --timezone Europe/Oslo

All of a file is looked at first. How it is read where no option says so, and
which columns are left out, is told on standard error.
Lines that cannot be used are named on standard error and lose none of the
others; the exit code is then 1, as it is if a column is left out that holds
numbers. A file that is imported again stores nothing twice.")]
pub(crate) struct ImportArgs {
    /// The files.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Template of the asset path, with names of columns in braces: `plant1/unit{unit}`.
    #[arg(long)]
    asset: String,
    /// The column that holds the time: RFC 3339, `YYYY-MM-DD HH:MM:SS` and the like, a number, or a cycle.
    #[arg(long, required_unless_present = "time_columns")]
    time: Option<String>,
    /// Two columns that hold the time together, such as a date and a clock.
    #[arg(long, num_args = 2, value_names = ["DATE", "CLOCK"], conflicts_with = "time")]
    time_columns: Vec<String>,
    /// How times are written, such as `%d/%m/%Y %H:%M:%S`.
    #[arg(long)]
    time_format: Option<String>,
    /// How the files are built; left out: seen from the name and the first line.
    #[arg(long)]
    format: Option<FileFormat>,
    /// The delimiter of CSV; left out: the commonest of comma, semicolon, tab and bar.
    #[arg(long)]
    delimiter: Option<char>,
    /// What stands before the fraction of a number, `.` or `,`; left out: seen from the numbers.
    #[arg(long, value_parser = ["." , ","])]
    decimal: Option<String>,
    /// Lines at the beginning that are no rows; left out: those with fewer cells than all that follow.
    #[arg(long)]
    skip: Option<u64>,
    /// Lines that begin with this are no rows; left out: `#`, if the file begins with such a line.
    #[arg(long)]
    comment: Option<String>,
    /// Names of the columns of files without a header, such as `unit,cycle,setting1..3,s1..s21`.
    #[arg(long)]
    columns: Vec<String>,
    /// A column that is a signal, `column` or `column=signal`; may be given often. Left out: all numeric
    /// columns.
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
    /// The unit of a time column that holds numbers; left out: the one in which they are times of this
    /// century.
    #[arg(long)]
    time_unit: Option<Unit>,
    /// The time of cycle 0, where the time column counts cycles.
    #[arg(long, value_parser = parse_time)]
    time_start: Option<Timestamp>,
    /// The time from a cycle to the next, such as `1h`.
    #[arg(long)]
    time_step: Option<String>,
    /// The earliest time that readings may have; left out: what the server's settings say, which is 2000 by
    /// default.
    #[arg(long, value_parser = parse_day)]
    min_time: Option<Timestamp>,
    /// The column that holds good, uncertain or bad.
    #[arg(long)]
    quality_column: Option<String>,
    /// Whether the rows of an asset, in all files together, are one life of it, and how that ends.
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
    /// Days since 1899-12-30, as spreadsheets count them.
    Excel,
}

/// Reads a day, or a time in RFC 3339.
fn parse_day(text: &str) -> Result<Timestamp, String> {
    let day = text.len() == 10;
    parse_time(&if day { format!("{text}T00:00:00Z") } else { text.to_owned() })
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LifeEnd {
    /// The machine failed at the last row.
    Failed,
    /// The machine still runs.
    Running,
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
            decimal: self.decimal.as_ref().and_then(|sign| sign.chars().next()),
            skip: self.skip,
            comment: self.comment.clone(),
            columns: self.columns.clone(),
            asset: self.asset.clone(),
            signals: self.signals.clone(),
            signal: self.signal_column.clone(),
            value: self.value_column.clone(),
            time: self.time.clone().unwrap_or_default(),
            time_columns: self.time_columns.clone(),
            time_format: self.time_format.clone(),
            timezone: self.timezone.clone(),
            time_unit: self.time_unit.map(|unit| match unit {
                Unit::S => TimeUnit::S,
                Unit::Ms => TimeUnit::Ms,
                Unit::Us => TimeUnit::Us,
                Unit::Ns => TimeUnit::Ns,
                Unit::Excel => TimeUnit::Excel,
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
    life_events: u64,
    left_out: u64,
    shown: usize,
}

/// The events of each asset's life.
type AssetLives = BTreeMap<AssetPath, Vec<LifeEvent>>;

/// Takes in what one file shows: a life begins with the first row in any file and ends with the last.
fn merge(lives: &mut AssetLives, events: Vec<LifeEvent>) {
    for event in events {
        let known = lives.entry(event.asset.clone()).or_default();
        match known.iter_mut().find(|known| known.event == event.event) {
            Some(known) if event.event == LifeEventKind::Installed => known.time = known.time.min(event.time),
            Some(known) => known.time = known.time.max(event.time),
            None => known.push(event),
        }
    }
}

/// Imports the files, one after another. The exit code is 1 if a line was refused.
///
/// # Errors
/// A file that cannot be read, a mapping that does not fit, no server, or its refusal.
pub(crate) async fn run(args: ImportArgs) -> Result<ExitCode> {
    let client = Client::new(&args.server)?;
    let mapping = args.mapping();
    // Every mapping is fitted before the first reading is sent, so that a wrong name in it leaves nothing
    // half done.
    let open = |path: &PathBuf| match forewarn_import::open(path, &mapping) {
        Ok(importer) => Ok((path.display().to_string(), importer)),
        Err(error) => Err(anyhow!(as_options(&error.to_string()))),
    };
    let importers = args.files.iter().map(open).collect::<Result<Vec<_>>>()?;
    let mut done = Done::default();
    let mut notes = Vec::new();
    for (file, importer) in &importers {
        notes.extend(importer.notes().iter().map(|note| format!("{file}: {note}")));
        done.left_out += importer.numbers_left_out();
    }
    if !args.server.json {
        for note in &notes {
            complain(note);
        }
    }
    let bar = bar(importers.iter().map(|(_, importer)| importer.bytes_total()).sum(), args.server.json);
    let (mut before, mut lives) = (0, AssetLives::new());
    for (file, mut importer) in importers {
        bar.set_message(file.clone());
        import(&client, &file, &mut importer, &bar, (before, args.min_time), &mut done)
            .await
            .with_context(|| format!("importing {file}"))?;
        before += importer.bytes_total();
        merge(&mut lives, importer.life_events());
    }
    for life in lives.values() {
        done.life_events += record(&client, life, &bar).await?;
    }
    bar.finish_and_clear();
    let summary = json!({
        "files": args.files.len(), "accepted": done.accepted, "duplicate": done.duplicate, "late": done.late, "refused": done.refused,
        "empty_cells": done.empty, "life_events": done.life_events, "left_out": done.left_out, "notes": notes,
    });
    if args.server.json {
        print_json(&summary)?;
    } else {
        print(&told(&done, args.files.len(), bar.elapsed()))?;
    }
    Ok(if done.refused + done.left_out == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn told(done: &Done, files: usize, took: Duration) -> String {
    let took = if took < Duration::from_mins(1) {
        format!("{:.1} s", took.as_secs_f64())
    } else {
        HumanDuration(took).to_string()
    };
    let mut text = format!(
        "{} stored from {} in {took}",
        counted(done.accepted, "reading"),
        counted(files as u64, "file")
    );
    let parts = [
        (done.duplicate, format!("{} had been stored before", HumanCount(done.duplicate))),
        (done.late, format!("{} came late", HumanCount(done.late))),
        (done.refused, format!("{} refused", counted(done.refused, "line"))),
        (done.empty, format!("{} without a value", counted(done.empty, "cell"))),
        (done.left_out, format!("{} in columns that are left out", counted(done.left_out, "number"))),
        (done.life_events, format!("{} recorded", counted(done.life_events, "life event"))),
    ];
    for (_, part) in parts.iter().filter(|(count, _)| *count > 0) {
        text.extend(["; ", part.as_str()]);
    }
    text.push('\n');
    text
}

/// The importer speaks of the parts of a mapping; on the command line these are options.
fn as_options(text: &str) -> String {
    let options = [
        ("give columns for", "give --columns for"),
        ("set signals to", "set --signal to"),
        ("with signals: column=signal", "with --signal column=signal"),
        ("set time to", "set --time to"),
        ("set asset to", "set --asset to"),
        ("time_start", "--time-start"),
        ("time_step", "--time-step"),
        ("time_unit", "--time-unit"),
        ("time_format", "--time-format"),
        ("say decimal ,", "say --decimal ,"),
        (
            "name all with columns, and pass over the header with skip",
            "name all with --columns, and pass over the header with --skip",
        ),
        ("limits.min_time =", "limits.min_time (or --min-time) ="),
    ];
    options.iter().fold(text.to_owned(), |text, (part, option)| text.replace(part, option))
}

fn bar(bytes: u64, quiet: bool) -> ProgressBar {
    if quiet {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(bytes);
    let style =
        ProgressStyle::with_template("{msg} [{bar:40}] {bytes}/{total_bytes} {bytes_per_sec}, {eta} left");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "));
    bar
}

async fn import(
    client: &Client,
    file: &str,
    importer: &mut Importer,
    bar: &ProgressBar,
    (before, min_time): (u64, Option<Timestamp>),
    done: &mut Done,
) -> Result<()> {
    while let Some(batch) = tokio::task::block_in_place(|| importer.next_batch(ROWS))? {
        for error in &batch.errors {
            done.shown += 1;
            show(bar, done.shown, file, error.line, &as_options(&error.reason));
        }
        done.refused += batch.rejected;
        if !batch.is_empty() {
            send(client, file, &batch, (bar, min_time), done).await?;
        }
        bar.set_position(before + importer.bytes_read());
    }
    done.empty += importer.skipped_cells();
    Ok(())
}

async fn send(
    client: &Client,
    file: &str,
    batch: &RawBatch,
    (bar, min_time): (&ProgressBar, Option<Timestamp>),
    done: &mut Done,
) -> Result<()> {
    let mut body = Vec::new();
    batch.write_ndjson(&mut body);
    let request = client
        .request(Method::POST, &["v1", "readings"])?
        .query(&[("history", "true")])
        .query(&min_time.map(|time| [("min_time", time.to_string())]))
        .header("content-type", "application/x-ndjson")
        .body(body);
    let answer = match client.send_patiently(request, |why| bar.suspend(|| complain(why))).await {
        // Every line was refused: the answer is the same as where some are.
        Err(error) => match error.downcast_ref::<Refused>() {
            Some(refused) if refused.answer["rejected_total"].is_u64() => refused.answer.clone(),
            _ => return Err(error),
        },
        Ok(answer) => answer,
    };
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
        let reason = as_options(refused["reason"].as_str().unwrap_or("no reason given"));
        show(bar, done.shown, file, line as usize, &reason);
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

/// Records the events of one asset's lives, except those on record already: an import that is repeated adds
/// no second life. Gives the count of those recorded.
async fn record(client: &Client, events: &[LifeEvent], bar: &ProgressBar) -> Result<u64> {
    let Some(asset) = events.first().map(|event| event.asset.clone()) else { return Ok(0) };
    let path = ["v1", "assets", asset.as_ref(), "life-events"];
    // An asset of which every reading was refused is not known yet.
    let wait = |why: &str| bar.suspend(|| complain(why));
    let known = match client.send_patiently(client.request(Method::GET, &path)?, wait).await {
        Err(error) if error.is::<Refused>() => Value::Null,
        known => known?["life_events"].take(),
    };
    let mut recorded = 0;
    for event in events {
        let (kind, time) = (event.event.as_str(), event.time.to_string());
        if known
            .as_array()
            .into_iter()
            .flatten()
            .any(|known| known["event"] == kind && known["time"] == time.as_str())
        {
            continue;
        }
        let mut event = json!({ "event": kind, "time": time, "new_asset": true });
        // A server that knows who asks takes no other name.
        if !client.is_named() {
            event["actor"] = "import".into();
        }
        let request = client.request(Method::POST, &path)?.json(&event);
        client.send_patiently(request, wait).await?;
        recorded += 1;
    }
    Ok(recorded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_tells_what_there_is_to_tell() {
        let check = |done: Done, files, seconds, expected: &str| {
            assert_eq!(told(&done, files, Duration::from_millis(seconds)), expected);
        };
        check(Done { accepted: 1, ..Done::default() }, 1, 140, "1 reading stored from 1 file in 0.1 s\n");
        let done = Done {
            accepted: 22_695,
            duplicate: 1_000,
            late: 12,
            refused: 1,
            empty: 2,
            life_events: 200,
            left_out: 3,
            shown: 1,
        };
        let expected = "22,695 readings stored from 3 files in 2 minutes; 1,000 had been stored before; 12 came late; 1 line refused; \
                        2 cells without a value; 3 numbers in columns that are left out; 200 life events recorded\n";
        check(done, 3, 120_000, expected);
    }

    #[test]
    fn messages_about_the_mapping_name_its_options() {
        let told = as_options("is the number 5; give time_unit, or time_start and time_step for cycles");
        assert_eq!(told, "is the number 5; give --time-unit, or --time-start and --time-step for cycles");
    }
}
