//! `forewarn backup`: a copy of everything a running server knows, as of one offset.
//!
//! The server holds its state still and says what it consists of; this command copies it from the lake's
//! store to that of the backups.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use forewarn_lake::ObjectFiles;
use forewarn_types::{Clock as _, Offset};
use indicatif::{HumanBytes, ProgressBar};
use reqwest::{Method, Response};
use serde::Deserialize;
use serde_json::json;

use crate::backup::{self, BACKUPS, Copying, FILES, FORM, Manifest, Stored};
use crate::client::{Client, ServerArgs};
use crate::clock::SystemClock;
use crate::output::{complain, counted, print, print_json, report};

/// Arguments of `forewarn backup`.
#[derive(Debug, clap::Args)]
pub(crate) struct BackupArgs {
    /// Where backups are kept: `file:///folder` or `s3://bucket/prefix`. Those of one server stand beside one
    /// another and share files.
    #[arg(long)]
    to: String,
    /// The server's settings, which say where its lake is.
    #[arg(long, default_value = "forewarn.yaml")]
    config: PathBuf,
    #[command(flatten)]
    server: ServerArgs,
}

/// What the server holds.
#[derive(Debug, Deserialize)]
struct Point {
    log: String,
    offset: Offset,
    lake_offset: Offset,
    snapshot: Snapshot,
    records: Records,
    tables: Vec<Table>,
    /// A server of an earlier version does not say.
    #[serde(default)]
    left_out: Vec<LeftOut>,
}

#[derive(Debug, Deserialize)]
struct Snapshot {
    path: String,
}

#[derive(Debug, Deserialize)]
struct Records {
    from: Offset,
    path: String,
}

