//! Settings and definitions from disk, as the commands need them.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use forewarn_spec::{Diagnostics, ServerConfig, check_queries, load_definitions, parse_server_config};
use forewarn_types::{DefinitionFile, Definitions};

/// A definition tree that has been read and checked.
pub(crate) struct Tree {
    /// The server's settings.
    pub(crate) settings: ServerConfig,
    /// The checked definitions.
    pub(crate) definitions: forewarn_spec::Definitions,
    /// The pipelines' texts, as the log takes them.
    pub(crate) texts: Definitions,
}

/// Reads the settings at `config` and the folders they name. The inner error holds every mistake of the tree.
///
/// # Errors
/// A file or folder that cannot be read.
pub(crate) fn read(config: &Path) -> Result<Result<Tree, Diagnostics>> {
    let text = fs::read_to_string(config).with_context(|| format!("cannot read the settings {}", config.display()))?;
    match parse_server_config(&config.display().to_string(), &text, &|name| std::env::var(name).ok()) {
        Ok(settings) => read_folders(settings),
        Err(diagnostics) => Ok(Err(diagnostics)),
    }
}

/// Reads the folders that `settings` name.
///
/// # Errors
/// A file or folder that cannot be read.
pub(crate) fn read_folders(settings: ServerConfig) -> Result<Result<Tree, Diagnostics>> {
    let pipelines = yaml_files(&settings.pipelines)?;
    let models = yaml_files(&settings.models)?;
    let mut mistakes = check_queries(&pipelines, |query| forewarn_lake::check_query(query).map_err(|error| error.to_string()));
    let definitions = match load_definitions(&pipelines, &models) {
        Ok(definitions) if mistakes.0.is_empty() => definitions,
        others => {
            mistakes.0.extend(others.err().unwrap_or_default().0);
            mistakes.0.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
            return Ok(Err(mistakes));
        }
    };
    let files = pipelines.into_iter().map(|(path, text)| DefinitionFile { path, text: text.into() }).collect();
    Ok(Ok(Tree { settings, definitions, texts: Definitions { files } }))
}

/// The YAML files of a folder as (path, text), by name. A folder that is missing is an empty one.
fn yaml_files(folder: &Path) -> Result<Vec<(String, String)>> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read the folder {}", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
            let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            files.push((path.display().to_string(), text));
        }
    }
    files.sort();
    Ok(files)
}
