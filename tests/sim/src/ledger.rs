//! A reader of the Delta logs of its own: which files are part of which table, by what was really put into
//! the store. It finds what the program itself would not notice, such as a live file that was deleted.
//!
//! It also stands for every slow reader that there could be: one that opened a table at any moment and reads
//! its files, or its log, at any later moment within the time that vacuum promises to leave. So a file that
//! left a table, or was never in one, must stay for the safety period, and an entry of a log until a
//! checkpoint that covers it is as old as entries are kept.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// Where the lake is in the store.
pub const ROOT: &str = "lake/";

/// The tables as their Delta logs have them.
#[derive(Debug, Default)]
pub struct Ledger {
    tables: BTreeMap<String, Table>,
    /// Data files that are in no table, and the earliest that the clock has shown since they were put or left
    /// theirs, µs. A clock that jumps back and forth makes a time seem longer than it was, and the program
    /// knows no better.
    idle: BTreeMap<String, i64>,
    /// How many commits were deleted.
    pub deleted_commits: u64,
    /// For so long a data file must stay that is in no table, µs.
    pub safety_us: i64,
    /// For so long a checkpoint must have been there before what it covers may go, µs.
    pub log_retention_us: i64,
}

/// How a file of a table gives way to another.
pub struct Rewrite {
    /// The path of the one.
    pub from: String,
    /// The path of the other.
    pub to: String,
    /// The path of the commit.
    pub commit_path: String,
    /// The commit.
    pub commit: String,
}

/// One table.
#[derive(Debug, Default)]
struct Table {
    /// The version that the next commit must have.
    next: u64,
    /// The files that are part of it: their paths in the store, and how they were added.
    live: BTreeMap<String, Value>,
    /// The newest version of each application.
    applications: BTreeMap<String, i64>,
    /// The checkpoints that are there, by version, and when each was put, µs.
    checkpoints: BTreeMap<u64, i64>,
}

impl Ledger {
    /// The files of `table`.
    pub fn live(&self, table: &str) -> impl Iterator<Item = &str> {
        self.tables.get(table).into_iter().flat_map(|table| table.live.keys().map(String::as_str))
    }

    /// What another program would write to put a file with the same rows in the place of file number `place`
    /// of `table`: the path of that file, the path of the new one, and the path and content of the commit.
    pub fn rewrite(&self, table: &str, place: usize) -> Option<Rewrite> {
        let found = self.tables.get(table)?;
        let (from, add) = found.live.iter().nth(place)?;
        let rename = |path: &str| path.replacen("part-", &format!("other-{}-part-", found.next), 1);
        let mut added = add.clone();
        added["path"] = json!(rename(add["path"].as_str()?));
        added["dataChange"] = json!(false);
        let removed =
            json!({ "path": add["path"], "deletionTimestamp": add["modificationTime"], "dataChange": false });
        let about = json!({ "timestamp": add["modificationTime"], "operation": "OPTIMIZE" });
        let lines = [json!({ "commitInfo": about }), json!({ "remove": removed }), json!({ "add": added })];
        let commit = lines.map(|line| line.to_string()).join("\n");
        let commit_path = format!("{ROOT}{table}/_delta_log/{:020}.json", found.next);
        Some(Rewrite { from: from.clone(), to: rename(from), commit_path, commit })
    }

    /// The clock shows `now`, µs.
    pub fn hear(&mut self, now: i64) {
        for since in self.idle.values_mut() {
            *since = now.min(*since);
        }
    }

