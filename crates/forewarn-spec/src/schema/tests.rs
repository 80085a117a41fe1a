//! Tests that the schemas say what the loader does.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use proptest::prelude::*;
use proptest::string::string_regex;
use serde_json::{Value, json};

use super::checker::{faults, resolved};
use super::samples::{load, load_value, pointers, sample, with, without};
use super::schemas;
use crate::load_definitions;

fn schema(kind: &str) -> Value {
    schemas().into_iter().find(|(name, _)| *name == kind).unwrap().1
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Keys in order, so that a generated file does not depend on how a map keeps them.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            let ordered: BTreeMap<&String, Value> =
                object.iter().map(|(key, member)| (key, sorted(member))).collect();
            Value::Object(ordered.into_iter().map(|(key, member)| (key.clone(), member)).collect())
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        other => other.clone(),
    }
}

/// The schemas that `schema` gives to choose from, or itself.
fn alternatives<'a>(root: &'a Value, schema: &'a Value) -> Vec<&'a Value> {
    let schema = resolved(root, schema);
    match schema.get("anyOf").and_then(Value::as_array) {
        Some(either) => either.iter().flat_map(|one| alternatives(root, one)).collect(),
        None => vec![schema],
    }
}

/// The schema of what stands at `pointer` in a document; that of keys if it may be a single value as well.
fn schema_at<'a>(root: &'a Value, pointer: &str) -> &'a Value {
    let mut here = vec![root];
    for step in pointer.split('/').skip(1) {
        let inner = |schema: &&'a Value| match step.parse::<usize>() {
            Ok(_) => schema.get("items"),
            Err(_) => schema
                .get("properties")
                .and_then(|properties| properties.get(step))
                .or_else(|| schema.get("additionalProperties").filter(|values| values.is_object())),
        };
        let inner = here.iter().find_map(inner);
        here = alternatives(root, inner.unwrap_or_else(|| panic!("the schema has nothing at {pointer}")));
    }
    here.iter().find(|schema| schema["type"] == "object").unwrap_or(&here[0])
}

/// All schemas within `schema` that describe an object by its keys.
fn objects(schema: &Value) -> Vec<&Value> {
    let mut found = Vec::new();
    // Where the keys are for whoever writes the file to choose, there are no others.
    if schema.get("additionalProperties").is_some_and(|others| !others.is_object()) {
        found.push(schema);
    }
    for member in schema.as_object().map(|object| object.values()).into_iter().flatten() {
        found.extend(objects(member));
    }
    found
}

fn keys(schema: &Value) -> BTreeSet<&str> {
    schema["properties"].as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn the_shipped_files_are_valid() {
    let mut files =
        vec![("server", root().join("forewarn.yaml")), ("server", root().join("docker/forewarn.yaml"))];
    for (kind, folder) in [("pipeline", "pipelines"), ("model", "models")] {
        let before = files.len();
        files.extend(
            std::fs::read_dir(root().join(folder)).unwrap().map(|entry| (kind, entry.unwrap().path())),
        );
        assert!(files.len() > before, "{folder} is empty");
    }
    for (kind, path) in
        files.into_iter().filter(|(_, path)| path.extension().is_some_and(|extension| extension == "yaml"))
    {
        let value: Value = serde_saphyr::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        assert_eq!(faults(&schema(kind), &value), Vec::<String>::new(), "{}", path.display());
    }
}

#[test]
fn the_files_in_docs_are_those_of_this_version() {
    for (kind, schema) in schemas() {
        let path = root().join(format!("docs/schema/{kind}.schema.json"));
        if std::env::var_os("FOREWARN_BLESS").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, serde_json::to_string_pretty(&sorted(&schema)).unwrap() + "\n").unwrap();
        }
        let stored: Option<Value> =
            std::fs::read_to_string(&path).ok().and_then(|text| serde_json::from_str(&text).ok());
        let advice =
            "is stale; regenerate it with `FOREWARN_BLESS=1 cargo test -p forewarn-spec the_files_in_docs`";
        assert!(stored == Some(schema), "docs/schema/{kind}.schema.json {advice}");
    }
}

