//! References to variables and files, and secrets that no message shows.

use crate::{Diagnostics, Source, load_definitions_with, load_stored, load_stored_with, parse_server_config};

const SECRET: &str = "p4ssw0rd";

fn variable(name: &str) -> Option<String> {
    match name {
        "HOST" => Some("broker".into()),
        "file:/run/mqtt" => Some(format!("{SECRET}\n")),
        _ => None,
    }
}

fn pipeline(url: &str, more: &str) -> Vec<(String, String)> {
    let text = format!(
        "pipeline: p\nsources:\n  - mqtt: {{ url: \"{url}\", topic: t/+, asset: \"{{1}}\", signal: v, payload: \
         number{more} }}\nrules:\n  - {{ name: hot, assets: \"**\", when: \"v > 1.0\", severity: minor }}\n"
    );
    vec![("p.yaml".to_owned(), text)]
}

#[test]
fn a_source_has_its_secret_and_shows_it_nowhere() {
    let files = pipeline("mqtt://user:${file:/run/mqtt}@${HOST}:1883", "");
    let loaded = load_definitions_with(&files, &[], &variable).unwrap();
    let Source::Mqtt(source) = &loaded.pipelines[0].sources[0];
    assert_eq!(source.url.reveal(), format!("mqtt://user:{SECRET}@broker:1883"));
    assert!(!format!("{loaded:?}").contains(SECRET));
    assert_eq!(loaded.warnings, Diagnostics::default());
}

#[test]
fn a_missing_variable_or_file_is_named_with_its_place() {
    for (reference, expected) in [
        ("${NOBODY}", "p.yaml:3:18: the environment variable NOBODY is not set"),
        ("${file:/run/other}", "p.yaml:3:18: the file /run/other cannot be read"),
        ("${HOST", "p.yaml:3:18: `${` has no closing `}`"),
    ] {
        let files = pipeline(&format!("mqtt://{reference}"), "");
        let mistakes = load_definitions_with(&files, &[], &variable).unwrap_err();
        assert_eq!(mistakes.0.len(), 1, "{mistakes}");
        assert!(mistakes.to_string().starts_with(expected), "{mistakes}");
    }
}

#[test]
fn no_message_shows_a_secret() {
    for (url, more) in [
        ("http://user:${file:/run/mqtt}@broker", ""),
        ("http://user:p4ssw0rd@broker", ""),
        ("mqtt://broker", ", client_id: \"${file:/run/mqtt}\", quality: \"${file:/run/mqtt}\""),
        ("mqtt://user:p4ssw0rd@broker", ", qos: 7"),
    ] {
        let files = pipeline(url, more);
        let mistakes = load_definitions_with(&files, &[], &variable).unwrap_err();
        assert!(!mistakes.to_string().contains(SECRET), "{mistakes}");
        let refused = load_stored_with(&files, &[], &Diagnostics::default(), &variable).refused;
        assert!(!refused.is_empty() && !format!("{refused:?}").contains(SECRET), "{refused:?}");
    }
    let settings = "lake: \"${file:/run/mqtt}\"\nlisten: \"${file:/run/mqtt}\"\n";
    let mistakes = parse_server_config("f.yaml", settings, &variable).unwrap_err();
    assert!(mistakes.to_string().contains("'${file:/run/mqtt}' is no address"), "{mistakes}");
}

#[test]
fn a_password_in_the_text_is_warned_of() {
    let loaded = load_definitions_with(&pipeline("mqtt://u:p4ssw0rd@b", ""), &[], &variable).unwrap();
    let warned = loaded.warnings.to_string();
    assert!(warned.contains("${file:/run/secrets/mqtt}") && !warned.contains(SECRET), "{warned}");
}

#[test]
fn whoever_has_no_use_for_sources_reads_rules_without_their_values() {
    for (url, more) in [
        ("mqtt://${NOBODY}", ""),
        ("${file:/nowhere}", ", qos: \"${QOS}\", max_packet: \"${SIZE}\", client_id: \"${ID}\""),
    ] {
        let stored = load_stored(&pipeline(url, more), &[], &Diagnostics::default());
        assert_eq!(stored.refused, []);
        assert_eq!(stored.definitions.pipelines[0].rules.len(), 1);
    }
}

#[test]
fn a_reference_stands_for_itself_where_two_dollars_are() {
    let loaded = parse_server_config("f.yaml", "data_dir: a$${b}${HOST}\n", &variable).unwrap();
    assert_eq!(loaded.data_dir.display().to_string(), "a${b}broker");
}
