//! Settings and definitions from disk, as the commands need them.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use forewarn_spec::{
    Diagnostics, Refused, ServerConfig, Stored, check_queries, load_definitions, load_stored,
    parse_server_config,
};
use forewarn_types::{DefinitionFile, Definitions};

/// A definition tree that has been read and checked.
pub(crate) struct Tree {
    /// The server's settings.
    pub(crate) settings: ServerConfig,
    /// The checked definitions.
    pub(crate) definitions: forewarn_spec::Definitions,
    /// The pipelines' texts, as the log takes them.
    pub(crate) texts: Definitions,
    /// What was left out of the definitions since it does not load. That is in order only for files that are
    /// in force as they stand.
    pub(crate) refused: Vec<Refused>,
}

/// Reads the settings at `config` and the folders they name. The inner error holds every mistake of the tree.
///
/// # Errors
/// A file or folder that cannot be read.
pub(crate) fn read(config: &Path) -> Result<Result<Tree, Diagnostics>> {
    match read_settings(config)? {
        Ok(settings) => read_folders(settings),
        Err(diagnostics) => Ok(Err(diagnostics)),
    }
}

/// Reads the settings at `config` alone, for what needs no definitions.
///
/// # Errors
/// A file that cannot be read.
pub(crate) fn read_settings(config: &Path) -> Result<Result<ServerConfig, Diagnostics>> {
    let text = fs::read_to_string(config)
        .with_context(|| format!("cannot read the settings {}", config.display()))?;
    Ok(parse_server_config(&config.display().to_string(), &text, &|name| std::env::var(name).ok()))
}

/// Reads the folders that `settings` name.
///
/// # Errors
/// A file or folder that cannot be read.
pub(crate) fn read_folders(settings: ServerConfig) -> Result<Result<Tree, Diagnostics>> {
    let pipelines = yaml_files("pipelines", &settings.pipelines)?;
    let models = yaml_files("models", &settings.models)?;
    let mut mistakes = query_mistakes(&pipelines);
    let definitions = match load_definitions(&pipelines, &models) {
        Ok(definitions) if mistakes.0.is_empty() => definitions,
        others => {
            mistakes.0.extend(others.err().unwrap_or_default().0);
            mistakes.0.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
            return Ok(Err(mistakes));
        }
    };
    Ok(Ok(Tree { settings, definitions, texts: texts(pipelines), refused: Vec::new() }))
}

/// Reads the settings at `config` and what loads of the folders they name, for a server that may have been
/// started with them before, by a program that was less strict. The inner error holds every mistake of the
/// tree, if there is no such server yet.
///
/// # Errors
/// A file or folder that cannot be read.
pub(crate) fn read_to_serve(config: &Path) -> Result<Result<Tree, Diagnostics>> {
    let tree = read(config)?;
    let Ok(settings) = read_settings(config)? else { return Ok(tree) };
    if tree.is_ok() || !settings.data_dir.join("log").exists() {
        return Ok(tree);
    }
    let pipelines = yaml_files("pipelines", &settings.pipelines)?;
    let models = yaml_files("models", &settings.models)?;
    let Stored { definitions, refused } = load_stored(&pipelines, &models, &query_mistakes(&pipelines));
    Ok(Ok(Tree { settings, definitions, texts: texts(pipelines), refused }))
}

fn query_mistakes(pipelines: &[(String, String)]) -> Diagnostics {
    check_queries(pipelines, |query| forewarn_query::check(query).map_err(|error| error.to_string()))
}

fn texts(pipelines: Vec<(String, String)>) -> Definitions {
    let files = pipelines.into_iter().map(|(path, text)| DefinitionFile { path, text: text.into() });
    Definitions { files: files.collect() }
}

/// The YAML files of the folder of `kind` as (path, text), by name. The default folder, which is called like
/// its kind, may be missing and is empty then; any other one must be there: a wrong name, or a volume that is
/// not mounted, would otherwise drop every definition.
fn yaml_files(kind: &str, folder: &Path) -> Result<Vec<(String, String)>> {
    if !folder.exists() {
        if folder != Path::new(".").join(kind) {
            bail!(
                "there is no folder {}, which `{kind}` names in the settings: correct the name, or create it, if only empty",
                folder.display()
            );
        }
        return Ok(Vec::new());
    }
    let mut files = Vec::new();
    for entry in
        fs::read_dir(folder).with_context(|| format!("cannot read the folder {}", folder.display()))?
    {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
            let text =
                fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            files.push((path.display().to_string(), text));
        }
    }
    files.sort();
    Ok(files)
}