#[test]
fn every_built_in_table_has_a_retention() {
    let server = schema("server");
    let keys = server["$defs"]["Retain"]["properties"].as_object().unwrap().keys();
    let mut tables: Vec<&str> = forewarn_types::RecordKind::tables().chain(["tables"]).collect();
    tables.sort_unstable();
    let mut keys: Vec<&str> = keys.map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(keys, tables);
}

#[test]
fn broken_files_are_not_valid() {
    for (kind, pointer, value) in [
        ("pipeline", "/rulez", json!([])),
        ("pipeline", "/views", json!([])),
        ("pipeline", "/rules", json!({})),
        ("pipeline", "/rules/0/severity", json!("huge")),
        ("pipeline", "/rules/0/for", json!(30)),
        ("pipeline", "/rules/0/rate", json!({ "signal": "flow" })),
        ("pipeline", "/rules/0/when", json!(null)),
        ("pipeline", "/rules/0/stuck", json!({ "signal": "flow", "for": "10m" })),
        ("pipeline", "/rules/1/for", json!("30s")),
        ("pipeline", "/rules/1/deviation/above", json!(3.0)),
        ("pipeline", "/rules/2/deviation/sensitivity", json!("low")),
        ("pipeline", "/rules/2/deviation/above", json!(0)),
        ("pipeline", "/rules/2/deviation/baseline", json!(1)),
        ("pipeline", "/rules/4/rate/above", json!("fast")),
        ("pipeline", "/rules/2/deviation/lambda", json!(0.1)),
        ("pipeline", "/rules/7/deviation/lambda", json!(1.5)),
        ("pipeline", "/rules/7/deviation/slack", json!(1)),
        ("pipeline", "/rules/8/deviation/slack", json!(0)),
        ("pipeline", "/rules/7/deviation/tolerance", json!(0.1)),
        ("pipeline", "/sources/0/kafka", json!({})),
        ("pipeline", "/sources/0/mqtt/qos", json!(3)),
        ("pipeline", "/sources/0/mqtt/payload", json!("number")),
        ("pipeline", "/sources/1/mqtt/payload", json!("json")),
        ("pipeline", "/signals/0/name", json!(7)),
        ("pipeline", "/jobs/0/into", json!("readings")),
        ("pipeline", "/jobs/0/catch_up", json!("some")),
        ("pipeline", "/jobs/0/sql", json!(null)),
        ("pipeline", "/jobs/2/sql", json!("SELECT 1")),
        ("pipeline", "/jobs/2/frame/signals", json!([])),
        ("pipeline", "/jobs/2/frame/every", json!(60)),
        ("pipeline", "/jobs/2/frame/aggregate", json!("slope")),
        ("pipeline", "/jobs/2/frame/aggregate/flow", json!("slope")),
        ("pipeline", "/jobs/2/frame/fill", json!("some")),
        ("pipeline", "/jobs/2/frame/fill/linear", json!("5m")),
        ("pipeline", "/jobs/2/frame/columns/margin_k", json!([])),
        ("pipeline", "/routes/0/to", json!([])),
        ("pipeline", "/routes/0/match/severity", json!([])),
        ("pipeline", "/routes/0/group/by", json!(["colour"])),
        ("server", "/contacts/anna/webhook", json!("http://x")),
        ("server", "/contacts/anna/timezone", json!("UTC")),
        ("model", "/kind", json!("guess")),
        ("model", "/signals", json!([])),
        ("model", "/algorithms", json!(["svr"])),
        ("model", "/algorithms", json!([])),
        ("model", "/features/statistics", json!(["median"])),
        ("model", "/features/windows", json!("24h")),
        ("model", "/features/age", json!("old")),
        ("model", "/target/cap", json!(0)),
        ("model", "/validate/folds", json!(1)),
        ("model", "/validate/folds", json!(2.5)),
        ("model", "/interval/coverage", json!(1.0)),
        ("server", "/port", json!(8080)),
        ("server", "/listen", json!(8080)),
        ("server", "/log/max_bytes", json!(0)),
        ("server", "/limits/max_series", json!(-1)),
        ("server", "/branch/commit_every", json!(10)),
    ] {
        let broken = with(&sample(kind), pointer, value);
        assert!(!faults(&schema(kind), &broken).is_empty(), "{kind} {pointer}: the schema takes it");
        assert!(load_value(kind, &broken).is_err(), "{kind} {pointer}: the loader takes it");
    }
}

