//! Tests of loading definitions.

use crate::*;

fn pipelines(text: &str) -> Result<Definitions, Diagnostics> {
    load_definitions(&[("p.yaml".to_owned(), text.to_owned())], &[])
}

const RULE_HEAD: &str = "pipeline: p\nsignals:\n  - { name: temperature, assets: \"**\" }\nrules:\n";

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
fn a_mistake_is_shown_where_it_is() {
    let text = format!(
        "{RULE_HEAD}  - {{ name: hot, assets: \"**\", when: \"temprature > 90.0\", severity: major }}\n"
    );
    let expected = "p.yaml:5:44: unknown signal 'temprature'\n 5 |   - { name: hot, assets: \"**\", when: \"temprature > 90.0\", severity: major }\n   |                                            ^\n  hint: did you mean 'temperature'?";
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
            "{ name: a, assets: \"**\", rate: { signal: temperature }, until: \"temperature < 1.0\", severity: major }",
            "`until` goes with `when` only",
        ),
        (
            "{ name: a, assets: \"**\", deviation: { signal: temperature, method: robust_z, sensitivity: low }, severity: major }",
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
fn derived_signals_are_ordered_and_cycles_are_refused() {
    let text = "pipeline: p\nsignals:\n  - { name: c, assets: \"**\", expr: \"b + 1.0\" }\n  - { name: b, assets: \"**\", expr: \"a + 1.0\" }\n";
    let definitions = pipelines(text).unwrap();
    let order: Vec<&str> = definitions.pipelines[0].signals.iter().map(|signal| &*signal.name).collect();
    assert_eq!(order, ["b", "c"]);
    // What a signal of another pipeline rests on counts, too.
    let other = "pipeline: q\nsignals:\n  - { name: d, assets: \"**\", expr: \"e + 1.0\" }\n  - { name: a, assets: \"**\", expr: \"d + 1.0\" }\n";
    let third = "pipeline: r\nsignals:\n  - { name: f, assets: \"**\", expr: \"c + 1.0\" }\n  - { name: e, assets: \"**\", expr: \"x + 1.0\" }\n";
    let files = [text, other, third].map(|text| (text.chars().take(12).collect(), text.to_owned()));
    let definitions = load_definitions(&files, &[]).unwrap();
    let order: Vec<&str> = definitions
        .pipelines
        .iter()
        .flat_map(|pipeline| &pipeline.signals)
        .map(|signal| &*signal.name)
        .collect();
    assert_eq!(order, ["b", "c", "d", "a", "e", "f"]);
    let error = pipelines(&text.replace("a + 1.0", "c + 1.0")).unwrap_err().to_string();
    assert!(error.contains("depends on itself"), "{error}");
}

/// Every mistake of several pipelines, each with signals given as `name assets expression`, as `file:line:
/// message hint`.
fn mistakes_of_signals(files: &[&[&str]]) -> Vec<String> {
    let text = |(number, signals): (usize, &&[&str])| {
        let signal = |line: &&str| {
            let [name, assets, expr] = line.splitn(3, ' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
            format!("  - {{ name: {name}, assets: \"{assets}\", expr: \"{expr}\" }}\n")
        };
        (
            format!("{number}.yaml"),
            format!("pipeline: p{number}\nsignals:\n{}", signals.iter().map(signal).collect::<String>()),
        )
    };
    let files: Vec<(String, String)> = files.iter().enumerate().map(text).collect();
    let Diagnostics(found) = load_definitions(&files, &[]).map(|_| ()).err().unwrap_or_default();
    found
        .iter()
        .map(|at| format!("{}:{}: {}; {}", at.file, at.line, at.message, at.hint.clone().unwrap_or_default()))
        .collect()
}

#[test]
fn derived_signals_are_judged_over_all_pipelines() {
    let x = "0.yaml:3: the derived signal 'x' depends on itself; 'x' (0.yaml:3) is computed from 'y' (1.yaml:3) is computed from 'x'";
    let y = "1.yaml:3: the derived signal 'y' depends on itself; 'y' (1.yaml:3) is computed from 'x' (0.yaml:3) is computed from 'y'";
    assert_eq!(mistakes_of_signals(&[&["x ** y + 1", "z ** x + 1"], &["y ** x + 1"]]), [x, y]);
    let itself = "0.yaml:3: the derived signal 'x' depends on itself; 'x' (0.yaml:3) is computed from 'x'";
    assert_eq!(mistakes_of_signals(&[&["x ** x + 1"]]), [itself]);
    let twice = "1.yaml:3: the derived signal 'x' is defined twice for the same assets; the other one is at 0.yaml:3; rename one, or select assets that the other one does not";
    assert_eq!(mistakes_of_signals(&[&["x plant1/** y + 1"], &["x **/pump* y + 2"]]), [twice]);
    assert_eq!(
        mistakes_of_signals(&[&["x ** y + 1", "x ** y + 1"]]),
        [twice.replace("1.yaml:3", "0.yaml:4")]
    );
    assert_eq!(
        mistakes_of_signals(&[&["x plant1/** y + 1"], &["x plant2/** y + 2", "z ** x + y"]]),
        Vec::<String>::new()
    );
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
fn a_model_names_signals_that_some_pipeline_declares() {
    let first = "pipeline: a\nsignals:\n  - { name: temperature, assets: \"**\" }\n";
    let second = "pipeline: b\nsignals:\n  - { name: flow, assets: \"**\" }\n  - { name: heat, assets: \"**\", expr: \"flow * 2.0\" }\n";
    let error = with_model(&[first, second], MODEL).unwrap_err();
    let expected = "m.yaml:4:24: unknown signal 'flwo'\n 4 | signals: [temperature, flwo]\n   |                        ^\n  hint: did you mean 'flow'?";
    assert_eq!(error.to_string(), expected);
    assert!(with_model(&[first, second], &MODEL.replace("flwo", "flow")).is_ok());
    assert!(with_model(&[first, second], &MODEL.replace("flwo", "heat")).is_ok());
    let error = with_model(&[first], &MODEL.replace("flwo", "pressure")).unwrap_err().to_string();
    assert!(error.ends_with("hint: declare it under `signals` of a pipeline"), "{error}");
}

#[test]
fn a_model_may_name_any_signal_while_none_is_declared() {
    let derived = "pipeline: a\nsignals:\n  - { name: heat, assets: \"**\", expr: \"flow * 2.0\" }\n";
    for pipelines in [&[][..], &["pipeline: a\n"], &[derived]] {
        let loaded = with_model(pipelines, MODEL).unwrap_or_else(|error| panic!("{error}"));
        let signals: Vec<&str> = loaded.models[0].signals.iter().map(|name| &**name).collect();
        assert_eq!(signals, ["temperature", "flwo"]);
    }
    let error = with_model(&[], &MODEL.replace("flwo", "\"1 x\"")).unwrap_err();
    assert_eq!((error.0.len(), error.0[0].line), (1, 4), "{error}");
}

#[test]
fn a_pipeline_that_cannot_be_read_casts_no_doubt_on_models() {
    let error = with_model(
        &["pipeline: a\nsignals:\n  - { name: temperature, assets: \"**\" }\n", "pipeline: [\n"],
        MODEL,
    )
    .unwrap_err();
    assert!(error.0.iter().all(|mistake| mistake.file == "1.yaml"), "{error}");
}

#[test]
fn faults_of_form_are_told_in_plain_words() {
    for (text, line, message, hint) in [
        (
            "pipeline: p\nrules:\n",
            2,
            "a list is expected here",
            Some("begin each item with `- `, or write `[]` for none"),
        ),
        ("pipeline: p\nrules: [x]\n", 2, "keys with values are expected here", Some("write `key: value`")),
        (
            "pipeline: [p]\n",
            1,
            "a single value is expected here",
            Some("put a text with `[`, `{` or `: ` in quotes"),
        ),
        ("pipeline:\n", 1, "a value is missing here", Some("write one; an empty text is \"\"")),
        ("pipeline: p\npipeline: q\n", 2, "the key 'pipeline' stands twice", None),
        (
            "pipeline: a: b\n",
            1,
            "a key with a value cannot stand here",
            Some("put a text with `: ` in quotes, and indent keys that belong together alike"),
        ),
        ("pipeline: p\nrules:\n\t- name: x\n", 3, "a tab cannot stand here", Some("indent with blanks")),
        ("pipeline: \"p\n", 1, "a quote is not closed", Some("end the text with the same quote")),
        (
            "pipeline: *p\n",
            1,
            "this alias stands for nothing",
            Some("name what it stands for with `&` before it, or put the text in quotes"),
        ),
        ("pipeline: &p [*p]\n", 1, "this alias is part of what it stands for", Some("write it out")),
        (
            "# no keys\n",
            2,
            "the file ends too early",
            Some("it may hold no keys at all, or a bracket or quote may not be closed"),
        ),
        (
            "pipeline: p\n---\npipeline: q\n",
            3,
            "a second document begins here",
            Some("a file holds one definition; put the other one in a file of its own"),
        ),
    ] {
        let error = pipelines(text).unwrap_err();
        let [only] = &error.0[..] else { panic!("{text}\n{error}") };
        assert_eq!((only.line, only.message.as_str(), only.hint.as_deref()), (line, message, hint), "{text}");
    }
    for (text, message) in [
        ("limits: { max_series: many }\n", "a whole number, zero or above, is expected here"),
        ("limits: { max_series: -1 }\n", "a whole number, zero or above, is expected here"),
        ("log:\n", "keys with values are expected here"),
    ] {
        let error = parse_server_config("f.yaml", text, &|_| None).unwrap_err();
        assert_eq!(error.0[0].message, message, "{text}");
    }
    for (text, message) in [
        ("log: { group_delay: 1s }\n", "every sender waits this long, so it may be at most 100ms"),
        ("log: { compression: zip }\n", "'zip' is not one of none, lz4"),
    ] {
        let error = parse_server_config("f.yaml", text, &|_| None).unwrap_err();
        assert_eq!(error.0[0].message, message, "{text}");
    }
    let log =
        parse_server_config("f.yaml", "log: { group_delay: 0s, compression: lz4 }\n", &|_| None).unwrap().log;
    assert_eq!((log.group_delay_us, log.compression), (0, crate::LogCompression::Lz4));
    let error = parse_server_config("f.yaml", "listen: 8080\nlogs: {}\nlog: x\n", &|_| None).unwrap_err();
    assert_eq!(error.0.iter().map(|mistake| mistake.line).collect::<Vec<_>>(), [1, 2, 3], "{error}");
    let error = with_model(&[], &MODEL.replace("cap: 720", "cap: much")).unwrap_err();
    assert_eq!(error.0[0].message, "a number is expected here");
    let error = with_model(&[], &MODEL.replace("windows: [6h]", "windows: [6h], age: old")).unwrap_err();
    assert_eq!(error.0[0].message, "true or false is expected here");
}

/// Every mistake of a pipeline as `line:column: message`.
fn mistakes(text: &str) -> Vec<String> {
    let Diagnostics(found) = pipelines(text).map(|_| ()).unwrap_err();
    found.iter().map(|mistake| format!("{}:{}: {}", mistake.line, mistake.column, mistake.message)).collect()
}

#[test]
fn a_fault_of_form_hides_no_other_mistake() {
    let text = "pipeline: p
signals:
  - { name: temperature, assets: \"**\", colour: red }
rules:
  - name: a
    assets: \"**\"
    wehn: \"temprature > 1.0\"
    colour: blue
    serious: very
    severity: major
  - { name: b, assets: [x], when: \"temperature > 1.0\" }
  - nonsense
  - { name: c, name: d, assets: \"**\", missing: { signal: temperature }, severity: huge }
  - { name: e, assets: \"**\", rate: { signal: temperature, above: fast }, severity: minor }
  - { name: f, assets: \"**\", when: \"temperature >\", severity: minor }
jobs: {}
";
    assert_eq!(
        mistakes(text),
        [
            "3:40: unknown key 'colour'",
            "7:5: unknown key 'wehn'",
            "7:12: unknown signal 'temprature'",
            "8:5: unknown key 'colour'",
            "9:5: unknown key 'serious'",
            "11:5: the key 'severity' is missing",
            "11:24: a single value is expected here",
            "12:5: keys with values are expected here",
            "13:16: the key 'name' stands twice",
            "13:48: the key 'longer_than' is missing",
            "13:83: 'huge' is not one of critical, major, minor, warning",
            "14:66: a number is expected here",
            "15:50: the expression ends too early",
            "16:7: a list is expected here",
        ]
    );
}

#[test]
fn what_could_not_be_read_is_not_missed_elsewhere() {
    for (text, expected) in [
        (
            "pipeline: p\nsignals:\n  - { nmae: flow, assets: \"**\" }\nrules:\n  - { name: a, assets: \"**\", when: \"flow > 1\", severity: minor }\n",
            &["3:7: unknown key 'nmae'"][..],
        ),
        (
            "pipeline: p\nsignals:\n  - { name: x, assets: \"**\" }\n  - { name: [flow], assets: \"**\" }\nrules:\n  - { name: a, assets: \"**\", when: \"flow > 1\", severity: minor }\n",
            &["4:13: a single value is expected here"],
        ),
        (
            "pipeline: [p]\nrules:\n  - { name: a, assets: \"**\", when: \"1 >\", severity: minor }\n",
            &["1:11: a single value is expected here", "3:40: the expression ends too early"],
        ),
        (
            "rules: x\njobs: [3]\n",
            &[
                "1:1: the key 'pipeline' is missing",
                "1:8: a list is expected here",
                "2:8: keys with values are expected here",
            ],
        ),
        ("pipeline: p\nsources: [ {} ]\n", &["2:12: the key 'mqtt' is missing"]),
        (
            "pipeline: p\nviews: x\nviews: y\n",
            &["2:1: `views` is not supported yet", "3:1: the key 'views' stands twice"],
        ),
        (
            "pipeline: p\nsources:\n  - mqtt: { url: mqtt://b, topic: [x], asset: \"{1}\", signal: v, payload: number, client_id: [x] }\n",
            &["3:35: a single value is expected here", "3:93: a single value is expected here"],
        ),
        ("nothing\n", &["1:1: keys with values are expected here"]),
    ] {
        assert_eq!(mistakes(text), expected, "{text}");
    }
}

#[test]
fn values_mean_what_yaml_says_they_mean() {
    let text = "pipeline: p
rules:
  - &base
    name: 1.50
    assets: 007
    when: true
    severity: major
    action: ~
  - { <<: *base, name: 'true', assets: \"**\", severity: minor, tolerance: \"5m\" }
";
    let error = pipelines(text).unwrap_err();
    assert_eq!(error.0.len(), 1, "{error}");
    assert_eq!(error.0[0].message, "\"1.50\" is no name");
    let loaded = pipelines(&text.replace("1.50", "'a'")).unwrap_or_else(|error| panic!("{error}"));
    let [first, second] = &loaded.pipelines[0].rules[..] else { panic!("{loaded:?}") };
    assert_eq!(
        (first.assets.as_str(), first.action.as_deref(), first.severity),
        ("007", None, forewarn_types::Severity::Major)
    );
    assert_eq!(
        (&*second.name, second.assets.as_str(), second.severity),
        ("true", "**", forewarn_types::Severity::Minor)
    );
    let limits = |text: &str| parse_server_config("f.yaml", text, &|_| None).unwrap().limits;
    assert_eq!(limits("limits: { max_series: 0x10, max_sql_rows: \"7\" }\n").max_series, 16);
    assert_eq!(limits("limits: { max_series: 1_000 }\n").max_series, 1_000);
}

#[test]
fn a_caret_finds_its_place_in_any_way_to_write_a_text() {
    let rule = |when: &str| {
        format!(
            "pipeline: p\nrules:\n  - name: a\n    assets: \"**\"\n    severity: minor\n    when: {when}\n"
        )
    };
    for (when, line, column) in [
        ("\"a > 1 and b > 1\"", 6, 18),
        ("'ü > 1 and b > 1'", 6, 18),
        ("a > 1 and b > 1", 6, 17),
        ("\"a >\\n 1 and b > 1\"", 6, 11),
        ("\"a > 1\n      && b > 1 and c > 1\"", 7, 16),
        ("a > 1\n      && b > 1 and c > 1", 7, 16),
        (">\n      a > 1\n\n      && b > 1 and c > 1", 9, 16),
        ("|\n      a > 1\n      && b > 1 and c > 1", 8, 16),
        (">- # why\n      a > 1\n      && b >", 8, 13),
        ("\t\"a > 1 and b > 1\"", 6, 19),
    ] {
        let error = pipelines(&rule(when)).unwrap_err();
        assert_eq!((error.0.len(), error.0[0].line, error.0[0].column), (1, line, column), "{when}\n{error}");
    }
    let shown = pipelines(&rule("\t\"a and b\"")).unwrap_err().to_string();
    assert!(shown.contains("\n 6 |     when: \t\"a and b\"\n   |           \t   ^"), "{shown}");
    assert_eq!(mistakes("\u{feff}pipeline: 1\nx: y\n"), ["1:11: \"1\" is no name", "2:1: unknown key 'x'"]);
}

#[test]
fn hostile_files_are_refused_and_do_not_hold_the_loader_up() {
    let many = |count: usize, item: &str| format!("pipeline: p\nrules:\n{}", item.repeat(count));
    let bombs = (0..9)
        .map(|i| format!("b{}: &b{} [{}]\n", i + 1, i + 1, vec![format!("*b{i}"); 9].join(", ")))
        .collect::<Vec<_>>()
        .concat();
    for (name, text) in [
        ("flow", format!("pipeline: {}", "[".repeat(1_000_000))),
        ("keys", format!("pipeline: {}", "{a: ".repeat(1_000_000))),
        ("block", (0..2_000).map(|i| format!("{}a:\n", " ".repeat(i))).collect::<Vec<_>>().concat()),
        ("dashes", format!("pipeline: p\nrules:\n  {}x\n", "- ".repeat(100_000))),
        ("aliases", format!("pipeline: p\nb0: &b0 [x, x, x, x, x, x, x, x, x]\n{bombs}")),
        ("mistakes", many(20_000, "  - { name: a b, assets: \"x**\", whom: 1, severity: huge }\n")),
        ("one line", format!("pipeline: p\nrules: [{}]\n", "{ nmae: 1 },".repeat(20_000))),
        (
            "long text",
            many(
                1,
                &format!(
                    "  - {{ name: a, assets: \"**\", when: \"{}\", severity: minor }}\n",
                    "(".repeat(1_000_000)
                ),
            ),
        ),
        ("large", many(200_000, "  - { name: a, assets: \"**\", when: \"t > 1\", severity: minor }\n")),
    ] {
        let error = pipelines(&text).unwrap_err();
        assert!(!error.0[0].message.contains("limit"), "{name}: {error}");
        assert!((1..=1_001).contains(&error.0.len()), "{name}: {}", error.0.len());
        assert!(error.to_string().len() < 1_000_000, "{name}");
    }
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
            "pipeline: p\nsources:\n  - mqtt: {{ url: \"mqtt://b\", topic: \"a/+\", asset: \"{asset}\", signal: v, payload: number }}\n"
        );
        let error = pipelines(&source).unwrap_err();
        assert_eq!((error.0.len(), error.0[0].line, error.0[0].column), (1, 3, column), "{error}");
        assert!(error.0[0].message.contains(message), "{error}");
    }
}
