//! A reader of the Delta logs of its own: which files are part of which table, by what was really put into the store. It finds what the
//! program itself would not notice, such as a live file that was deleted.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// The tables as their Delta logs have them.
#[derive(Debug, Default)]
pub struct Ledger {
    tables: BTreeMap<String, Table>,
}

/// One table.
#[derive(Debug, Default)]
struct Table {
    /// The version that the next commit must have.
    next: u64,
    /// Paths in the store of the files that are part of it.
    live: BTreeSet<String>,
    /// The newest version of each application.
    applications: BTreeMap<String, i64>,
}

impl Ledger {
    /// The files of `table`.
    pub fn live(&self, table: &str) -> impl Iterator<Item = &str> {
        self.tables.get(table).into_iter().flat_map(|table| table.live.iter().map(String::as_str))
    }

    /// Takes note of the object that was put at `path`, if it is a commit. `size_of` knows the objects that are in the store. What must
    /// not be comes back.
    pub fn put(&mut self, root: &str, path: &str, bytes: &[u8], size_of: impl Fn(&str) -> Option<u64>) -> Result<(), String> {
        let Some((table, version)) = commit_of(root, path) else { return Ok(()) };
        let ledger = self.tables.entry(table.to_owned()).or_default();
        if version != ledger.next {
            return Err(format!("{path}: the commit should have version {}", ledger.next));
        }
        ledger.next += 1;
        for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let action: Value = serde_json::from_slice(line).map_err(|error| format!("{path}: {error}"))?;
            ledger.take(&format!("{root}{table}"), &action, &size_of).map_err(|problem| format!("{path}: {problem}"))?;
        }
        Ok(())
    }

    /// Takes note of the deletion of the object at `path`. What must not be comes back.
    pub fn delete(&self, path: &str) -> Result<(), String> {
        match self.tables.iter().find(|(_, table)| table.live.contains(path)) {
            Some((name, _)) => Err(format!("{path} is deleted, yet part of the table {name}")),
            None => Ok(()),
        }
    }
}

impl Table {
    fn take(&mut self, folder: &str, action: &Value, size_of: &impl Fn(&str) -> Option<u64>) -> Result<(), String> {
        let path = |action: &Value| format!("{folder}/{}", action["path"].as_str().unwrap_or_default());
        if let Some(add) = action.get("add") {
            let path = path(add);
            if size_of(&path) != add["size"].as_u64() {
                return Err(format!("it adds {path}, of which the store has {:?} bytes, not {}", size_of(&path), add["size"]));
            }
            if !self.live.insert(path.clone()) {
                return Err(format!("it adds {path}, which is part of the table"));
            }
        }
        if let Some(remove) = action.get("remove") {
            let path = path(remove);
            if !self.live.remove(&path) {
                return Err(format!("it removes {path}, which is not part of the table"));
            }
        }
        if let Some(txn) = action.get("txn") {
            let (app, version) = (txn["appId"].as_str().unwrap_or_default(), txn["version"].as_i64().unwrap_or(i64::MIN));
            let before = self.applications.insert(app.to_owned(), version);
            if before.is_some_and(|before| before >= version) {
                return Err(format!("version {version} of {app} follows on {before:?}"));
            }
        }
        Ok(())
    }
}

/// The table and the version of the commit at `path`, such as `lake/readings/_delta_log/00000000000000000007.json`.
fn commit_of<'a>(root: &str, path: &'a str) -> Option<(&'a str, u64)> {
    let (table, file) = path.strip_prefix(root)?.split_once("/_delta_log/")?;
    let digits = file.strip_suffix(".json").filter(|digits| digits.len() == 20)?;
    Some((table, digits.parse().ok()?))
}
