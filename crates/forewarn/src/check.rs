//! `forewarn check`: reads a definition tree as the server would, and says everything that is wrong with it.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;

use crate::output::{complain, counted, report};

/// Checks the settings at `config` and the folders they name. Mistakes and warnings go to standard error.
pub(crate) fn run(config: &Path) -> Result<ExitCode> {
    match crate::config::read(config)? {
        Ok(tree) => {
            let pipelines = &tree.definitions.pipelines;
            let rules: usize = pipelines.iter().map(|pipeline| pipeline.rules.len()).sum();
            let count = |count: usize, what| counted(count as u64, what);
            let [pipelines, rules, models] = [
                count(pipelines.len(), "pipeline"),
                count(rules, "rule"),
                count(tree.definitions.models.len(), "model"),
            ];
            let warnings = &tree.definitions.warnings;
            for warning in &warnings.0 {
                complain(&format!("warning: {warning}\n"));
            }
            let outcome = match warnings.0.len() as u64 {
                0 => "no mistakes".to_owned(),
                warned => format!("no mistakes, {}", counted(warned, "warning")),
            };
            writeln!(std::io::stdout(), "{pipelines} with {rules}, {models}: {outcome}")?;
            Ok(ExitCode::SUCCESS)
        }
        Err(diagnostics) => Ok(report(&diagnostics)),
    }
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
        fs::write(&config, format!("pipelines: {}\nmodels: {}\n", pipelines.display(), models.display()))
            .unwrap();
        assert_eq!(run(&config).unwrap(), ExitCode::SUCCESS);
        fs::write(dir.path().join("bad.yaml"), "pipeline: p\nrules:\n  - { name: r }\n").unwrap();
        fs::write(&config, format!("pipelines: {}\n", dir.path().display())).unwrap();
        assert_eq!(run(&config).unwrap(), ExitCode::FAILURE);
    }

    #[test]
    fn mistakes_in_queries_are_told_with_their_place_beside_all_others() {
        const JOBS: &str = "\
pipeline: p
jobs:
  - { name: a, schedule: '0 * * * *', into: a, sql: 'SELECT asset FROM readings WHERE time >= :since' }
  - { name: b, schedule: '0 * * * *', into: b, sql: 'SELECT asset FROM readings WHERE time >= :from AND time < :to' }
  - name: c
    schedule: '61 * * * *'
    into: c
    sql: DELETE FROM readings
  - { name: d, schedule: '0 * * * *', into: d, sql: SELEC asset FROM readings }
  - { name: e, schedule: '0 * * * *', into: e, sql: SELECT 1; SELECT 2 }
";
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("forewarn.yaml");
        fs::create_dir(dir.path().join("p")).unwrap();
        fs::write(dir.path().join("p/jobs.yaml"), JOBS).unwrap();
        fs::write(&config, format!("pipelines: {}\n", dir.path().join("p").display())).unwrap();
        let mistakes = crate::config::read(&config).unwrap().err().unwrap();
        let told: Vec<(usize, usize, &str)> =
            mistakes.0.iter().map(|m| (m.line, m.column, m.message.as_str())).collect();
        let expected = [
            (3, 53, ":since is not known here; only :from and :to can stand in a job's query"),
            (6, 15, "schedule"),
            (8, 10, "DELETE is not allowed"),
            (9, 53, "the query is not SQL"),
            (10, 53, "more than one statement"),
        ];
        assert_eq!(told.len(), expected.len(), "{mistakes}");
        for (told, expected) in told.iter().zip(expected) {
            assert!(
                (told.0, told.1) == (expected.0, expected.1) && told.2.contains(expected.2),
                "{told:?} is not {expected:?}"
            );
        }
    }
}