#[test]
fn every_key_of_the_schemas_stands_in_a_sample() {
    for (kind, schema) in schemas() {
        let sample = sample(kind);
        assert_eq!(faults(&schema, &sample), Vec::<String>::new(), "{kind}");
        load_value(kind, &sample).unwrap_or_else(|error| panic!("{kind}\n{error}"));
        let mut seen: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for pointer in pointers(&sample) {
            if let Some(object) = sample.pointer(&pointer).unwrap().as_object() {
                seen.entry(schema_at(&schema, &pointer).to_string())
                    .or_default()
                    .extend(object.keys().cloned());
            }
        }
        for object in objects(&schema) {
            let tried: BTreeSet<&str> =
                seen.get(&object.to_string()).into_iter().flatten().map(String::as_str).collect();
            assert_eq!(tried, keys(object), "{kind}: {}", object["description"]);
        }
    }
}

#[test]
fn the_keys_of_the_schemas_are_those_the_loader_names() {
    for (kind, schema) in schemas() {
        let sample = sample(kind);
        let has_keys = |pointer: &&String| {
            let is_object = sample.pointer(pointer).unwrap().is_object();
            is_object && schema_at(&schema, pointer).get("properties").is_some()
        };
        for pointer in pointers(&sample).iter().filter(has_keys) {
            let error =
                load_value(kind, &with(&sample, &format!("{pointer}/zzzzzzzz"), json!(1))).unwrap_err();
            assert_eq!(error.0[0].message, "unknown key 'zzzzzzzz'", "{kind} {pointer}");
            let hint = error.0[0].hint.clone().unwrap();
            let named: BTreeSet<&str> =
                hint.strip_prefix("the keys here are ").unwrap().split(", ").collect();
            assert_eq!(named, keys(schema_at(&schema, pointer)), "{kind} {pointer}");
        }
    }
}

#[test]
fn a_key_is_required_where_the_loader_misses_it() {
    for (kind, schema) in schemas() {
        let sample = sample(kind);
        for pointer in pointers(&sample) {
            if pointer.rsplit_once('/').is_none_or(|(_, step)| step.parse::<usize>().is_ok()) {
                continue;
            }
            let less = without(&sample, &pointer);
            let (found, loaded) = (faults(&schema, &less), load_value(kind, &less));
            assert_eq!(found.is_empty(), loaded.is_ok(), "{kind} without {pointer}: {found:?} {loaded:?}");
        }
    }
}

/// Where the schema asks for more than the loader does, on purpose: a quoted number or truth value is read as
/// what it says, and an unquoted `true` as a name, but nobody means to write either.
fn is_slip(schema: &Value, pointer: &str, probe: &Value) -> bool {
    let (parent, step) = pointer.rsplit_once('/').unwrap_or(("", ""));
    let parent = schema_at(schema, parent);
    let place = parent
        .get("items")
        .filter(|_| step.parse::<usize>().is_ok())
        .or_else(|| parent.get("properties").map_or(parent.get("additionalProperties"), |all| all.get(step)));
    let wanted = place.map_or(&Value::Null, |place| &resolved(schema, place)["type"]);
    let is = |name: &str| wanted == name || wanted.get(0).is_some_and(|first| first == name);
    match probe {
        Value::String(_) => is("number") || is("integer") || is("boolean"),
        Value::Bool(_) => wanted == "string",
        _ => false,
    }
}

