//! Frames of jobs, and what is said of those that make no sense.

use super::pipelines;
use crate::*;

const HEAD: &str = "pipeline: p\nsignals:\n  - { name: temperature, assets: \"**\" }\n  - { name: flow, \
    assets: \"**\" }\n  - { name: margin, assets: \"**\", expr: \"90.0 - temperature\" }\njobs:\n";

fn with(frame: &str) -> Result<Definitions, Diagnostics> {
    pipelines(&format!("{HEAD}  - {{ name: j, schedule: \"5 * * * *\", into: t, frame: {{ {frame} }} }}\n"))
}

fn frame(text: &str) -> Frame {
    let loaded = with(text).unwrap_or_else(|error| panic!("{error}"));
    loaded.pipelines[0].frames[0].frame.clone()
}

#[test]
fn a_frame_is_read_as_it_is_written() {
    let read = frame(
        "assets: \"plant1/**/pump*\", signals: [temperature, flow], every: 1m, aggregate: { flow: last }, \
         fill: { previous: 5m }, columns: { heat: \"90.0 - temperature\", near: \"heat < 5.0 || flow < 1.0\" }, \
         where: \"heat > 0.0\"",
    );
    assert_eq!((read.assets.as_str(), read.every_us), ("plant1/**/pump*", 60_000_000));
    let signals: Vec<_> = read.signals.iter().map(|signal| (&*signal.name, signal.aggregate)).collect();
    assert_eq!(signals, [("temperature", Aggregate::Mean), ("flow", Aggregate::Last)]);
    assert_eq!(read.fill, Fill::Previous(300_000_000));
    let columns: Vec<_> = read.columns.iter().map(|column| (&*column.name, column.expr.ty())).collect();
    assert_eq!(columns, [("heat", Type::Number), ("near", Type::Bool)]);
    assert_eq!(read.filter.unwrap().source(), "heat > 0.0");
    let bare = frame("assets: \"**\", signals: [flow], every: 90s, aggregate: median, fill: { linear: 3m }");
    assert_eq!((bare.signals[0].aggregate, bare.fill), (Aggregate::Median, Fill::Linear(180_000_000)));
    assert!(bare.columns.is_empty() && bare.filter.is_none());
    assert_eq!(frame("assets: \"**\", signals: [flow], every: 7d, fill: none").fill, Fill::None);
}

#[test]
fn each_mistake_in_a_frame_has_its_message() {
    let many: Vec<String> = (0..201).map(|number| format!("c{number}: \"flow\"")).collect();
    let many = format!("columns: {{ {} }}", many.join(", "));
    for (rest, message, hint) in [
        ("aggregate: slope", "'slope' is not one of mean, min, max, sum", ""),
        ("aggregate: { flow: avg }", "'avg' is not one of mean", ""),
        ("aggregate: { flwo: max }", "'flwo' is not one of the frame's signals", "did you mean 'flow'?"),
        ("aggregate: { flow: max, flow: min }", "the key 'flow' stands twice", ""),
        ("aggregate: [mean]", "a single value is expected here", ""),
        ("fill: some", "'some' is not one of none", ""),
        ("fill: { previous: 30s }", "must not be shorter than a step", "`every` is '1m'"),
        ("fill: { linear: 1m }", "must not be shorter than two steps", "`every` is '1m'"),
        ("fill: { previous: 5m, linear: 5m }", "exactly one of previous and linear", "fill: none"),
        ("fill: {}", "exactly one of previous and linear", "fill: none"),
        ("fill: { next: 5m }", "unknown key 'next'", "the keys here are previous, linear"),
        ("columns: { x: \"90.0 - temprature\" }", "'temprature' is neither a signal", "'temperature'?"),
        ("columns: { x: \"pressure\" }", "'pressure' is neither a signal", "the frame's `signals`"),
        ("columns: { x: \"y + 1.0\", y: \"flow\" }", "column 'y' does not come before this one", ""),
        ("columns: { x: \"x + 1.0\" }", "column 'x' does not come before this one", ""),
        ("columns: { x: \"flow > 1.0\", y: \"x > 0.0\" }", "the column 'x' is no number", ""),
        ("columns: { x: \"5m\" }", "a column must be a number, or true or false", ""),
        ("columns: { x: \"flow +\" }", "", ""),
        ("columns: { 1x: \"flow\" }", "", ""),
        ("columns: { Time: \"flow\" }", "a column of a frame cannot be named 'Time'", "another name"),
        ("columns: { asset: \"flow\" }", "a column of a frame cannot be named 'asset'", "another name"),
        ("columns: { Flow: \"flow\" }", "there is a signal named 'Flow' already", "upper and lower case"),
        ("columns: [flow]", "keys with values are expected here", ""),
        ("where: \"flow + 1.0\"", "this must be a true-or-false, but it is a number", ""),
        ("where: \"flwo > 1.0\"", "'flwo' is neither a signal", "did you mean 'flow'?"),
        (&many, "a frame has at most 200 columns, not 203", "several frames"),
    ] {
        let error = with(&format!("assets: \"**\", signals: [temperature, flow], every: 1m, {rest}"));
        let error = error.err().unwrap_or_else(|| panic!("{rest} is taken"));
        let [only] = &error.0[..] else { panic!("{rest}\n{error}") };
        assert!(only.message.contains(message), "{rest}\n{error}");
        assert!(only.hint.clone().unwrap_or_default().contains(hint), "{rest}\n{error}");
        assert_eq!(only.line, 7, "{error}");
    }
    for (frame, message) in [
        ("assets: \"**\", signals: [], every: 1m", "a frame needs at least one signal"),
        ("assets: \"**\", signals: [flow, flow], every: 1m", "there is a signal named 'flow' already"),
        ("assets: \"**\", signals: [flwo], every: 1m", "unknown signal 'flwo'"),
        ("assets: \"**\", signals: [margin], every: 1m", "the derived signal 'margin' has no readings"),
        ("assets: \"**\", signals: [flow], every: 0s", "longer than zero"),
        ("assets: \"x**\", signals: [flow], every: 1m", "must be a level of its own"),
        ("assets: \"**\", signals: [flow]", "the key 'every' is missing"),
        ("assets: \"**\", signals: [flow], evry: 1m", "unknown key 'evry'"),
    ] {
        let error = with(frame).unwrap_err();
        assert!(error.0.len() == 1 && error.0[0].message.contains(message), "{frame}\n{error}");
    }
}

