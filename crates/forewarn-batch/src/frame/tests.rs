//! Frames against a computation that looks at every reading for every row.

mod brute;
mod lake;
mod law;
mod portions;

use std::sync::Arc;

use arrow::array::{DictionaryArray, Float64Array, Int64Array, RecordBatch, TimestampMicrosecondArray};
use arrow::datatypes::Int32Type;
use forewarn_lake::{Cell, ResultSet};
use forewarn_spec::{Frame, load_definitions};
use forewarn_types::Quality;

use super::compute::{Steps, compute};
use super::readings::{Readings, Wanted};

/// A reading as a test writes it.
#[derive(Debug, Clone, PartialEq)]
struct Reading {
    asset: &'static str,
    signal: &'static str,
    time: i64,
    value: f64,
    quality: Quality,
    offset: i64,
}

/// A row: asset, time, and each other column as a number; true is 1.
type Row = (String, i64, Vec<Option<f64>>);

/// The frame of a job, as a pipeline has it.
fn frame(text: &str) -> Frame {
    let text = format!(
        "pipeline: p\njobs:\n  - {{ name: j, schedule: \"0 * * * *\", into: t, frame: {{ assets: \"**\", \
         {text} }} }}\n"
    );
    let loaded = load_definitions(&[("p.yaml".to_owned(), text)], &[]);
    loaded.unwrap_or_else(|error| panic!("{error}")).pipelines[0].frames[0].frame.clone()
}

