//! The demo's folder: settings, and the definitions that ship with the project, to be read and changed.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use forewarn_spec::Diagnostics;

use crate::config::{self, Tree};

const PIPELINE: &str = include_str!("../../../../pipelines/pumps.yaml");
const MODEL: &str = include_str!("../../../../models/pump-life.yaml");

/// Writes what is missing, and reads the whole. Definitions that are there already may have been changed, so
/// they stay.
///
/// # Errors
/// A folder or file that cannot be written or read.
pub(super) fn prepare(dir: &Path, listen: &str) -> Result<Result<Tree, Diagnostics>> {
    for (folder, file, text) in [("pipelines", "pumps.yaml", PIPELINE), ("models", "pump-life.yaml", MODEL)] {
        let folder = dir.join(folder);
        fs::create_dir_all(&folder)
            .with_context(|| format!("cannot create the folder {}", folder.display()))?;
        let path = folder.join(file);
        if !path.exists() {
            fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        }
    }
    let root = dir.canonicalize().with_context(|| format!("cannot find the folder {}", dir.display()))?;
    let root = root.display();
    // A simulated minute takes milliseconds, so commits are made by the hours of the plant.
    let settings = format!(
        "# Written by `forewarn demo` at every start.\nlisten: \"{listen}\"\ndata_dir: \"{root}\"\nlake: \"file://{root}/lake\"\n\
         pipelines: \"{root}/pipelines\"\nmodels: \"{root}/models\"\nbranch: {{ commit_every: 12h }}\nmaintenance: {{ every: 1d }}\nlimits: {{ max_future: 1h, max_ahead: 1h }}\n"
    );
    let path = dir.join("forewarn.yaml");
    fs::write(&path, settings).with_context(|| format!("cannot write {}", path.display()))?;
    config::read(&path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changed_definitions_stay() {
        let dir = tempfile::tempdir().unwrap();
        let tree = prepare(dir.path(), "127.0.0.1:0").unwrap().unwrap();
        assert_eq!((tree.definitions.pipelines.len(), tree.definitions.models.len()), (1, 1));
        let file = dir.path().join("pipelines/pumps.yaml");
        fs::write(&file, PIPELINE.replace("acoustic_db > 75.0", "acoustic_db > 76.0")).unwrap();
        prepare(dir.path(), "127.0.0.1:0").unwrap().unwrap();
        assert!(fs::read_to_string(file).unwrap().contains("76.0"));
    }
}
