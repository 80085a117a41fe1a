//! Tests of loading definitions.

mod contacts;
mod documented;
mod form;
mod frames;
mod references;
mod signals;
mod stored;

use crate::*;

fn pipelines(text: &str) -> Result<Definitions, Diagnostics> {
    load_definitions(&[("p.yaml".to_owned(), text.to_owned())], &[])
}

const RULE_HEAD: &str = "pipeline: p\nsignals:\n  - { name: temperature, assets: \"**\" }\nrules:\n";

const MODEL: &str = "model: m
kind: time_to_failure
assets: \"**\"
signals: [temperature, flwo]
features: { every: 1h, windows: [6h] }
target: { unit: hours, cap: 720 }
";

fn with_model(pipelines: &[&str], model: &str) -> Result<Definitions, Diagnostics> {
    let files: Vec<(String, String)> =
        pipelines.iter().enumerate().map(|(i, text)| (format!("{i}.yaml"), (*text).to_owned())).collect();
    load_definitions(&files, &[("m.yaml".to_owned(), model.to_owned())])
}

#[test]
fn the_shipped_definitions_load() {
    let read =
        |path: &str| std::fs::read_to_string(format!("{}/../../{path}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let definitions = load_definitions(
        &[("pumps.yaml".to_owned(), read("pipelines/pumps.yaml"))],
        &[("pump-life.yaml".to_owned(), read("models/pump-life.yaml"))],
    )
    .unwrap_or_else(|error| panic!("{error}"));
    assert!(definitions.pipelines[0].rules.iter().any(|rule| &*rule.name == "bearing-hot"));
    assert_eq!(definitions.pipelines[0].jobs[0].into, "health_daily");
    assert_eq!(
        (definitions.models[0].name.as_str(), definitions.models[0].target.unit),
        ("pump-life", TimeUnit::Hours)
    );
    let config = parse_server_config("forewarn.yaml", &read("forewarn.yaml"), &|_| None)
        .unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((config.log.max_bytes, config.listen.as_str()), (10_000_000_000, "127.0.0.1:8080"));
}

#[test]
fn a_condition_that_can_never_hold_is_a_warning_with_its_place() {
    let text = format!(
        "{RULE_HEAD}  - {{ name: hot, assets: \"**\", when: \"temperature/0 > 1\", severity: major }}\n  - {{ name: \
         cold, assets: \"**\", when: \"temperature < 1\", until: \"abs(temperature) < 0\", severity: major }}\n"
    );
    let definitions = pipelines(&text).unwrap();
    assert_eq!(definitions.pipelines[0].rules.len(), 2, "a warning refuses nothing");
    let told: Vec<(usize, &str, Option<&str>)> = definitions
        .warnings
        .0
        .iter()
        .map(|one| (one.line, one.message.as_str(), one.hint.as_deref()))
        .collect();
    let undefined = "`temperature / 0.0` is never a number, and a comparison with it is unknown";
    let expected = [
        (5, "this condition can never hold", Some(undefined)),
        (6, "this condition can never hold", Some("whatever the signals are, it is false or unknown")),
    ];
    assert_eq!(told, expected);
}

#[test]
fn assets_may_be_a_list_and_leave_some_out() {
    let rule = |assets: &str| {
        let text = format!(
            "pipeline: p\nrules:\n  - {{ name: r, assets: {assets}, when: x > 1.0, severity: major }}\n"
        );
        pipelines(&text).map(|found| found.pipelines[0].rules[0].clone())
    };
    let found = rule("[\"plant1/**/pump*\", \"!plant1/test/**\"]").unwrap();
    assert!(found.assets.matches("plant1/line1/pump1") && !found.assets.matches("plant1/test/pump1"));
    assert_eq!(
        rule("[\"**\"]").unwrap().version,
        rule("\"**\"").unwrap().version,
        "one in a list is the same"
    );
    for (assets, message) in [
        ("[\"!plant1/**\"]", "no asset is selected"),
        ("[\"**\", \"!a//b\"]", "the selector \"a//b\" has an empty level"),
        ("\"\"", "the selector is empty; `**` selects every asset"),
    ] {
        let mistakes = rule(assets).unwrap_err();
        assert_eq!(mistakes.0.len(), 1, "{mistakes}");
        assert_eq!((mistakes.0[0].line, mistakes.0[0].message.as_str()), (3, message));
    }
    assert!(rule("[]").is_err());
}

#[test]
fn a_name_with_a_minus_is_said_to_be_read_as_a_difference() {
    let rule = |when: &str| {
        let text = format!(
            "pipeline: p\nrules:\n  - {{ name: r, assets: \"**\", when: \"{when}\", severity: major }}\n"
        );
        let found = pipelines(&text);
        found.map(|found| found.warnings.0.iter().map(|one| one.message.clone()).collect::<Vec<_>>())
    };
    assert_eq!(rule("temp-in > 3").unwrap(), ["'temp-in' is read as a difference of two signals"]);
    for fine in ["temp - out > 3", "`temp-in` > 3", "x-1 > 3", "-x > 3", "(a)-(b) > 3"] {
        assert_eq!(rule(fine).unwrap(), [""; 0], "{fine}");
    }
    let mistake = rule("running").unwrap_err().0.remove(0);
    assert_eq!(mistake.message, "this must be a true-or-false, but it is a number");
    let hint = "a signal is a number, 1 for true and 0 for false: write `running > 0.5`";
    assert_eq!(mistake.hint.as_deref(), Some(hint));
}

#[test]
fn a_mistake_is_shown_where_it_is() {
    let text = format!(
        "{RULE_HEAD}  - {{ name: hot, assets: \"**\", when: \"temprature > 90.0\", severity: major }}\n"
    );
    let expected = "p.yaml:5:44: unknown signal 'temprature'\n 5 |   - { name: hot, assets: \"**\", when: \
        \"temprature > 90.0\", severity: major }\n   |                                            ^\n  \
        hint: did you mean 'temperature'?";
    let rendered = pipelines(&text).unwrap_err().to_string();
    let expected = expected
        .replace("5:44", "5:39")
        .replace(&format!("{}^", " ".repeat(44)), &format!("{}^", " ".repeat(39)));
    assert_eq!(rendered, expected);
}

#[test]
fn each_mistake_has_its_message() {
    for (rule, message) in [
        ("{ name: a, assets: \"**\", severity: major }", "the rule 'a' must have one condition"),
        (
            "{ name: a, assets: \"**\", when: \"temperature\", severity: major }",
            "this must be a true-or-false, but it is a number",
        ),
        (
            "{ name: a, assets: \"x**\", when: \"temperature > 1.0\", severity: major }",
            "must be a level of its own",
        ),
        (
            "{ name: a, assets: \"**\", when: \"temperature > 1.0\", severity: huge }",
            "'huge' is not one of critical, major, minor, warning",
        ),
        (
            "{ name: a, assets: \"**\", when: \"temperature > 1.0\", for: soon, severity: major }",
            "is not a duration",
        ),
        ("{ name: a b, assets: \"**\", when: \"temperature > 1.0\", severity: major }", "is no name"),
        (
            "{ name: a, assets: \"**\", deviation: { signal: temp }, severity: major }",
            "unknown signal 'temp'",
        ),
        (
            "{ name: a, assets: \"**\", deviation: { signal: temperature, method: magic }, severity: major }",
            "'magic' is not one of",
        ),
        (
            "{ name: a, assets: \"**\", deviation: { signal: temperature, above: 3.0 }, severity: major }",
            "`above` goes with",
        ),
        (
            "{ name: a, assets: \"**\", missing: { signal: temperature, longer_than: 0s }, severity: major }",
            "longer than zero",
        ),
        (
            "{ name: a, assets: \"**\", rate: { signal: temperature, above: -1.0 }, severity: major }",
            "above zero",
        ),
        (
            "{ name: a, assets: \"**\", rate: { signal: temperature }, until: \"temperature < 1.0\", \
             severity: major }",
            "`until` goes with `when` only",
        ),
        (
            "{ name: a, assets: \"**\", deviation: { signal: temperature, method: robust_z, sensitivity: \
             low }, severity: major }",
            "`sensitivity` goes with `method: learned_limits` only",
        ),
        ("{ name: a, assets: \"**\", wehn: \"temperature > 1.0\", severity: major }", "unknown key 'wehn'"),
        ("{ name: a, assets: \"**\", wehn: \"temperature > 1.0\", severity: major }", "did you mean 'when'?"),
        ("{ name: a, assets: \"**\", when: \"temperature > 1.0\" }", "the key 'severity' is missing"),
    ] {
        let text = format!("{RULE_HEAD}  - {rule}\n");
        let error = pipelines(&text).unwrap_err();
        assert!(error.to_string().contains(message), "{rule}\n{error}");
        assert_eq!(error.0[0].line, 5, "{error}");
    }
}

#[test]
fn all_files_are_judged_at_once() {
    let files = [
        ("a.yaml", "pipeline: [\n"),
        ("b.yaml", "pipeline: b\njobs:\n  - { name: j, schedule: \"0 2 * *\", sql: x, into: readings }\n"),
    ];
    let files = files.map(|(path, text)| (path.to_owned(), text.to_owned()));
    let models = [("m.yaml".to_owned(), "model: m\nkind: guess\n".to_owned())];
    let error = load_definitions(&files, &models).unwrap_err();
    let seen: Vec<&str> = error.0.iter().map(|diagnostic| diagnostic.file.as_str()).collect();
    assert_eq!(seen, [&["a.yaml", "b.yaml", "b.yaml"][..], &["m.yaml"; 5]].concat(), "{error}");
}

#[test]
fn names_are_unique_over_files() {
    let rule =
        "pipeline: NAME\nrules:\n  - { name: hot, assets: \"**\", when: \"t > 1.0\", severity: major }\n";
    let files = ["a", "b"].map(|name| (format!("{name}.yaml"), rule.replace("NAME", name)));
    let error = load_definitions(&files, &[]).unwrap_err().to_string();
    assert!(error.contains("the rule 'hot' is defined twice"), "{error}");
    assert!(error.contains("the other one is at a.yaml:3; rename one"), "{error}");
}

#[test]
fn each_mqtt_source_has_a_client_id_of_its_own() {
    let source =
        "  - mqtt: { url: \"mqtt://b\", topic: \"a/+\", asset: \"{1}\", signal: v, payload: numberID }\n";
    let text = |first: &str, second: &str| {
        format!("pipeline: p\nsources:\n{}{}", source.replace("ID", first), source.replace("ID", second))
    };
    let definitions = pipelines(&text("", "")).unwrap();
    let ids: Vec<&str> = definitions.pipelines[0]
        .sources
        .iter()
        .map(|Source::Mqtt(source)| source.client_id.as_str())
        .collect();
    assert_eq!(ids, ["forewarn-p", "forewarn-p-2"]);
    let error = pipelines(&text(", client_id: c", ", client_id: c")).unwrap_err().to_string();
    assert!(error.contains("another source already talks to this broker as 'c'"), "{error}");
}

#[test]
fn a_version_changes_with_the_condition_only() {
    let version = |rule: &str| {
        pipelines(&format!("{RULE_HEAD}  - {rule}\n")).unwrap().pipelines[0].rules[0].version.clone()
    };
    let a = version("{ name: a, assets: \"**\", when: \"temperature > 1.0\", severity: major }");
    assert_eq!(
        a,
        version("{ name: a, assets: \"**\", when: \"temperature > 1.0\", severity: minor, action: x }")
    );
    assert_ne!(a, version("{ name: a, assets: \"**\", when: \"temperature > 2.0\", severity: major }"));
}

#[test]
fn a_version_does_not_depend_on_how_an_expression_is_written() {
    let version = |when: &str, until: &str| {
        let rule = format!(
            "  - {{ name: a, assets: \"**\", when: \"{when}\", until: \"{until}\", severity: major }}\n"
        );
        pipelines(&format!("{RULE_HEAD}{rule}")).unwrap().pipelines[0].rules[0].version.clone()
    };
    let a = version("temperature > 1.0 && !(temperature > 9.0)", "temperature < 0.5");
    assert_eq!(a, version("(temperature>1)&&\n   !(`temperature` > 9)", "temperature<.5"));
    for (when, until) in [
        ("temperature > 1.0 && !(temperature > 9.0)", "temperature <= 0.5"),
        ("temperature > 1.0 || !(temperature > 9.0)", "temperature < 0.5"),
        ("!(temperature > 1.0 && temperature > 9.0)", "temperature < 0.5"),
    ] {
        assert_ne!(a, version(when, until), "{when} {until}");
    }
}

#[test]
fn settings_have_defaults_sizes_and_variables() {
    let text = "listen: \"${HOST:-0.0.0.0}:9000\"\nlake: \"${LAKE}\"\nlog: { max_bytes: 5MB }\n";
    let lake = |name: &str| (name == "LAKE").then(|| "s3://b/p".to_owned());
    let config = parse_server_config("f.yaml", text, &lake).unwrap();
    assert_eq!(
        (config.listen.as_str(), config.lake.as_str(), config.log.max_bytes),
        ("0.0.0.0:9000", "s3://b/p", 5_000_000)
    );
    let error = parse_server_config("f.yaml", text, &|_| None).unwrap_err().to_string();
    assert!(error.contains("f.yaml:2:7: the environment variable LAKE is not set"), "{error}");
    assert!(parse_server_config("f.yaml", "listen: nowhere\n", &lake).is_err());
    assert!(parse_server_config("f.yaml", "# nothing\n", &lake).is_ok());
}

#[test]
fn a_template_closes_its_braces_and_names_wildcards_of_the_topic() {
    for (asset, column, message) in [
        ("plant1/{1", 59, "a `{` has no `}`"),
        ("{1}/{2", 56, "a `{` has no `}`"),
        ("{1{1}", 52, "names a wildcard"),
        ("{1}/{2}", 56, "names a wildcard"),
        ("{1}/{0}", 56, "names a wildcard"),
        ("{}", 52, "names a wildcard"),
    ] {
        let source = format!(
            "pipeline: p\nsources:\n  - mqtt: {{ url: \"mqtt://b\", topic: \"a/+\", asset: \"{asset}\", \
             signal: v, payload: number }}\n"
        );
        let error = pipelines(&source).unwrap_err();
        assert_eq!((error.0.len(), error.0[0].line, error.0[0].column), (1, 3, column), "{error}");
        assert!(error.0[0].message.contains(message), "{error}");
    }
}
