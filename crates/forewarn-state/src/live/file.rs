//! One definition file, and how it stands.

use std::sync::Arc;

use forewarn_spec::Diagnostic;
use forewarn_types::fingerprint;

/// What a definition file defines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileKind {
    /// A pipeline.
    Pipeline,
    /// A model.
    Model,
}

impl FileKind {
    /// The key that names it in its file.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Pipeline => "pipeline",
            Self::Model => "model",
        }
    }
}

/// How a file stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileState {
    /// What is on disk is in force.
    InForce,
    /// What is on disk has mistakes; what was in force before still is.
    Refused,
    /// It has none, and waits until those of other files are corrected.
    Waiting,
    /// It is gone from the disk, and in force until the mistakes of other files are corrected.
    Deleted,
}

impl FileState {
    /// The name used in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InForce => "in_force",
            Self::Refused => "refused",
            Self::Waiting => "waiting",
            Self::Deleted => "deleted",
        }
    }
}

/// A file, and how it stands.
#[derive(Debug, Clone)]
pub struct FileStatus {
    /// What it defines.
    pub kind: FileKind,
    /// The name of that; the file's name without its ending where it does not say.
    pub name: String,
    /// The file's path.
    pub path: String,
    /// How it stands.
    pub state: FileState,
    /// The text on disk, or in force if the file is gone.
    pub text: Arc<str>,
    /// What is wrong with it, or what of it this version does not load.
    pub problems: Vec<Diagnostic>,
}

impl FileStatus {
    /// The name of what the file at `path` defines, as far as its text says it in the usual form.
    #[must_use]
    pub fn name_in(kind: FileKind, path: &str, text: &str) -> String {
        let declared = text.lines().find_map(|line| {
            let value = line.strip_prefix(kind.key())?.trim_start().strip_prefix(':')?;
            let value = value.split(" #").next().unwrap_or_default().trim().trim_matches(['"', '\'']);
            (!value.is_empty()).then(|| value.to_owned())
        });
        declared.unwrap_or_else(|| {
            let file = path.rsplit('/').next().unwrap_or(path);
            file.rsplit_once('.').map_or(file, |(stem, _)| stem).to_owned()
        })
    }

    /// Names the text; it changes whenever that does.
    #[must_use]
    pub fn tag(&self) -> String {
        text_tag(&self.text)
    }
}

/// Names a text of a file; it changes whenever that does.
#[must_use]
pub fn text_tag(text: &str) -> String {
    fingerprint(text.as_bytes())
}

/// A text for a file of the folder of pipelines or models.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileText {
    /// What it defines.
    pub kind: FileKind,
    /// What is to be written: the file's name, or the name of what it defines.
    pub target: String,
    /// Whether `target` names what the file defines, not the file.
    pub by_name: bool,
    /// The YAML text.
    pub text: String,
}
