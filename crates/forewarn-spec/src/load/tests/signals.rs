//! Which signals definitions may name, and signals that are computed from others.

use super::{MODEL, pipelines, with_model};
use crate::*;

#[test]
fn derived_signals_are_ordered_and_cycles_are_refused() {
    let text = "pipeline: p\n\
        signals:\n  - { name: c, assets: \"**\", expr: \"b + 1.0\" }\n  - { name: b, assets: \"**\", expr: \
        \"a + 1.0\" }\n";
    let definitions = pipelines(text).unwrap();
    let order: Vec<&str> = definitions.pipelines[0].signals.iter().map(|signal| &*signal.name).collect();
    assert_eq!(order, ["b", "c"]);
    // What a signal of another pipeline rests on counts, too.
    let other = "pipeline: q\n\
        signals:\n  - { name: d, assets: \"**\", expr: \"e + 1.0\" }\n  - { name: a, assets: \"**\", expr: \
        \"d + 1.0\" }\n";
    let third = "pipeline: r\n\
        signals:\n  - { name: f, assets: \"**\", expr: \"c + 1.0\" }\n  - { name: e, assets: \"**\", expr: \
        \"x + 1.0\" }\n";
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
    let x = "0.yaml:3: the derived signal 'x' depends on itself; 'x' (0.yaml:3) is computed from 'y' \
        (1.yaml:3) is computed from 'x'";
    let y = "1.yaml:3: the derived signal 'y' depends on itself; 'y' (1.yaml:3) is computed from 'x' \
        (0.yaml:3) is computed from 'y'";
    assert_eq!(mistakes_of_signals(&[&["x ** y + 1", "z ** x + 1"], &["y ** x + 1"]]), [x, y]);
    let itself = "0.yaml:3: the derived signal 'x' depends on itself; 'x' (0.yaml:3) is computed from 'x'";
    assert_eq!(mistakes_of_signals(&[&["x ** x + 1"]]), [itself]);
    let twice = "1.yaml:3: the derived signal 'x' is defined twice for the same assets; the other one is at \
        0.yaml:3; rename one, or select assets that the other one does not";
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
fn a_model_names_signals_that_some_pipeline_declares() {
    let first = "pipeline: a\nsignals:\n  - { name: temperature, assets: \"**\" }\n";
    let second = "pipeline: b\n\
        signals:\n  - { name: flow, assets: \"**\" }\n  - { name: heat, assets: \"**\", expr: \"flow * \
        2.0\" }\n";
    let error = with_model(&[first, second], MODEL).unwrap_err();
    let expected = "m.yaml:4:24: unknown signal 'flwo'\n 4 | signals: [temperature, flwo]\n   \
        |                        ^\n  hint: did you mean 'flow'?";
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