#[test]
fn a_mistake_in_a_column_is_shown_where_it_is() {
    let text = format!(
        "{HEAD}  - name: j\n    schedule: \"5 * * * *\"\n    into: t\n    frame:\n      assets: \"**\"\n      \
         signals: [temperature]\n      every: 1m\n      columns:\n        heat: \"90.0 - temprature\"\n"
    );
    let expected = "p.yaml:15:23: 'temprature' is neither a signal nor a column of this frame\n 15 |         \
        heat: \"90.0 - temprature\"\n    |                       ^\n  hint: did you mean 'temperature'?";
    assert_eq!(pipelines(&text).unwrap_err().to_string(), expected);
}

#[test]
fn a_derived_signal_of_another_pipeline_is_no_signal_of_a_frame_unless_a_sensor_sends_it_too() {
    let job = "pipeline: p\njobs:\n  - { name: j, schedule: \"5 * * * *\", into: t, frame: { assets: \"**\", \
        signals: [margin], every: 1m } }\n";
    let derived =
        "pipeline: q\nsignals:\n  - { name: margin, assets: \"a/**\", expr: \"90.0 - temperature\" }\n";
    let sent = "pipeline: r\nsignals:\n  - { name: margin, assets: \"b/**\" }\n";
    let load = |texts: &[&str]| {
        let files = (0..texts.len()).zip(texts).map(|(i, text)| (format!("{i:02}.yaml"), (*text).to_owned()));
        load_definitions(&files.collect::<Vec<_>>(), &[])
    };
    let error = load(&[job, derived]).unwrap_err();
    assert_eq!(error.0[0].message, "the derived signal 'margin' has no readings of its own");
    assert_eq!((error.0.len(), error.0[0].line), (1, 3));
    assert!(load(&[job, derived, sent]).is_ok());
}

#[test]
fn a_job_computes_one_thing() {
    for work in ["", ", sql: \"SELECT 1\", frame: { assets: \"**\", signals: [flow], every: 1m }"] {
        let text = format!("pipeline: p\njobs:\n  - {{ name: j, schedule: \"5 * * * *\", into: t{work} }}\n");
        let error = pipelines(&text).unwrap_err();
        assert_eq!(error.0[0].message, "the job 'j' must compute one thing");
        assert_eq!(error.0[0].hint.as_deref(), Some("give either `sql` or `frame`"));
    }
}
