//! The definitions in force, as texts, and how they came to be.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::body::JsonBody;
use crate::time::Timestamp;

/// The definition files in force, as texts: what the engine compiles and what an alert's evidence refers to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Definitions {
    /// The pipeline files, by path.
    pub files: Vec<DefinitionFile>,
    /// The model files, by path. Records of earlier versions do not have them.
    #[serde(default)]
    pub models: Vec<DefinitionFile>,
    /// Who put them in force, and what changed. Records of earlier versions do not say.
    #[serde(default)]
    pub change: Option<DefinitionChange>,
}

/// One definition file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DefinitionFile {
    /// Path relative to the pipelines folder, for messages.
    pub path: String,
    /// The YAML text.
    pub text: Arc<str>,
}

/// How definitions came to be in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DefinitionChange {
    /// When, by the server's clock.
    pub time: Timestamp,
    /// Who did it, where that is known.
    pub actor: Option<String>,
    /// How: `start`, `file`, `api` or `apply`.
    pub by: String,
    /// The files that changed.
    pub files: Vec<FileChange>,
}

/// What happened to one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileChange {
    /// The file.
    pub path: String,
    /// Lines that are in the new text and not in the old one; for a new file all of them.
    pub added: Vec<String>,
    /// Lines that were in the old text and are not in the new one.
    pub removed: Vec<String>,
}

/// So many lines of a change are on record for each file and direction; the texts are in there whole.
const MAX_LINES: usize = 200;

impl Definitions {
    /// Those of pipeline files alone, without a word of how they came to be.
    #[must_use]
    pub const fn of(files: Vec<DefinitionFile>) -> Self {
        Self { files, models: Vec::new(), change: None }
    }

    /// Whether the texts are those of `other`.
    #[must_use]
    pub fn has_texts_of(&self, other: &Self) -> bool {
        self.files == other.files && self.models == other.models
    }

    /// What must change of `self` for `next` to be in force.
    #[must_use]
    pub fn changes_to(&self, next: &Self) -> Vec<FileChange> {
        let texts = |definitions: &Self| -> BTreeMap<String, Arc<str>> {
            let files = definitions.files.iter().chain(&definitions.models);
            files.map(|file| (file.path.clone(), Arc::clone(&file.text))).collect()
        };
        let (old, new) = (texts(self), texts(next));
        let none: Arc<str> = "".into();
        let mut changes = Vec::new();
        for (path, text) in &new {
            match old.get(path) {
                Some(former) if former == text => {}
                former => changes.push(FileChange::between(path, former.unwrap_or(&none), text)),
            }
        }
        let gone = old.iter().filter(|(path, _)| !new.contains_key(*path));
        changes.extend(gone.map(|(path, text)| FileChange::between(path, text, &none)));
        changes
    }
}

impl FileChange {
    /// The lines that `new` has more often than `old`, and the other way round, in their order.
    fn between(path: &str, old: &str, new: &str) -> Self {
        Self { path: path.to_owned(), added: only_in(new, old), removed: only_in(old, new) }
    }
}

fn only_in<'t>(one: &'t str, other: &'t str) -> Vec<String> {
    let mut counts: BTreeMap<&'t str, usize> = BTreeMap::new();
    for line in other.lines() {
        *counts.entry(line).or_default() += 1;
    }
    let is_new = |line: &&'t str| match counts.get_mut(*line) {
        Some(count) if *count > 0 => {
            *count -= 1;
            false
        }
        _ => true,
    };
    one.lines().filter(is_new).take(MAX_LINES).map(str::to_owned).collect()
}

impl JsonBody for Definitions {
    const NAME: &'static str = "definitions";
    const TABLE: Option<&'static str> = None;
}

#[cfg(test)]
mod tests;
