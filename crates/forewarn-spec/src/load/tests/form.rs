//! What is said of files that YAML or the raw structs do not read.

use super::{MODEL, pipelines, with_model};
use crate::*;

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
}

#[test]
fn faults_of_settings_and_models_are_told_likewise() {
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
  - { name: b, assets: [[x]], when: \"temperature > 1.0\" }
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
            "11:25: a single value is expected here",
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
            "pipeline: p\nsignals:\n  - { nmae: flow, assets: \"**\" }\n\
             rules:\n  - { name: a, assets: \"**\", when: \"flow > 1\", severity: minor }\n",
            &["3:7: unknown key 'nmae'"][..],
        ),
        (
            "pipeline: p\nsignals:\n  - { name: x, assets: \"**\" }\n  - { name: [flow], assets: \"**\" }\n\
             rules:\n  - { name: a, assets: \"**\", when: \"flow > 1\", severity: minor }\n",
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
            "pipeline: p\nsources:\n  - mqtt: { url: mqtt://b, topic: [x], asset: \"{1}\", signal: v, \
             payload: number, client_id: [x] }\n",
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
fn the_front_door_is_described_in_the_settings() {
    let text = "listen: \"Forewarn.example:8080\"\nhosts: [gateway, \"${HOST}:9443\"]\n\
         connections: { max: 100, idle_timeout: 5s }\ntls: { cert: a.pem, key: b.pem }\n";
    let host = |name: &str| (name == "HOST").then(|| "other".to_owned());
    let http = parse_server_config("f.yaml", text, &host).unwrap_or_else(|error| panic!("{error}")).http;
    let hosts: Vec<_> = http.hosts.iter().map(|host| (host.name.as_str(), host.port)).collect();
    assert_eq!(hosts, [("gateway", None), ("other", Some(9443)), ("forewarn.example", None)]);
    assert_eq!((http.connections.max, http.connections.idle_timeout_us), (100, 5_000_000));
    assert_eq!(http.connections.write_timeout_us, 30_000_000);
    let tls = http.tls.unwrap();
    assert_eq!((tls.cert.to_str(), tls.client_ca), (Some("a.pem"), None));

    let error = parse_server_config("f.yaml", "hosts: [\"a/b\"]\n", &|_| None).unwrap_err().to_string();
    assert!(error.contains("is no host name") && error.contains("f.yaml:1"), "{error}");
}