    /// Takes note of the object that was put at `path` when the clock showed `now`. `size_of` knows the
    /// objects that are in the store. What must not be comes back.
    pub fn put(
        &mut self,
        path: &str,
        bytes: &[u8],
        now: i64,
        size_of: impl Fn(&str) -> Option<u64>,
    ) -> Result<(), String> {
        let (table, version) = match place_of(path) {
            Place::Data(table) => {
                if self.tables.get(table).is_none_or(|table| !table.live.contains_key(path)) {
                    self.idle.insert(path.to_owned(), now);
                }
                return Ok(());
            }
            Place::Checkpoint(table, version) => {
                self.tables.entry(table.to_owned()).or_default().checkpoints.insert(version, now);
                return Ok(());
            }
            Place::Commit(table, version) => (table, version),
            Place::Elsewhere => return Ok(()),
        };
        let ledger = self.tables.entry(table.to_owned()).or_default();
        if version != ledger.next {
            return Err(format!("{path}: the commit should have version {}", ledger.next));
        }
        ledger.next += 1;
        for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let action: Value = serde_json::from_slice(line).map_err(|error| format!("{path}: {error}"))?;
            let moved = ledger
                .take(&format!("{ROOT}{table}"), &action, &size_of)
                .map_err(|problem| format!("{path}: {problem}"))?;
            match moved {
                Moved::In(file) => drop(self.idle.remove(&file)),
                Moved::Out(file) => drop(self.idle.insert(file, now)),
                Moved::Nothing => {}
            }
        }
        Ok(())
    }

    /// Takes note of the deletion of the object at `path` when the clock showed `now`, or some time after it
    /// was asked for. What must not be comes back.
    pub fn delete(&mut self, path: &str, now: Option<i64>) -> Result<(), String> {
        if let Some((name, _)) = self.tables.iter().find(|(_, table)| table.live.contains_key(path)) {
            return Err(format!("{path} is deleted, yet part of the table {name}"));
        }
        let (safety, retention) = (self.safety_us, self.log_retention_us);
        let is_long = |since: i64, least: i64| now.is_none_or(|now| now - since >= least);
        match place_of(path) {
            Place::Data(_) => match self.idle.remove(path) {
                Some(since) if !is_long(since, safety) => {
                    Err(format!("{path} is deleted at {now:?}, but was in use until {since}"))
                }
                _ => Ok(()),
            },
            Place::Checkpoint(table, version) | Place::Commit(table, version) => {
                let Some(table) = self.tables.get_mut(table) else { return Ok(()) };
                let covered = table.checkpoints.range(version + 1..).any(|(_, put)| is_long(*put, retention));
                if matches!(place_of(path), Place::Checkpoint(..)) {
                    table.checkpoints.remove(&version);
                } else {
                    self.deleted_commits += 1;
                }
                if covered {
                    Ok(())
                } else {
                    Err(format!("{path} is deleted at {now:?}, and may still be needed to read the table"))
                }
            }
            Place::Elsewhere => Ok(()),
        }
    }
}

/// What an action does to a data file.
enum Moved {
    In(String),
    Out(String),
    Nothing,
}

impl Table {
    fn take(
        &mut self,
        folder: &str,
        action: &Value,
        size_of: &impl Fn(&str) -> Option<u64>,
    ) -> Result<Moved, String> {
        let path = |action: &Value| format!("{folder}/{}", action["path"].as_str().unwrap_or_default());
        if let Some(add) = action.get("add") {
            let path = path(add);
            if size_of(&path) != add["size"].as_u64() {
                return Err(format!(
                    "it adds {path}, of which the store has {:?} bytes, not {}",
                    size_of(&path),
                    add["size"]
                ));
            }
            if self.live.insert(path.clone(), add.clone()).is_some() {
                return Err(format!("it adds {path}, which is part of the table"));
            }
            return Ok(Moved::In(path));
        }
        if let Some(remove) = action.get("remove") {
            let path = path(remove);
            if self.live.remove(&path).is_none() {
                return Err(format!("it removes {path}, which is not part of the table"));
            }
            return Ok(Moved::Out(path));
        }
        if let Some(txn) = action.get("txn") {
            let (app, version) =
                (txn["appId"].as_str().unwrap_or_default(), txn["version"].as_i64().unwrap_or(i64::MIN));
            let before = self.applications.insert(app.to_owned(), version);
            if before.is_some_and(|before| before >= version) {
                return Err(format!("version {version} of {app} follows on {before:?}"));
            }
        }
        Ok(Moved::Nothing)
    }
}

/// What the object at a path is: part of which table, and of which version of it.
enum Place<'a> {
    Data(&'a str),
    Commit(&'a str, u64),
    Checkpoint(&'a str, u64),
    Elsewhere,
}

/// What is at `path`, such as `lake/readings/_delta_log/00000000000000000007.json`.
fn place_of(path: &str) -> Place<'_> {
    let Some((table, inside)) = path.strip_prefix(ROOT).and_then(|below| below.split_once('/')) else {
        return Place::Elsewhere;
    };
    let Some(entry) = inside.strip_prefix("_delta_log/") else {
        return if inside.ends_with(".zstd.parquet") { Place::Data(table) } else { Place::Elsewhere };
    };
    let Some((digits, kind)) = entry.split_once('.') else { return Place::Elsewhere };
    match (digits.parse(), kind) {
        (Ok(version), "json") if digits.len() == 20 => Place::Commit(table, version),
        (Ok(version), "checkpoint.parquet") => Place::Checkpoint(table, version),
        _ => Place::Elsewhere,
    }
}