#[test]
fn what_the_loader_takes_is_valid() {
    let probes = [
        json!(null),
        json!(true),
        json!(0),
        json!(1),
        json!(2),
        json!(-1),
        json!(0.75),
        json!(3e7),
        json!(""),
        json!("x"),
        json!("1"),
        json!("0.75"),
        json!("true"),
        json!("5m"),
        json!("0s"),
        json!("5 MB"),
        json!("a/b"),
        json!("0 0 * * *"),
        json!("flow"),
        json!("flow > 1"),
        json!("ridge"),
        json!("mean"),
        json!("low"),
        json!("robust_z"),
        json!("learned_limits"),
        json!("number"),
        json!("json"),
        json!("$.a"),
        json!([]),
        json!(["x"]),
        json!(["5h"]),
        json!([null]),
        json!({}),
    ];
    let mut wrong = Vec::new();
    for (kind, schema) in schemas() {
        let sample = sample(kind);
        // One place of each kind is enough: what two rules share need not be tried on both.
        let mut tried = BTreeSet::new();
        for pointer in pointers(&sample) {
            let (parent, step) = pointer.rsplit_once('/').unwrap_or(("", ""));
            let key = if step.parse::<usize>().is_ok() { "" } else { step };
            if !tried.insert((schema_at(&schema, parent).to_string(), key.to_owned())) {
                continue;
            }
            for probe in &probes {
                let changed = with(&sample, &pointer, probe.clone());
                let found = faults(&schema, &changed);
                if !found.is_empty()
                    && !is_slip(&schema, &pointer, probe)
                    && load_value(kind, &changed).is_ok()
                {
                    wrong.push(format!("{kind} {pointer} {probe}: {found:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_default_is_what_the_loader_takes_for_a_missing_key() {
    for (kind, schema) in schemas() {
        let sample = sample(kind);
        let mut tried = BTreeSet::new();
        let mut wanted = BTreeSet::new();
        for pointer in pointers(&sample).iter().filter(|pointer| sample.pointer(pointer).unwrap().is_object())
        {
            let object = schema_at(&schema, pointer);
            for (key, property) in object["properties"].as_object().into_iter().flatten() {
                let Some(default) = property.get("default").filter(|default| !default.is_null()) else {
                    continue;
                };
                wanted.insert((object["description"].to_string(), key.clone()));
                let place = format!("{pointer}/{key}");
                let stated = with(&sample, &place, default.clone());
                let left_out = without(&stated, &place);
                if let (Ok(stated), Ok(left_out)) = (load_value(kind, &stated), load_value(kind, &left_out)) {
                    assert_eq!(stated, left_out, "{kind} {place}: the default is not {default}");
                    tried.insert((object["description"].to_string(), key.clone()));
                }
            }
        }
        assert_eq!(tried, wanted, "{kind}: no sample tries these defaults");
        assert!(!wanted.is_empty(), "{kind}");
    }
}

#[test]
fn everything_is_described() {
    for (kind, schema) in schemas() {
        for object in objects(&schema) {
            assert!(object["description"].is_string(), "{kind}: {object}");
            assert_eq!(object["additionalProperties"], json!(false), "{kind}: {object}");
            for (key, property) in object["properties"].as_object().unwrap() {
                assert!(property["description"].is_string(), "{kind}: {key} has no description");
            }
        }
        for (name, definition) in schema["$defs"].as_object().unwrap() {
            assert!(definition["description"].is_string(), "{kind}: {name} has no description");
        }
    }
}

/// Where a text of each kind that has a pattern stands in a sample, and examples that the loader refuses.
const PLACES: [(&str, &str, &str); 10] = [
    ("Duration", "pipeline", "/rules/0/for"),
    ("PositiveDuration", "pipeline", "/rules/0/tolerance"),
    ("Baseline", "pipeline", "/rules/2/deviation/baseline"),
    ("Assets", "pipeline", "/rules/0/assets"),
    ("JsonPath", "pipeline", "/sources/0/mqtt/value"),
    ("Broker", "pipeline", "/sources/0/mqtt/url"),
    ("Table", "pipeline", "/jobs/0/into"),
    ("Cron", "pipeline", "/jobs/0/schedule"),
    ("Size", "server", "/log/max_bytes"),
    ("Address", "server", "/listen"),
];

#[test]
fn examples_are_taken() {
    for (name, kind, pointer) in PLACES {
        let definition = &schema(kind)["$defs"][name];
        let examples = definition["examples"].as_array().unwrap();
        assert!(!examples.is_empty(), "{name}");
        for example in examples {
            let loaded = load_value(kind, &with(&sample(kind), pointer, example.clone()));
            assert!(loaded.is_ok(), "{name}: {example}\n{}", loaded.unwrap_err());
        }
    }
}

/// Texts that match the pattern of a kind.
fn texts_of(name: &str) -> impl Strategy<Value = (String, &'static str, &'static str)> + use<> {
    let (_, kind, pointer) = PLACES.into_iter().find(|(other, ..)| *other == name).unwrap();
    let schema = schema(kind);
    let pattern =
        schema["$defs"][name]["pattern"].as_str().unwrap().trim_start_matches('^').trim_end_matches('$');
    // Short runs stay within the bounds of numbers and lengths, which a pattern does not state.
    let short = pattern
        .replace(")+", "){1,2}")
        .replace(")*", "){0,2}")
        .replace("]*", "]{0,2}")
        .replace("]+", "]{1,3}");
    string_regex(&short).unwrap().prop_map(move |text| (text, kind, pointer))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn texts_that_match_a_pattern_are_taken(
        (text, kind, pointer) in prop_oneof![
            texts_of("Duration"), texts_of("PositiveDuration"), texts_of("Assets"), texts_of("JsonPath"), texts_of("Size"), texts_of("Baseline"),
        ]
    ) {
        let loaded = load_value(kind, &with(&sample(kind), pointer, Value::String(text.clone())));
        prop_assert!(loaded.is_ok(), "{text:?}\n{}", loaded.unwrap_err());
    }
}

#[test]
fn what_is_not_supported_yet_is_said_and_not_offered() {
    let head = "pipeline: p\n";
    let rule = |condition: &str| {
        format!("{head}rules:\n  - name: r\n    assets: \"**\"\n    {condition}\n    severity: minor\n")
    };
    for (text, message, line, column) in [
        (format!("{head}views:\n  - {{ name: v }}\n"), "`views` is not supported yet", 2, 1),
        (format!("{head}views:\n"), "`views` is not supported yet", 2, 1),
        (rule("stuck: { signal: t, for: 10m }"), "`stuck` is not supported yet", 5, 5),
        (rule("sequence:\n      steps: [a, b]\n      within: 10m"), "`sequence` is not supported yet", 5, 5),
    ] {
        let error = load("pipeline", &text).unwrap_err();
        let [only] = &error.0[..] else { panic!("{text}\n{error}") };
        assert_eq!((only.message.as_str(), only.line, only.column), (message, line, column), "{error}");
        assert!(only.hint.is_some(), "{error}");
    }
    let error = load("pipeline", &format!("{head}veiws: []\n")).unwrap_err();
    assert_eq!(
        error.0[0].hint.as_deref(),
        Some("the keys here are pipeline, sources, signals, rules, jobs, routes"),
        "{error}"
    );
    let svr = with(&sample("model"), "/algorithms", json!(["ridge", "svr"]));
    assert!(load_value("model", &svr).unwrap_err().to_string().contains("`svr` is not supported yet"));
    assert!(load_definitions(&[], &[]).is_ok());
}
