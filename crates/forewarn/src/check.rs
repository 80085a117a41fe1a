//! `forewarn check`: reads a definition tree as the server would, and says everything that is wrong with it,
//! what may not mean what it seems to, and when what is scheduled will run.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use forewarn_batch::{Schedule, Trigger};
use forewarn_spec::Definitions;
use forewarn_types::{Clock as _, Timestamp};
use serde_json::{Value, json};

use crate::client::Client;
use crate::clock::SystemClock;
use crate::commands::apply;
use crate::config::Texts;
use crate::output::{complain, counted, print, report};

/// How many times of a schedule are told.
const NEXT_TIMES: usize = 5;

/// Checks the settings at `config` and the folders they name. Mistakes and warnings go to standard error. With
/// a `server`, it says what these definitions would do there.
pub(crate) async fn run(config: &Path, server: Option<&str>) -> Result<ExitCode> {
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
            for line in schedules(&tree.definitions, SystemClock.now()) {
                writeln!(std::io::stdout(), "{line}")?;
            }
            match server {
                Some(server) => at_server(server, &tree.texts).await,
                None => Ok(ExitCode::SUCCESS),
            }
        }
        Err(diagnostics) => Ok(report(&diagnostics)),
    }
}

/// Asks `server` what `texts`, as all its definitions, would do.
async fn at_server(server: &str, texts: &Texts) -> Result<ExitCode> {
    let files = |texts: &[(String, String)]| -> Vec<Value> {
        let name = |path: &str| path.rsplit('/').next().unwrap_or(path).to_owned();
        texts.iter().map(|(path, text)| json!({ "file": name(path), "text": text })).collect()
    };
    let body = json!({ "pipelines": files(&texts.pipelines), "models": files(&texts.models), "whole": true });
    let answer = Client::at(server)?.post(&["v1", "check"], &body).await?;
    if answer["ok"] == true {
        print(&apply::would(&answer["would"]))?;
        return Ok(ExitCode::SUCCESS);
    }
    for mistake in answer["mistakes"].as_array().into_iter().flatten() {
        complain(&format!("{server}: {}\n", apply::shown(mistake)));
    }
    Ok(ExitCode::FAILURE)
}

/// When what is scheduled runs after `now`, and what there is to know of the schedules.
fn schedules(definitions: &Definitions, now: Timestamp) -> Vec<String> {
    let cron = |expr: &str, tz| Trigger::Cron { expr: expr.to_owned(), tz };
    let jobs = definitions.pipelines.iter().flat_map(|pipeline| &pipeline.jobs);
    let jobs = jobs.map(|job| (format!("job {}", job.name), cron(&job.schedule, job.timezone), job.delay_us));
    let frames = definitions.pipelines.iter().flat_map(|pipeline| &pipeline.frames);
    let frames =
        frames.map(|job| (format!("job {}", job.name), cron(&job.schedule, job.timezone), job.delay_us));
    let trained = definitions.models.iter().filter_map(|model| {
        let train = model.train.as_ref()?;
        Some((format!("training of {}", model.name), cron(&train.cron, train.timezone), 0))
    });
    let mut lines = Vec::new();
    for (what, trigger, delay_us) in jobs.chain(frames).chain(trained) {
        let Ok(schedule) = Schedule::new(&trigger) else { continue };
        let after = |time: &Timestamp| schedule.next_after(*time);
        let next = std::iter::successors(schedule.next_after(now.plus_us(-delay_us)), after);
        let times: Vec<String> =
            next.take(NEXT_TIMES).map(|time| time.plus_us(delay_us).to_string()).collect();
        lines.push(format!("{what}, {trigger}: next at {}", times.join(", ")));
        lines.extend(schedule.warning().map(|warning| format!("  warning: {warning}")));
    }
    lines
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[tokio::test]
    async fn the_shipped_tree_is_without_mistakes_and_a_broken_one_is_not() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("forewarn.yaml");
        let (pipelines, models) = (root.join("pipelines"), root.join("models"));
        fs::write(&config, format!("pipelines: {}\nmodels: {}\n", pipelines.display(), models.display()))
            .unwrap();
        assert_eq!(run(&config, None).await.unwrap(), ExitCode::SUCCESS);
        fs::write(dir.path().join("bad.yaml"), "pipeline: p\nrules:\n  - { name: r }\n").unwrap();
        fs::write(&config, format!("pipelines: {}\n", dir.path().display())).unwrap();
        assert_eq!(run(&config, None).await.unwrap(), ExitCode::FAILURE);
    }

    #[test]
    fn the_next_five_times_are_told_and_a_schedule_by_two_days_is_warned_of() {
        const JOBS: &str = "\
pipeline: p
jobs:
  - { name: a, schedule: '0 2 * * *', timezone: Europe/Oslo, delay: 10m, into: a, sql: 'SELECT 1 AS x' }
  - { name: b, schedule: '0 0 13 * 5', into: b, sql: 'SELECT 1 AS x' }
";
        let definitions = forewarn_spec::load_definitions(&[("p.yaml".into(), JOBS.into())], &[]).unwrap();
        let told = schedules(&definitions, Timestamp::parse("2026-03-27T12:00:00Z").unwrap());
        assert_eq!(
            told[0],
            "job a, 0 2 * * * (Europe/Oslo): next at 2026-03-28T01:10:00Z, 2026-03-29T01:10:00Z, \
             2026-03-30T00:10:00Z, 2026-03-31T00:10:00Z, 2026-04-01T00:10:00Z"
        );
        assert!(
            told[1].contains("next at 2026-04-03T00:00:00Z, 2026-04-10T00:00:00Z, 2026-04-13"),
            "{told:?}"
        );
        assert!(told[2].contains("on every day that is either"), "{told:?}");
        assert_eq!(told.len(), 3);
    }

    #[test]
    fn a_schedule_that_never_comes_is_a_mistake() {
        let job = |schedule: &str| {
            format!(
                "pipeline: p\njobs:\n  - {{ name: a, schedule: '{schedule}', into: a, sql: SELECT 1 AS x }}\n"
            )
        };
        for schedule in ["0 0 30 2 *", "0 0 31 4,6 *"] {
            let mistakes =
                forewarn_spec::load_definitions(&[("p.yaml".into(), job(schedule))], &[]).unwrap_err();
            assert!(mistakes.to_string().contains("never comes"), "{mistakes}");
        }
        assert!(forewarn_spec::load_definitions(&[("p.yaml".into(), job("0 0 29 2 *"))], &[]).is_ok());
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
