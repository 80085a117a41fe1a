//! The folders of pipelines and models: what is in them, and how files of theirs are written.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context as _, Result};
use forewarn_state::FileKind;

use crate::config::{Texts, yaml_paths};

/// Where the definitions are.
#[derive(Debug, Clone)]
pub(crate) struct Folders {
    pub(crate) pipelines: PathBuf,
    pub(crate) models: PathBuf,
}

/// What tells that a file has changed: its length and its times.
pub(super) type Stamps = BTreeMap<PathBuf, (u64, Option<SystemTime>)>;

impl Folders {
    /// The folder of files of `kind`.
    pub(super) fn of(&self, kind: FileKind) -> &Path {
        match kind {
            FileKind::Pipeline => &self.pipelines,
            FileKind::Model => &self.models,
        }
    }

    /// What tells of each file that it has changed.
    pub(super) async fn stamps(&self) -> Result<Stamps> {
        self.off_thread(|folders| {
            let mut stamps = Stamps::new();
            for (kind, folder) in [("pipelines", &folders.pipelines), ("models", &folders.models)] {
                for path in yaml_paths(kind, folder)? {
                    // A file that has just been deleted is gone at the next look.
                    if let Ok(found) = fs::metadata(&path) {
                        stamps.insert(path, (found.len(), found.modified().ok()));
                    }
                }
            }
            Ok(stamps)
        })
        .await
    }

    /// The texts of all files.
    pub(super) async fn read(&self) -> Result<Texts> {
        self.off_thread(|folders| Texts::read(&folders.pipelines, &folders.models)).await
    }

    /// Writes a file so that it has the former text or `text`, whatever happens meanwhile.
    pub(super) async fn write(&self, path: String, text: String) -> Result<()> {
        self.off_thread(move |_| replace(Path::new(&path), &text)).await
    }

    /// Deletes a file that may be gone.
    pub(super) async fn delete(&self, path: String) -> Result<()> {
        self.off_thread(move |_| {
            if Path::new(&path).exists() {
                fs::remove_file(&path).with_context(|| format!("cannot delete {path}"))?;
            }
            Ok(())
        })
        .await
    }

    async fn off_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let folders = self.clone();
        tokio::task::spawn_blocking(move || work(&folders)).await.context("a look at the files broke off")?
    }
}

fn replace(path: &Path, text: &str) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // Only files that end in .yaml or .yml are read.
    let beside = folder.join(format!(".{name}.new"));
    let write = || {
        fs::create_dir_all(folder)?;
        let mut file = File::create(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        File::open(folder)?.sync_all()
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}
