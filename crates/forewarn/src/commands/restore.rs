//! `forewarn restore`: a backup becomes the lake and the data folder of a server, which goes on as the one
//! that was backed up. Without a backup a new data folder is made for a lake whose own is lost.
//!
//! What is made from a backup goes on with the same log, at the next offset and under the same id: the tables
//! name this id, so that no record enters them twice. That the server which was backed up may still run does
//! no harm, since each has a lake of its own from here on.
//!
//! A lake that has lost its log gets a new one, under an id of its own, as the lost one may turn up again. It
//! begins with the newest snapshot in the lake. What stood in the lost log alone is lost; what the tables
//! have got since the snapshot stays in them, and the folded state (alerts, last values) does not know of it.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use forewarn_ingest::IntakeState;
use forewarn_lake::{Lake, LakeOptions, ObjectFiles};
use forewarn_log::LogOptions;
use forewarn_state::{IntakeFold, SnapshotStore};
use forewarn_types::{Clock as _, Offset, SeriesTable};
use indicatif::HumanBytes;
use parking_lot::RwLock;
use serde_json::{Value, json};

use crate::backup::{self, Copying, Manifest, Stored};
use crate::clock::SystemClock;
use crate::output::{complain, counted, print, print_json};
use crate::table;

/// Arguments of `forewarn restore`.
#[derive(Debug, clap::Args)]
pub(crate) struct RestoreArgs {
    /// Where the backups are kept: `file:///folder` or `s3://bucket/prefix`. Left out: the lake is there, and
    /// only the data folder is lost.
    #[arg(long)]
    from: Option<String>,
    /// The new server's data folder, which must hold no log.
    #[arg(long, required_unless_present = "list")]
    data_dir: Option<PathBuf>,
    /// The new server's lake: `file:///folder` or `s3://bucket/prefix`. It must be empty, unless there is no
    /// backup to restore.
    #[arg(long, required_unless_present = "list")]
    lake: Option<String>,
    /// The backup to restore; the newest if left out.
    #[arg(long, requires = "from")]
    backup: Option<String>,
    /// List the backups and restore nothing.
    #[arg(long, requires = "from", conflicts_with_all = ["data_dir", "lake", "backup"])]
    list: bool,
    /// Print JSON, for programs.
    #[arg(long)]
    json: bool,
}

const COLUMNS: [(&str, &str); 5] = [
    ("backup", "backup"),
    ("created", "created"),
    ("offset", "offset"),
    ("objects", "objects"),
    ("bytes", "bytes"),
];

/// Restores a backup, or makes a data folder for a lake.
///
/// # Errors
/// A backup that is damaged, or a place that is not empty.
pub(crate) async fn run(args: RestoreArgs) -> Result<ExitCode> {
    match &args.from {
        Some(from) if args.list => {
            let source = ObjectFiles::open(from, SystemClock.now()).await?;
            list(&backup::list(&source).await?, &source, args.json).await
        }
        Some(from) => from_backup(&args, from).await,
        None => from_lake(&args).await,
    }
}

/// The places that the command line names: the data folder, the log's folder in it, which is empty, and the
/// lake.
fn places(args: &RestoreArgs) -> Result<(&PathBuf, PathBuf, &String)> {
    let (Some(data_dir), Some(url)) = (&args.data_dir, &args.lake) else {
        bail!("--data-dir and --lake are missing")
    };
    let log = data_dir.join("log");
    if log.exists()
        && std::fs::read_dir(&log)
            .with_context(|| format!("cannot read the folder {}", log.display()))?
            .next()
            .is_some()
    {
        bail!("{} holds a log already; name another --data-dir, or move that one away", data_dir.display());
    }
    Ok((data_dir, log, url))
}

