//! Routes and contacts, and what is said of those that make no sense.

use super::pipelines;
use crate::*;

fn settings(text: &str) -> Result<ServerConfig, Diagnostics> {
    parse_server_config("forewarn.yaml", text, &|_| None)
}

fn routes(text: &str) -> Result<Vec<Route>, Diagnostics> {
    pipelines(&format!("pipeline: p\nroutes:\n{text}")).map(|mut loaded| loaded.pipelines.remove(0).routes)
}

#[test]
fn a_route_is_read_as_it_is_written() {
    let read = routes(
        "  - match: { severity: [critical, major], assets: [\"p/**\", \"!p/test/**\"], rule: \"hot*\" }\n    to: [ops]\n    \
         group: { by: [asset], wait: 30s, repeat: 4h }\n    escalate: [ { after: 15m, to: lead } ]\n    \
         quiet: { daily: \"22:00-06:00\", timezone: Europe/Oslo, except: critical }\n  - { to: ops }\n",
    )
    .unwrap_or_else(|error| panic!("{error}"));
    let route = &read[0];
    assert_eq!(
        (route.to.as_slice(), route.escalate[0].to.as_slice()),
        (&["ops".to_owned()][..], &["lead".to_owned()][..])
    );
    assert_eq!((route.group.wait_us, route.group.repeat_us), (30_000_000, Some(14_400_000_000)));
    let quiet = route.quiet.unwrap();
    assert_eq!((quiet.from_minute, quiet.to_minute, quiet.timezone.name()), (1320, 360, "Europe/Oslo"));
    let major = forewarn_types::Severity::Major;
    for (rule, asset, severity, expected) in [
        ("hot-pump", "p/a", major, None),
        ("cold", "p/a", major, Some("rule")),
        ("hot", "p/test/a", major, Some("assets")),
        ("hot", "p/a", forewarn_types::Severity::Minor, Some("severity")),
    ] {
        assert_eq!(route.mismatch(rule, asset, severity), expected, "{rule} {asset}");
    }
    assert_eq!((read[1].group.by.as_ref(), read[1].group.wait_us), (None, 0));
    assert_ne!(read[0].name, read[1].name);
}

#[test]
fn each_mistake_in_a_route_has_its_message() {
    for (text, message) in [
        ("  - { match: { severity: [] }, to: [ops] }\n", "the list `severity` of a route is empty"),
        ("  - { to: [] }\n", "the list `to` of a route is empty"),
        ("  - { match: { severity: [] } }\n", "the key 'to' is missing"),
        ("  - { match: { assets: [] }, to: [ops] }\n", "no asset is selected"),
        ("  - { to: [ops, ops] }\n", "the contact 'ops' stands twice"),
        ("  - { to: [ops], quiet: { daily: \"22-6\" } }\n", "'22-6' is no hours of the day"),
        (
            "  - { to: [ops], quiet: { daily: \"22:00-06:00\", timezone: Mars } }\n",
            "unknown time zone 'Mars'",
        ),
        ("  - { to: [ops], group: { by: [colour] } }\n", "'colour' is not one of asset, rule, severity"),
        (
            "  - { to: [ops], escalate: [ { after: 1h, to: [a] }, { after: 1h, to: [b] } ] }\n",
            "in the order of their times",
        ),
        ("  - { name: r, to: [ops] }\n  - { name: r, to: [ops] }\n", "the route 'r' is defined twice"),
    ] {
        let error = routes(text).expect_err(text).to_string();
        assert!(
            error.contains(message) || error.contains("is an empty list"),
            "{message} is missing in\n{error}"
        );
    }
}

#[test]
fn each_mistake_in_a_contact_has_its_message() {
    for (text, message) in [
        ("contacts: { ops: {} }\n", "the contact 'ops' must be reached in one way"),
        ("contacts: { ops: { webhook: \"http://a\", email: a@b } }\n", "must be reached in one way"),
        ("contacts: { ops: { webhook: \"a\" } }\n", "this is no URL"),
        ("contacts: { ops: { webhook: { url: \"http://a\", method: JUMP } } }\n", "'JUMP' is no method"),
        ("contacts: { ops: { email: a } }\n", "'a' is no e-mail address"),
        ("contacts: { ops: { rotation: [a], hand_over: \"8\" } }\n", "'8' is no time of a hand-over"),
        (
            "contacts: { ops: { webhook: \"http://a\", hand_over: \"mon 08:00\" } }\n",
            "`hand_over` goes with `rotation` only",
        ),
        (
            "contacts: { ops: { mqtt: { url: \"mqtt://a\", topic: \"a/#\" } } }\n",
            "no topic that can be published to",
        ),
        ("contacts: { ops: { webhook: \"http://${HOST}\" } }\n", "HOST is not set"),
    ] {
        let error = settings(text).expect_err(text).to_string();
        assert!(error.contains(message), "{message} is missing in\n{error}");
    }
}

#[test]
fn contacts_that_routes_and_rotations_name_must_be_there() {
    let read = settings(
        "contacts: { ops: { webhook: \"http://a\" }, anna: { email: a@b }, duty: { rotation: [anna, ole] } }\n",
    )
    .unwrap();
    let file = ("p.yaml".to_owned(), "pipeline: p\nroutes:\n  - { to: [opps, duty] }\n".to_owned());
    let found = check_contacts(&[file], "forewarn.yaml", &read.notify).to_string();
    for part in [
        "p.yaml:3:12: there is no contact 'opps'",
        "did you mean 'ops'?",
        "the contact 'anna' is reached by e-mail, and there is no mail server",
        "the rotation 'duty' names 'ole', which is not there",
    ] {
        assert!(found.contains(part), "{part} is missing in\n{found}");
    }
}

#[test]
fn secrets_stand_in_no_log() {
    let text = "contacts: { ops: { webhook: { url: \"http://a/hidden\", secret: hidden } }, p: { pagerduty: hidden } }\n";
    let shown = format!("{:?}", settings(text).unwrap().notify);
    assert!(!shown.contains("hidden"), "{shown}");
}

#[test]
fn the_examples_of_the_documentation_load() {
    let path = format!("{}/../../docs/notifications.md", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let examples = |kind: &str| -> Vec<String> {
        let fence = format!("```yaml {kind}\n");
        let parts = text.split(&fence).skip(1);
        parts.map(|part| part.split("```").next().unwrap().to_owned()).collect()
    };
    let servers: Vec<ServerConfig> = examples("server")
        .iter()
        .map(|text| settings(text).unwrap_or_else(|error| panic!("{error}")))
        .collect();
    let files: Vec<_> = examples("pipeline").into_iter().map(|text| ("docs.yaml".to_owned(), text)).collect();
    assert!(servers.len() > 1 && !files.is_empty());
    assert!(load_definitions(&files, &[]).is_ok());
    let found = check_contacts(&files, "forewarn.yaml", &servers[0].notify);
    assert!(found.0.is_empty(), "{found}");
}