#[derive(Debug, Deserialize)]
struct Table {
    name: String,
    files: Vec<String>,
    log_entries: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct LeftOut {
    name: String,
    reason: String,
}

/// What was copied.
struct Done {
    manifest: Manifest,
    /// Bytes that were copied; the rest was there from an earlier backup.
    copied: u64,
}

/// Makes a backup. The exit code is 1 if it is there and a table is missing in it.
///
/// # Errors
/// No server, or stores that cannot be read or written. There is no backup then.
pub(crate) async fn run(args: BackupArgs) -> Result<ExitCode> {
    let settings = match crate::config::read_settings(&args.config)? {
        Ok(settings) => settings,
        Err(mistakes) => return Ok(report(&mistakes)),
    };
    let target = ObjectFiles::open(&args.to, SystemClock.now()).await?;
    let former = former(&target).await?;
    let source = ObjectFiles::open(&settings.lake, SystemClock.now()).await?;
    let created = SystemClock.now();
    let client = Client::new(&args.server)?;
    let mut answer = client.send(client.request(Method::POST, &["v1", "backups"])?).await?;
    let point = first_line(&mut answer).await?;
    if let Some(former) = former.as_ref().filter(|former| former.log != point.log) {
        let (log, other) = (&point.log, &former.log);
        bail!(
            "{} has backups of another log ({other}), and this server's is {log}; give each server a place of its own",
            args.to
        );
    }
    let name = format!("{:020}-{}", point.offset.0, created.to_utc().format("%Y%m%dT%H%M%S%.6fZ"));
    let backup =
        Backup { source: &source, target: &target, point: &point, name: &name, quiet: args.server.json };
    let done = tokio::select! {
        done = backup.make(former.as_ref(), created.to_string()) => done?,
        error = let_go(&mut answer) => return Err(error),
    };
    tell(&args, &name, &done)?;
    for LeftOut { name, reason } in &point.left_out {
        complain(&format!(
            "the table {name} is not in the backup, since the server does not know it: {reason}"
        ));
    }
    Ok(if point.left_out.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn tell(args: &BackupArgs, name: &str, done: &Done) -> Result<()> {
    let (offset, objects, bytes) =
        (done.manifest.offset, done.manifest.lake.len() as u64 + 1, done.manifest.bytes());
    if args.server.json {
        return print_json(&json!({
            "backup": name, "to": args.to, "offset": offset, "objects": objects, "bytes": bytes, "bytes_copied": done.copied,
            "left_out": done.manifest.left_out,
        }));
    }
    let (copied, bytes) = (HumanBytes(done.copied), HumanBytes(bytes));
    print(&format!(
        "backup {name}: all records before offset {offset}, {} of {bytes}, {copied} of them new\n",
        counted(objects, "object")
    ))
}

/// The newest backup of those in `target` that can be read.
async fn former(target: &ObjectFiles) -> Result<Option<Manifest>> {
    let found = backup::list(target).await?;
    if found.is_empty() && !target.list("_forewarn").await?.is_empty() {
        bail!("the place for the backups is a lake; name another one with --to");
    }
    for (name, path) in found.iter().rev() {
        match backup::read(path, target).await {
            Ok(manifest) => return Ok(Some(manifest)),
            // It would only have spared some copying.
            Err(error) => {
                let error = format!("{error:#}");
                tracing::warn!(
                    name,
                    error,
                    "an earlier backup cannot be used; what it has copied is copied again"
                );
            }
        }
    }
    Ok(None)
}

async fn first_line(answer: &mut Response) -> Result<Point> {
    let mut line = Vec::new();
    while !line.ends_with(b"\n") {
        let part = answer.chunk().await.context("the server's answer was cut off")?;
        line.extend(part.context("the server's answer was cut off")?);
    }
    serde_json::from_slice(&line).context("the server's answer is not that of a server of this version")
}

/// Resolves when the server no longer holds the state.
async fn let_go(answer: &mut Response) -> anyhow::Error {
    while let Ok(Some(_)) = answer.chunk().await {}
    anyhow::anyhow!(
        "the server has ended, and what has been copied is no backup; make it again when the server runs"
    )
}

/// A backup that is being made.
struct Backup<'a> {
    source: &'a ObjectFiles,
    target: &'a ObjectFiles,
    point: &'a Point,
    name: &'a str,
    quiet: bool,
}

impl Backup<'_> {
    async fn make(&self, former: Option<&Manifest>, created: String) -> Result<Done> {
        let point = self.point;
        let records =
            Copying { from: point.records.path.clone(), to: format!("{BACKUPS}/{}/records", self.name) };
        // The server deletes old snapshots soon, and it overwrites the names of the models in force: these
        // come first.
        let hidden = backup::bar(0, true);
        let elsewhere = "is the lake of the settings that of the server? --config names other settings, --server another server";
        let mut lake = self.copy(vec![self.own(&point.snapshot.path)], &hidden).await.context(elsewhere)?;
        let mut urgent = Vec::new();
        urgent.extend(
            self.others()
                .await?
                .iter()
                .filter(|path| path.ends_with("/current.json"))
                .map(|path| self.own(path)),
        );
        let (mut files, present) = self.files(former).await?;
        files.extend(point.tables.iter().flat_map(|table| &table.log_entries).map(|path| self.own(path)));
        let sizes = self.sizes().await?;
        let known = |copying: &Copying| sizes.get(&copying.from).copied().unwrap_or(0);
        let bar = backup::bar(files.iter().map(known).sum(), self.quiet);

        let records = self.copy(vec![records], &bar).await?.pop().context("no records were copied")?;
        lake.extend(self.copy(urgent, &bar).await?);
        lake.extend(self.copy(files, &bar).await?);
        if let Some(stored) =
            lake.iter().find(|stored| sizes.get(&stored.path).is_some_and(|size| *size != stored.bytes))
        {
            bail!(
                "{} has changed its size while it was copied, which no file of a table may; is the lake on a sound disk?",
                stored.path
            );
        }
        let copied: HashSet<String> = lake.iter().map(|stored| stored.path.clone()).collect();
        // A version of a model that one of those names is there by now.
        let rest = self.others().await?.into_iter().filter(|path| !copied.contains(path));
        lake.extend(self.copy(rest.map(|path| self.own(&path)).collect(), &bar).await?);
        bar.finish_and_clear();

        let copied = lake.iter().chain([&records]).map(|stored| stored.bytes).sum();
        lake.extend(present);
        lake.sort_by(|a, b| a.path.cmp(&b.path));
        let manifest = Manifest {
            form: FORM,
            forewarn: env!("CARGO_PKG_VERSION").to_owned(),
            created,
            log: point.log.clone(),
            offset: point.offset,
            lake_offset: point.lake_offset,
            records_from: point.records.from,
            records,
            lake,
            left_out: point.left_out.iter().map(|table| table.name.clone()).collect(),
        };
        manifest.write(self.name, self.target).await?;
        Ok(Done { manifest, copied })
    }

    async fn copy(&self, copies: Vec<Copying>, bar: &ProgressBar) -> Result<Vec<Stored>> {
        let copied = backup::copy(copies, self.source, self.target, bar).await?;
        Ok(copied
            .into_iter()
            .map(|(copy, bytes, crc32)| Stored { path: copy.from, at: copy.to, bytes, crc32 })
            .collect())
    }

    /// An object of which this backup gets a copy of its own.
    fn own(&self, path: &str) -> Copying {
        Copying { from: path.to_owned(), to: format!("{BACKUPS}/{}/lake/{path}", self.name) }
    }

    /// The data files that have to be copied, and those that an earlier backup has copied.
    async fn files(&self, former: Option<&Manifest>) -> Result<(Vec<Copying>, Vec<Stored>)> {
        let there = self.target.list(FILES).await?;
        let there: HashMap<&str, u64> =
            there.iter().map(|file| (file.path.as_str(), file.size_bytes)).collect();
        let known = former
            .into_iter()
            .flat_map(|former| &former.lake)
            .filter(|stored| there.get(stored.at.as_str()) == Some(&stored.bytes));
        let known: HashMap<&str, &Stored> = known.map(|stored| (stored.path.as_str(), stored)).collect();
        let (mut missing, mut present) = (Vec::new(), Vec::new());
        for path in self.point.tables.iter().flat_map(|table| &table.files) {
            match known.get(path.as_str()) {
                Some(stored) => present.push(Stored::clone(stored)),
                None => missing.push(Copying { from: path.clone(), to: format!("{FILES}/{path}") }),
            }
        }
        Ok((missing, present))
    }

    /// The sizes of the tables' files.
    async fn sizes(&self) -> Result<HashMap<String, u64>> {
        let mut sizes = HashMap::new();
        for table in &self.point.tables {
            sizes.extend(
                self.source.list(&table.name).await?.into_iter().map(|file| (file.path, file.size_bytes)),
            );
        }
        Ok(sizes)
    }

    /// What is in the lake beside the tables, and is not the server's note to itself.
    async fn others(&self) -> Result<Vec<String>> {
        let all = self.source.list("").await?;
        let tables: HashSet<&str> = all
            .iter()
            .filter(|file| file.path.contains("/_delta_log/"))
            .filter_map(|file| file.path.split('/').next())
            .collect();
        let other = |path: &str| {
            path.split_once('/').is_some_and(|(folder, _)| folder != "_forewarn" && !tables.contains(folder))
        };
        Ok(all.iter().filter(|file| other(&file.path)).map(|file| file.path.clone()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_of_an_earlier_server_is_understood() {
        let answer = r#"{"log":"l","offset":3,"lake_offset":2,"snapshot":{"path":"s"},"records":{"from":2,"path":"r"},"tables":[]}"#;
        let point: Point = serde_json::from_str(answer).unwrap();
        assert!(point.left_out.is_empty());
    }
}