/// Makes the data folder of a lake that has lost its own.
async fn from_lake(args: &RestoreArgs) -> Result<ExitCode> {
    let (data_dir, log, url) = places(args)?;
    let series = Arc::new(RwLock::new(SeriesTable::new(0)));
    let lake =
        Lake::open(LakeOptions { url: url.clone(), ..LakeOptions::default() }, series, Arc::new(SystemClock))
            .await?;
    let (lost, committed) = lake
        .fed_by()
        .await?
        .with_context(|| format!("{url} has never been fed from a log: start a server on it"))?;
    let snapshots = SnapshotStore::new(lake.store().clone(), &lost, None);
    let newest = snapshots.newest(Ok).await?;
    let (snapshot, _) = newest.with_context(|| {
        format!("there is no snapshot in {} that can be used (see the warnings)", snapshots.place())
    })?;
    // The intake's part of a snapshot may be newer than its offset: it knows of records behind it, and of
    // series that these define.
    let IntakeState { next, series, .. } = IntakeFold::memory_in(&snapshot.parts)?;
    let from = snapshot.offset;
    let id = forewarn_log::new_id();
    SnapshotStore::new(lake.store().clone(), &id, None).save(snapshot, None).await?;
    let lost_records = forewarn_log::stand_in(&series, committed.max(next).0.saturating_sub(from.0))?;
    let end = forewarn_log::import(LogOptions::new(log), &id, from, &lost_records).await?;
    lake.hand_over(&id, end).await?;
    if args.json {
        print_json(&json!({ "snapshot": from, "offset": end, "lost_log": lost }))?;
    } else {
        let told =
            format!("the log goes on at offset {end}, with the state of the snapshot at offset {from}");
        print(&format!("{told}; start the server with data_dir: {} and lake: {url}\n", data_dir.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn from_backup(args: &RestoreArgs, from: &str) -> Result<ExitCode> {
    let source = ObjectFiles::open(from, SystemClock.now()).await?;
    let found = backup::list(&source).await?;
    let chosen = match &args.backup {
        Some(name) => found
            .iter()
            .find(|(found, _)| found == name)
            .with_context(|| format!("there is no backup {name}; --list names all")),
        None => found.last().with_context(|| format!("there is no backup at {from}")),
    };
    let (name, path) = chosen?;
    let manifest = backup::read(path, &source).await?;
    let (data_dir, log, url) = places(args)?;
    let lake = ObjectFiles::open(url, SystemClock.now()).await?;
    if !lake.list("").await?.is_empty() {
        bail!("{url} is not empty; name another --lake, or empty that one");
    }
    restore(&manifest, &source, &lake, LogOptions::new(log), args.json).await.with_context(|| {
        format!("backup {name} was not restored; {url} and {} hold part of it, delete them before the next attempt", data_dir.display())
    })?;
    let (offset, objects, bytes) = (manifest.offset, manifest.lake.len() as u64 + 1, manifest.bytes());
    for table in &manifest.left_out {
        complain(&format!("the table {table} was left out of the backup and is not restored"));
    }
    if args.json {
        print_json(
            &json!({ "backup": name, "offset": offset, "objects": objects, "bytes": bytes, "left_out": manifest.left_out }),
        )?;
    } else {
        let told = format!(
            "backup {name} is restored: all records before offset {offset}, {}",
            counted(objects, "object")
        );
        print(&format!(
            "{told} of {}; start the server with data_dir: {} and lake: {url}\n",
            HumanBytes(bytes),
            data_dir.display()
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(found: &[(String, String)], source: &ObjectFiles, json: bool) -> Result<ExitCode> {
    let mut backups = Vec::new();
    for (name, path) in found {
        backups.push(match backup::read(path, source).await {
            Ok(manifest) => json!({
                "backup": name, "created": manifest.created, "offset": manifest.offset, "objects": manifest.lake.len() + 1,
                "bytes": manifest.bytes(),
            }),
            Err(error) => json!({ "backup": name, "created": format!("{error:#}") }),
        });
    }
    let backups = Value::Array(backups);
    if json {
        print_json(&json!({ "backups": backups }))?;
    } else {
        print(&table::of_objects(&COLUMNS, &backups))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes the lake, then the log: without a log of this id no server starts on the lake, so half of a backup
/// is never taken for a whole.
async fn restore(
    manifest: &Manifest,
    source: &ObjectFiles,
    lake: &ObjectFiles,
    log: LogOptions,
    quiet: bool,
) -> Result<()> {
    let records = records(manifest, source).await?;
    forewarn_lake::found(lake, &manifest.log, manifest.lake_offset).await?;
    let bar = backup::bar(manifest.bytes(), quiet);
    let copies = manifest
        .lake
        .iter()
        .map(|stored| Copying { from: stored.at.clone(), to: stored.path.clone() })
        .collect();
    let copied = backup::copy(copies, source, lake, &bar).await?;
    let mut copied: Vec<Stored> = copied
        .into_iter()
        .map(|(copy, bytes, crc32)| Stored { path: copy.to, at: copy.from, bytes, crc32 })
        .collect();
    copied.sort_by(|a, b| a.path.cmp(&b.path));
    bar.finish_and_clear();
    if let Some((stored, _)) = manifest.lake.iter().zip(&copied).find(|(stored, copied)| stored != copied) {
        return Err(damaged(stored));
    }
    let end: Offset = forewarn_log::import(log, &manifest.log, manifest.records_from, &records).await?;
    if end != manifest.offset {
        bail!("the backup's records end at offset {end}, and it says that it goes to {}", manifest.offset);
    }
    Ok(())
}

/// The records of the log, checked.
async fn records(manifest: &Manifest, source: &ObjectFiles) -> Result<Vec<u8>> {
    let stored = &manifest.records;
    let records =
        source.get(&stored.at).await?.with_context(|| format!("{} is missing in the backup", stored.at))?;
    if records.len() as u64 != stored.bytes || crc32fast::hash(&records) != stored.crc32 {
        return Err(damaged(stored));
    }
    Ok(records.into())
}

fn damaged(stored: &Stored) -> anyhow::Error {
    anyhow::anyhow!(
        "{} is damaged in the backup: its checksum is not that of the manifest; use another backup (--list names them)",
        stored.at
    )
}
