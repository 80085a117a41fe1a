//! `forewarn check`: reads a definition tree as the server would, and says everything that is wrong with it.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use forewarn_spec::Diagnostics;

use crate::commands::counted;

/// Checks the settings at `config` and the folders they name. Mistakes go to standard error.
pub(crate) fn run(config: &Path) -> Result<ExitCode> {
    match crate::config::read(config)? {
        Ok(tree) => {
            let pipelines = &tree.definitions.pipelines;
            let rules: usize = pipelines.iter().map(|pipeline| pipeline.rules.len()).sum();
            let count = |count: usize, what| counted(count as u64, what);
            let [pipelines, rules, models] =
                [count(pipelines.len(), "pipeline"), count(rules, "rule"), count(tree.definitions.models.len(), "model")];
            writeln!(std::io::stdout(), "{pipelines} with {rules}, {models}: no mistakes")?;
            Ok(ExitCode::SUCCESS)
        }
        Err(diagnostics) => Ok(report(&diagnostics)),
    }
}

/// Writes a complaint to standard error; if even that fails, nobody is listening.
pub(crate) fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

pub(crate) fn report(diagnostics: &Diagnostics) -> ExitCode {
    complain(&diagnostics.to_string());
    complain(&format!("\n{} mistake(s)", diagnostics.0.len()));
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_shipped_tree_is_without_mistakes_and_a_broken_one_is_not() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("forewarn.yaml");
        let (pipelines, models) = (root.join("pipelines"), root.join("models"));
        fs::write(&config, format!("pipelines: {}\nmodels: {}\n", pipelines.display(), models.display())).unwrap();
        assert_eq!(run(&config).unwrap(), ExitCode::SUCCESS);
        fs::write(dir.path().join("bad.yaml"), "pipeline: p\nrules:\n  - { name: r }\n").unwrap();
        fs::write(&config, format!("pipelines: {}\n", dir.path().display())).unwrap();
        assert_eq!(run(&config).unwrap(), ExitCode::FAILURE);
    }
}
