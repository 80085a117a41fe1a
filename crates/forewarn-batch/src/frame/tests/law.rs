//! Whatever the readings, the frame and the portions: a frame is what its definition says.

use std::collections::HashSet;

use forewarn_types::Quality;
use proptest::prelude::*;

use super::{Reading, Row, assert_close, batch, brute, frame, rows};

const ASSETS: [&str; 3] = ["plant/pump1", "plant/pump10", "plant/pump2"];
const SIGNALS: [&str; 4] = ["a", "b", "usage.idle", "other"];
const AGGREGATES: [&str; 9] = ["mean", "min", "max", "sum", "count", "first", "last", "std", "median"];
const COLUMNS: &str = "columns: { m: \"a - b\", ratio: \"a / b\", is_high: \"a > 0.12345 && b < 20.4321\", \
    q: \"m * 2.0 + (b > 1.00001 ? 1.0 : ratio)\", huge: \"exp(a * 100.0)\" }";
const FILTERS: [&str; 4] = [
    "where: \"true\"",
    "where: \"a > 0.12345\"",
    "where: \"b > a + 0.01234 || m < 3.33333\"",
    "where: \"!(q < 0.98765)\"",
];

fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        8 => (-100..100_i32).prop_map(|x| f64::from(x) / 4.0),
        1 => Just(f64::NAN),
        1 => prop_oneof![Just(f64::INFINITY), Just(f64::NEG_INFINITY), Just(-0.0)],
    ]
}

fn reading() -> impl Strategy<Value = Reading> {
    let quality = prop_oneof![
        6 => Just(Quality::Good),
        1 => Just(Quality::Uncertain),
        2 => Just(Quality::Bad),
    ];
    let names = (prop::sample::select(&ASSETS[..]), prop::sample::select(&SIGNALS[..]));
    (names, -60..140_i64, value(), quality).prop_map(|((asset, signal), time, value, quality)| Reading {
        asset,
        signal,
        time,
        value,
        quality,
        offset: 0,
    })
}

/// Readings in the order in which they came; some come twice, or twice and with another between.
fn readings() -> impl Strategy<Value = Vec<Reading>> {
    let again = prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 0..20);
    (prop::collection::vec(reading(), 1..120), again).prop_map(|(mut readings, again)| {
        for (which, changed) in again {
            let same = which.get(&readings).clone();
            let value = if changed { same.value + 1.25 } else { same.value };
            readings.push(Reading { value, ..same });
        }
        for (offset, reading) in (0..).zip(&mut readings) {
            reading.offset = offset;
        }
        readings
    })
}

fn definition() -> impl Strategy<Value = String> {
    let aggregate = || prop::sample::select(&AGGREGATES[..]);
    let signals = prop_oneof![Just("[a, b]"), Just("[b, usage.idle, a]")];
    let fill = (1..8_i64, 0..3_u8);
    let rest = (any::<bool>(), prop::option::of(prop::sample::select(&FILTERS[..])));
    (signals, 1..40_i64, aggregate(), aggregate(), fill, rest).prop_map(
        |(signals, every, first, second, (reach, kind), (has_columns, filter))| {
            let fill = match kind {
                0 => "none".to_owned(),
                1 => format!("{{ previous: {}us }}", every * reach + reach % 2),
                _ => format!("{{ linear: {}us }}", every * (reach + 1) + reach % 2),
            };
            let (columns, filter) = match (has_columns, filter) {
                (true, Some(filter)) => (COLUMNS, filter),
                (true, None) => (COLUMNS, FILTERS[0]),
                (false, _) => ("columns: {}", FILTERS[1]),
            };
            format!(
                "signals: {signals}, every: {every}us, aggregate: {{ a: {first}, b: {second} }}, \
                 fill: {fill}, {columns}, {filter}"
            )
        },
    )
}

/// The readings as a compaction leaves them: by series and time, repetitions dropped.
fn compacted(readings: &[Reading]) -> Vec<Reading> {
    let mut sorted = readings.to_vec();
    sorted.sort_by(|a, b| (a.asset, a.signal, a.time, a.offset).cmp(&(b.asset, b.signal, b.time, b.offset)));
    let mut seen = HashSet::new();
    sorted.retain(|r| seen.insert((r.asset, r.signal, r.time, r.value.to_bits(), r.quality as u8)));
    sorted
}

fn sorted(mut rows: Vec<Row>) -> Vec<Row> {
    rows.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
    rows
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_frame_is_what_its_definition_says(
        definition in definition(),
        readings in readings(),
        from in -70..60_i64,
        length in 1..120_i64,
        batch_rows in 1..50_usize,
        cuts in prop::collection::vec(-70..180_i64, 0..4),
    ) {
        let frame = frame(&definition);
        let interval = (from, from + length);
        let batches: Vec<_> = readings.chunks(batch_rows).map(batch).collect();
        let whole = rows(&frame, &batches, interval, |_| true);
        assert_close(&whole, &brute::rows(&frame, &readings, interval));

        let after = [batch(&compacted(&readings))];
        prop_assert_eq!(&rows(&frame, &after, interval, |_| true), &whole, "after a compaction");

        let is_inside = |cut: &i64| (interval.0..interval.1).contains(cut);
        let mut borders: Vec<i64> = cuts.into_iter().filter(is_inside).collect();
        borders.extend([interval.0, interval.1]);
        borders.sort_unstable();
        let mut parts = Vec::new();
        for asset in ASSETS {
            for border in borders.windows(2) {
                parts.extend(rows(&frame, &batches, (border[0], border[1]), move |other| other == asset));
            }
        }
        prop_assert_eq!(sorted(parts), whole, "in portions");
    }
}
