//! What is left of stored definitions of which some no longer load.

use crate::*;

const STORED: &str = "pipeline: p
signals:
  - { name: temperature, assets: '**' }
  - { name: heat, assets: '**', expr: 'temperature * 2.0' }
  - { name: broken, assets: '**', expr: 'temperature *' }
rules:
  - { name: good, assets: '**', when: 'temperature > 1.0', severity: major }
  - name: future
    assets: '**'
    when: 'temperature > 1.0'
    colour: red
    severity: major
  - { name: on-broken, assets: '**', when: 'broken > 1.0', severity: major }
  - { name: unfinished, assets: '**', when: 'heat > 1.0 &&', severity: huge }
  - { name: last, assets: '**', when: 'heat > 1.0', severity: minor }
jobs:
  - { name: hourly, schedule: '0 * * * *', into: hourly, sql: SELEC }
  - { name: daily, schedule: '0 0 * * *', into: daily, sql: SELECT 1 }
";

fn files(texts: &[(&str, &str)]) -> Vec<(String, String)> {
    texts.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
}

#[test]
fn what_no_longer_loads_is_left_out_with_what_rests_on_it() {
    let pipelines = files(&[("p.yaml", STORED)]);
    let queries = check_queries(&pipelines, |query| {
        if query.starts_with("SELECT") { Ok(()) } else { Err("this is not SQL".to_owned()) }
    });
    let Stored { definitions, refused } = load_stored(&pipelines, &[], &queries);
    let [pipeline] = &definitions.pipelines[..] else { panic!("{definitions:?}") };
    let rules: Vec<&str> = pipeline.rules.iter().map(|rule| &*rule.name).collect();
    let signals: Vec<&str> = pipeline.signals.iter().map(|signal| &*signal.name).collect();
    assert_eq!((rules, signals), (vec!["good", "last"], vec!["temperature", "heat"]));
    assert_eq!(pipeline.jobs.iter().map(|job| &*job.name).collect::<Vec<_>>(), ["daily"]);
    let left_out: Vec<(&str, &str, usize)> =
        refused.iter().map(|one| (&*one.list, &*one.name, one.mistake.line)).collect();
    assert_eq!(
        left_out,
        [
            ("jobs", "hourly", 17),
            ("signals", "broken", 5),
            ("rules", "future", 11),
            ("rules", "unfinished", 14),
            ("rules", "on-broken", 13),
        ]
    );
    assert!(
        refused[2].to_string().starts_with(
            "the rule 'future' no longer loads and is left out: p.yaml:11:5: unknown key 'colour'"
        ),
        "{}",
        refused[2]
    );
}

#[test]
fn a_file_that_is_beyond_help_takes_no_other_with_it() {
    let good = "pipeline: q\nrules:\n  - { name: r, assets: '**', when: 'a > 1.0', severity: minor }\n";
    for bad in ["pipeline: [", "pipeline: 'a b'\nrules: []\n", "", "pipeline: p\nrulez: []\n"] {
        let pipelines = files(&[("bad.yaml", bad), ("good.yaml", good)]);
        let Stored { definitions, refused } = load_stored(&pipelines, &[], &Diagnostics::default());
        assert_eq!(definitions.pipelines.len(), 1, "{bad}");
        let [only] = &refused[..] else { panic!("{bad}: {refused:?}") };
        assert!(only.to_string().starts_with("the whole file bad.yaml no longer loads"), "{only}");
    }
}

#[test]
fn what_loads_is_loaded_alike() {
    let pipelines = files(&[(
        "p.yaml",
        "pipeline: p\nrules:\n  - { name: r, assets: '**', when: 'a > 1.0', severity: minor }\n",
    )]);
    let Stored { definitions, refused } = load_stored(&pipelines, &[], &Diagnostics::default());
    assert_eq!(refused, []);
    assert_eq!(format!("{definitions:?}"), format!("{:?}", load_definitions(&pipelines, &[]).unwrap()));
}
