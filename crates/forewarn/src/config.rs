//! Settings and definitions from disk, as the commands need them.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use forewarn_spec::{
    Diagnostics, NotifyConfig, ServerConfig, Stored, check_contacts, check_queries, load_definitions_with,
    load_stored_with, parse_server_config,
};
use forewarn_types::{DefinitionFile, Definitions};

/// A definition tree that has been read.
pub(crate) struct Tree {
    /// The server's settings.
    pub(crate) settings: ServerConfig,
    /// The definitions, checked; none if there are mistakes.
    pub(crate) definitions: forewarn_spec::Definitions,
    /// The texts of the files.
    pub(crate) texts: Texts,
    /// What is wrong with them. Only a server that has been started before takes a tree with mistakes: it
    /// goes on with the definitions that are in force.
    pub(crate) mistakes: Diagnostics,
}

/// The texts of a definition tree, each with its path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Texts {
    /// The pipelines, by path.
    pub(crate) pipelines: Vec<(String, String)>,
    /// The models, by path.
    pub(crate) models: Vec<(String, String)>,
}

impl Texts {
    /// Those of the folders of pipelines and of models.
    ///
    /// # Errors
    /// A file or folder that cannot be read.
    pub(crate) fn read(pipelines: &Path, models: &Path) -> Result<Self> {
        Ok(Self { pipelines: yaml_files("pipelines", pipelines)?, models: yaml_files("models", models)? })
    }

    /// Those that stand in the log.
    pub(crate) fn of_record(record: &Definitions) -> Self {
        let texts = |files: &[DefinitionFile]| {
            files.iter().map(|file| (file.path.clone(), file.text.to_string())).collect()
        };
        Self { pipelines: texts(&record.files), models: texts(&record.models) }
    }

    /// As the log takes them.
    pub(crate) fn to_record(&self) -> Definitions {
        let files = |texts: &[(String, String)]| {
            let file = |(path, text): &(String, String)| DefinitionFile {
                path: path.clone(),
                text: text.as_str().into(),
            };
            texts.iter().map(file).collect()
        };
        Definitions { files: files(&self.pipelines), models: files(&self.models), change: None }
    }

    /// The checked definitions, or all mistakes; routes may name the contacts of `notify`.
    pub(crate) fn check(&self, notify: &NotifyConfig) -> Result<forewarn_spec::Definitions, Diagnostics> {
        let mut mistakes = self.query_mistakes();
        mistakes.0.append(&mut check_contacts(&self.pipelines, "forewarn.yaml", notify).0);
        match load_definitions_with(&self.pipelines, &self.models, &variable) {
            Ok(definitions) if mistakes.0.is_empty() => Ok(definitions),
            others => {
                mistakes.0.extend(others.err().unwrap_or_default().0);
                mistakes.0.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
                Err(mistakes)
            }
        }
    }

    /// What loads of them, and what does not: they were in force before, by a program that was less strict.
    pub(crate) fn load_in_force(&self) -> Stored {
        load_stored_with(&self.pipelines, &self.models, &self.query_mistakes(), &variable)
    }

    fn query_mistakes(&self) -> Diagnostics {
        check_queries(&self.pipelines, |query| {
            forewarn_query::check(query).map_err(|error| error.to_string())
        })
    }
}

/// Reads the settings at `config` and the folders they name. The inner error holds every mistake of the tree.
///
/// # Errors
/// A file or folder that cannot be read.
pub(crate) fn read(config: &Path) -> Result<Result<Tree, Diagnostics>> {
    Ok(match read_settings(config)? {
        Ok(settings) => {
            let tree = read_folders(settings)?;
            if tree.mistakes.0.is_empty() { Ok(tree) } else { Err(tree.mistakes) }
        }
        Err(diagnostics) => Err(diagnostics),
    })
}

/// Reads the settings at `config` alone, for what needs no definitions.
///
/// # Errors
/// A file that cannot be read.
pub(crate) fn read_settings(config: &Path) -> Result<Result<ServerConfig, Diagnostics>> {
    let text = fs::read_to_string(config)
        .with_context(|| format!("cannot read the settings {}", config.display()))?;
    Ok(parse_server_config(&config.display().to_string(), &text, &variable))
}

/// A larger file holds no secret.
const MAX_SECRET_BYTES: u64 = 64 << 10;

/// What `${NAME}` and `${file:PATH}` stand for in settings and definitions.
fn variable(name: &str) -> Option<String> {
    let Some(path) = name.strip_prefix("file:") else { return std::env::var(name).ok() };
    let mut text = String::new();
    let file = fs::File::open(path).ok()?;
    let read = file.take(MAX_SECRET_BYTES + 1).read_to_string(&mut text).ok()?;
    (read as u64 <= MAX_SECRET_BYTES).then_some(text)
}

/// Reads the folders that `settings` name.
///
/// # Errors
/// A file or folder that cannot be read.
fn read_folders(settings: ServerConfig) -> Result<Tree> {
    let texts = Texts::read(&settings.pipelines, &settings.models)?;
    let (definitions, mistakes) = match texts.check(&settings.notify) {
        Ok(definitions) => (definitions, Diagnostics::default()),
        Err(mistakes) => (forewarn_spec::Definitions::default(), mistakes),
    };
    Ok(Tree { settings, definitions, texts, mistakes })
}

/// Reads the settings at `config` and the folders they name, for a server. The inner error holds every
/// mistake of the tree, if there is no such server yet; one that is there goes on with what is in force.
///
/// # Errors
/// A file or folder that cannot be read.
pub(crate) fn read_to_serve(config: &Path) -> Result<Result<Tree, Diagnostics>> {
    let settings = match read_settings(config)? {
        Ok(settings) => settings,
        Err(diagnostics) => return Ok(Err(diagnostics)),
    };
    let is_there = settings.data_dir.join("log").exists();
    let tree = read_folders(settings)?;
    Ok(if tree.mistakes.0.is_empty() || is_there { Ok(tree) } else { Err(tree.mistakes) })
}

/// The YAML files of the folder of `kind` as (path, text), by name.
fn yaml_files(kind: &str, folder: &Path) -> Result<Vec<(String, String)>> {
    let text = |path: PathBuf| {
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok((path.display().to_string(), text))
    };
    yaml_paths(kind, folder)?.into_iter().map(text).collect()
}

/// The YAML files of the folder of `kind`, by name. The default folder, which is called like
/// its kind, may be missing and is empty then; any other one must be there: a wrong name, or a volume that is
/// not mounted, would otherwise drop every definition.
pub(crate) fn yaml_paths(kind: &str, folder: &Path) -> Result<Vec<PathBuf>> {
    if !folder.exists() {
        if kind.is_empty() || folder != Path::new(".").join(kind) {
            bail!(
                "there is no folder {}, which `{kind}` names in the settings: correct the name, or create it, if only empty",
                folder.display()
            );
        }
        return Ok(Vec::new());
    }
    let mut paths = Vec::new();
    for entry in
        fs::read_dir(folder).with_context(|| format!("cannot read the folder {}", folder.display()))?
    {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}