fn batch(readings: &[Reading]) -> RecordBatch {
    let texts = |text: fn(&Reading) -> &str| -> Arc<DictionaryArray<Int32Type>> {
        Arc::new(readings.iter().map(text).collect())
    };
    let times = TimestampMicrosecondArray::from_iter_values(readings.iter().map(|reading| reading.time));
    let columns: Vec<(&str, arrow::array::ArrayRef)> = vec![
        ("time", Arc::new(times.with_timezone("UTC"))),
        ("asset", texts(|reading| reading.asset)),
        ("signal", texts(|reading| reading.signal)),
        ("value", Arc::new(readings.iter().map(|reading| reading.value).collect::<Float64Array>())),
        ("quality", texts(|reading| reading.quality.as_str())),
        ("offset", Arc::new(readings.iter().map(|reading| reading.offset).collect::<Int64Array>())),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

/// The rows of `frame` for the steps that end within `from` and `to`, of the assets that `is_asset` names.
fn rows(
    frame: &Frame,
    batches: &[RecordBatch],
    (from, to): (i64, i64),
    is_asset: impl Fn(&str) -> bool + Send + Sync + 'static,
) -> Vec<Row> {
    let steps = Steps::ending_within(frame, from, to);
    let (first, end) = steps.times();
    let wanted = Wanted {
        is_asset: Arc::new(is_asset),
        signals: frame.signals.iter().map(|signal| Arc::clone(&signal.name)).collect(),
        from: first,
        to: end,
    };
    let mut readings = Readings::new(wanted, 0);
    for batch in batches {
        readings.take(batch).unwrap();
    }
    let rows = compute(frame, steps, readings).unwrap();
    (0..rows.parts()).flat_map(|number| rows_of(&rows.part(number, frame).unwrap())).collect()
}

fn rows_of(part: &ResultSet) -> Vec<Row> {
    assert_eq!(part.columns()[..2], ["asset", "time"]);
    let row = |row: usize| {
        let (Cell::Text(asset), Cell::Time(time)) = (part.cell(row, 0), part.cell(row, 1)) else {
            panic!("row {row} has no asset or time")
        };
        let number = |column: usize| match part.cell(row, column) {
            Cell::Null => None,
            Cell::Float(x) => Some(x),
            Cell::Bool(x) => Some(f64::from(u8::from(x))),
            other => panic!("{other:?} is neither number nor truth"),
        };
        (asset.to_owned(), time.0, (2..part.columns().len()).map(number).collect())
    };
    (0..part.row_count()).map(row).collect()
}

/// Whether two tables are the same but for the last bits of their numbers.
#[track_caller]
fn assert_close(found: &[Row], expected: &[Row]) {
    let close = |a: &Option<f64>, b: &Option<f64>| match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() <= 1e-9 * (1.0 + a.abs().max(b.abs())),
        (a, b) => a == b,
    };
    for (found, expected) in found.iter().zip(expected) {
        let same =
            found.2.len() == expected.2.len() && found.2.iter().zip(&expected.2).all(|(a, b)| close(a, b));
        assert!((&found.0, found.1) == (&expected.0, expected.1) && same, "{found:?} is not {expected:?}");
    }
    assert_eq!(found.len(), expected.len(), "{found:?}\n{expected:?}");
}

fn reading(asset: &'static str, signal: &'static str, time: i64, value: f64, offset: i64) -> Reading {
    Reading { asset, signal, time, value, quality: Quality::Good, offset }
}

fn row(asset: &str, time: i64, values: &[Option<f64>]) -> Row {
    (asset.to_owned(), time, values.to_vec())
}

const NONE: Option<f64> = None;

#[test]
fn a_step_includes_its_start_and_not_its_end() {
    let frame = frame("signals: [a], every: 10us, aggregate: count");
    let times = [-11, -10, -1, 0, 9, 10, 19, 20, 29];
    let batches = [batch(&times.map(|time| reading("x", "a", time, 1.0, time)))];
    let all = rows(&frame, &batches, (-20, 30), |_| true);
    let counts = [(-20, 1.0), (-10, 2.0), (0, 2.0), (10, 2.0), (20, 2.0)];
    assert_eq!(all, counts.map(|(time, count)| row("x", time, &[Some(count)])));
    // An interval has the steps that end within it, whole.
    assert_eq!(rows(&frame, &batches, (-5, 15), |_| true), all[1..3]);
    assert_eq!(rows(&frame, &batches, (15, 19), |_| true), []);
    assert_eq!(rows(&frame, &batches, (19, 20), |_| true), all[3..4]);
}

#[test]
fn bad_readings_are_left_out_and_the_last_of_one_time_holds() {
    let frame = frame("signals: [a, b], every: 10us, aggregate: { a: sum, b: last }");
    let bad = |time, offset| Reading { quality: Quality::Bad, ..reading("x", "a", time, 5.0, offset) };
    let batches = [
        // A correction, in a batch before that of the reading it corrects.
        batch(&[reading("x", "a", 2, 3.0, 8), reading("x", "b", 3, 7.0, 8)]),
        batch(&[reading("x", "a", 1, 1.0, 1), reading("x", "a", 2, 2.0, 1), bad(2, 9), bad(12, 9)]),
        // The first once more: it is a repetition, and takes nothing back.
        batch(&[reading("x", "a", 2, 2.0, 10)]),
        batch(&[reading("x", "a", 25, f64::NAN, 11), reading("x", "a", 26, f64::INFINITY, 11)]),
    ];
    assert_eq!(rows(&frame, &batches, (0, 30), |_| true), [row("x", 0, &[Some(4.0), Some(7.0)])]);
}

#[test]
fn filling_reaches_so_far_and_no_further_and_not_from_one_asset_to_the_next() {
    let readings = [
        reading("x", "a", 0, 1.0, 1),
        reading("x", "b", 20, 0.0, 2),
        reading("x", "b", 30, 0.0, 3),
        reading("x", "a", 40, 3.0, 4),
        reading("x", "b", 50, 0.0, 5),
        reading("x", "b", 100, 0.0, 6),
        reading("y", "b", 0, 0.0, 7),
        reading("y", "b", 10, 0.0, 8),
        reading("y", "a", 10, 8.0, 9),
    ];
    let filled = |fill: &str, interval| {
        let frame = frame(&format!("signals: [a, b], every: 10us, fill: {fill}"));
        let rows = rows(&frame, &[batch(&readings)], interval, |_| true);
        rows.into_iter().map(|(asset, time, values)| (asset, time, values[0])).collect::<Vec<_>>()
    };
    let row = |asset: &str, time, value| (asset.to_owned(), time, value);
    let of_y = [row("y", 0, NONE), row("y", 10, Some(8.0))];
    let of_x = |values: [Option<f64>; 6]| {
        [0, 20, 30, 40, 50, 100].into_iter().zip(values).map(|(time, value)| row("x", time, value))
    };
    for (fill, values) in [
        ("none", [Some(1.0), NONE, NONE, Some(3.0), NONE, NONE]),
        ("{ previous: 10us }", [Some(1.0), NONE, NONE, Some(3.0), Some(3.0), NONE]),
        ("{ previous: 29us }", [Some(1.0), Some(1.0), NONE, Some(3.0), Some(3.0), NONE]),
        ("{ previous: 30us }", [Some(1.0), Some(1.0), Some(1.0), Some(3.0), Some(3.0), NONE]),
        ("{ linear: 39us }", [Some(1.0), NONE, NONE, Some(3.0), NONE, NONE]),
        ("{ linear: 40us }", [Some(1.0), Some(2.0), Some(2.5), Some(3.0), NONE, NONE]),
    ] {
        let expected: Vec<_> = of_x(values).chain(of_y.clone()).collect();
        assert_eq!(filled(fill, (0, 110)), expected, "{fill}");
    }
    // The steps before and after the interval are looked at, and give no rows.
    assert_eq!(filled("{ previous: 20us }", (20, 30)), [row("x", 20, Some(1.0))]);
    assert_eq!(filled("{ linear: 40us }", (20, 30)), [row("x", 20, Some(2.0))]);
}

#[test]
fn what_is_undefined_or_unknown_is_no_value() {
    let frame = frame(
        "signals: [a, b], every: 10us, aggregate: { a: std }, columns: { ratio: \"b / (b - 1.0)\", twice: \
         \"ratio * 2.0\", high: \"a > 1.0 || b > 4.0\", one: \"1.0\" }",
    );
    let readings = [
        reading("x", "a", 0, 1.0, 1),
        reading("x", "b", 0, 1.0, 1),
        reading("x", "a", 10, 1.0, 1),
        reading("x", "a", 11, 5.0, 1),
        reading("x", "b", 20, 5.0, 1),
        reading("x", "a", 30, 1.0, 1),
        reading("x", "a", 31, 1.0, 1),
    ];
    let one = Some(1.0);
    let expected = [
        row("x", 0, &[NONE, one, NONE, NONE, NONE, one]),
        row("x", 10, &[Some(8_f64.sqrt()), NONE, NONE, NONE, one, one]),
        row("x", 20, &[NONE, Some(5.0), Some(1.25), Some(2.5), one, one]),
        row("x", 30, &[Some(0.0), NONE, NONE, NONE, NONE, one]),
    ];
    assert_close(&rows(&frame, &[batch(&readings)], (0, 40), |_| true), &expected);
}
