//! `learned_limits` against its executable specification, and the laws it follows.

use std::path::PathBuf;

use chrono::NaiveDateTime;
use chrono_tz::Tz;
use forewarn_spec::LearnedLimitsParams;
use proptest::prelude::*;

use super::{Bench, S, near};
use crate::detect::LearnedLimits;

fn limits(tolerance: f64, timezone: Tz) -> Bench<LearnedLimits> {
    Bench::new(LearnedLimitsParams { tolerance, timezone })
}

/// The synthetic series of the specification's figures: a jagged wave, a level shift, a spike of two
/// readings.
fn synthetic(index: i64) -> f64 {
    let wave = ((index * 37) % 101) as f64 / 10.0;
    wave + if (700..760).contains(&index) { 5.0 } else { 0.0 }
        + match index {
            1200 => 9.0,
            1201 => 14.0,
            _ => 0.0,
        }
}

fn check_specification(
    step_s: i64,
    awkward: bool,
    expected_sum: f64,
    expected_count: usize,
    expected_onsets: &[(i64, f64)],
) {
    let mut detector = limits(0.04, Tz::UTC);
    let (mut sum, mut count, mut onsets) = (0.0, 0, Vec::new());
    for index in 0..1500 {
        let mut time = 1_700_000_000 + index * step_s;
        let mut x = synthetic(index);
        if awkward && index % 50 == 7 {
            time -= step_s * 3;
            x += if index == 907 { 3.0 } else { 0.0 };
        }
        if awkward && index % 40 == 3 {
            x = f64::NAN;
        }
        let verdict = detector.step(time * S, x);
        if let Some(score) = verdict.score {
            sum += score;
            count += 1;
            if verdict.onset {
                onsets.push((index, score));
            }
        }
    }
    assert_eq!(count, expected_count, "readings scored at a step of {step_s} s");
    assert!(near(sum, expected_sum), "sum of scores {sum}, specification {expected_sum}, step {step_s} s");
    assert_eq!(onsets.len(), expected_onsets.len(), "{onsets:?}");
    for ((row, score), (expected_row, expected_score)) in onsets.iter().zip(expected_onsets) {
        assert_eq!(row, expected_row);
        assert!(near(*score, *expected_score), "row {row}: {score}, specification {expected_score}");
    }
}

/// The specification counts readings, of series of one in five minutes or fewer; `time.rs` has the others.
#[test]
fn learned_limits_follow_their_specification() {
    check_specification(
        300,
        false,
        47.168_457_788_207_38,
        1299,
        &[(265, 1.068_948_148), (701, 7.871_854_345), (1201, 14.442_268_176)],
    );
    check_specification(
        3600,
        false,
        43.523_219_488_379_28,
        1299,
        &[(701, 7.891_859_637), (1201, 14.448_519_577)],
    );
}

#[test]
fn learned_limits_score_late_readings_and_pass_over_missing_ones() {
    check_specification(300, true, 44.788_469_606_791, 1256, &[(701, 7.867_151_075), (1201, 14.441_188_377)]);
    check_specification(
        900,
        true,
        49.147_655_500_596_29,
        1256,
        &[(701, 7.885_316_168), (1201, 14.447_018_706), (1376, 1.013_794_446)],
    );
}

fn data(path: &str) -> Option<String> {
    let folder = std::env::var_os("FOREWARN_DATA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")),
        PathBuf::from,
    );
    let text = std::fs::read_to_string(folder.join(path));
    if text.is_err() {
        println!("skipped: {} is missing", folder.join(path).display());
    }
    text.ok()
}

fn seconds(text: &str) -> i64 {
    NaiveDateTime::parse_from_str(&text[..19], "%Y-%m-%d %H:%M:%S").unwrap().and_utc().timestamp()
}

/// NAB's machine temperature: the specification's onsets row by row, and the bar of 4 of 4 windows with at
/// most 14 false onsets after the first 15 % of the rows.
#[test]
fn learned_limits_find_the_failures_of_the_machine_temperature() {
    let Some(text) = data("nab/realKnownCause/machine_temperature_system_failure.csv") else { return };
    let rows: Vec<(i64, f64)> = text
        .lines()
        .skip(1)
        .map(|line| {
            line.split_once(',').map(|(time, value)| (seconds(time), value.trim().parse().unwrap())).unwrap()
        })
        .collect();
    let mut detector = limits(0.04, Tz::UTC);
    let (mut sum, mut count, mut onsets) = (0.0, 0, Vec::new());
    for (row, (time, value)) in rows.iter().enumerate() {
        let verdict = detector.step(time * S, *value);
        sum += verdict.score.unwrap_or(0.0);
        count += usize::from(verdict.score.is_some());
        if verdict.onset {
            onsets.push(row);
        }
    }
    // Specification: printed by its run over the same file at tolerance 0.04.
    let specified = [
        312, 321, 519, 801, 2073, 2337, 2818, 3965, 5985, 5986, 11746, 12850, 15166, 16330, 16978, 18057,
        18970, 19306, 21526,
    ];
    assert_eq!(onsets, specified);
    assert_eq!((rows.len(), count), (22_695, 22_494));
    assert!(near(sum, 224.134_063_246_986_84), "sum of scores {sum}");

    let windows = [
        ("2013-12-10 06:25:00", "2013-12-12 05:35:00"),
        ("2013-12-15 17:50:00", "2013-12-17 17:00:00"),
        ("2014-01-27 14:20:00", "2014-01-29 13:30:00"),
        ("2014-02-07 14:55:00", "2014-02-09 14:05:00"),
    ]
    .map(|(from, to)| seconds(from)..=seconds(to));
    let hit = windows.iter().filter(|window| onsets.iter().any(|row| window.contains(&rows[*row].0))).count();
    let false_onsets = onsets.iter().filter(|row| {
        **row >= rows.len() * 15 / 100 && !windows.iter().any(|window| window.contains(&rows[**row].0))
    });
    let false_onsets = false_onsets.count();
    assert_eq!(hit, 4, "windows hit");
    assert!(false_onsets <= 14, "{false_onsets} false onsets");
}

#[test]
fn an_episode_clears_after_a_hundred_calm_readings() {
    let mut detector = limits(0.04, Tz::UTC);
    let (mut onsets, mut clears, mut last_high) = (Vec::new(), Vec::new(), 0);
    for index in 0..1000 {
        let x = (index % 10) as f64 + if index == 400 { 30.0 } else { 0.0 };
        let verdict = detector.step(index * 300 * S, x);
        onsets.extend(verdict.onset.then_some(index));
        clears.extend(verdict.clear.then_some(index));
        if verdict.score.is_some_and(|score| score >= 1.0) {
            last_high = index;
        }
        assert_eq!(detector.judge.is_open(), !onsets.is_empty() && clears.is_empty(), "reading {index}");
    }
    assert_eq!(onsets, [400]);
    // The short-term level takes a while to come down; the calm is counted from its last reading above the
    // limit.
    assert!((400..430).contains(&last_high), "{last_high}");
    assert_eq!(clears, [last_high + 100]);
}

#[test]
fn late_readings_end_no_episode() {
    let mut detector = limits(0.04, Tz::UTC);
    for index in 0..=400 {
        detector.step(index * 300 * S, (index % 10) as f64 + if index == 400 { 30.0 } else { 0.0 });
    }
    assert!(detector.judge.is_open());
    for index in 0..300 {
        let verdict = detector.late(index * 300 * S, (index % 10) as f64);
        assert!(!verdict.clear && detector.judge.is_open(), "late reading {index}");
    }
}

#[test]
fn learned_limits_survive_the_end_of_their_count() {
    let mut detector = limits(0.04, Tz::UTC);
    detector.step(0, 1.0);
    detector.judge.exhaust_count();
    for index in 1..=12 {
        detector.step(index * 300 * S, (index % 3) as f64);
    }
    for index in 13..20 {
        assert!(detector.step(index * 300 * S, (index % 3) as f64).score.is_some(), "reading {index}");
    }
}

#[test]
fn the_weekly_profile_knows_the_zone() {
    // Two daily levels that switch at 08:00 in Oslo, summer and winter: in local hours the profile fits, in
    // UTC it is off by one hour after the switch of 2024-10-27.
    let surprise = |zone: Tz| {
        let mut detector = limits(0.04, zone);
        let start = seconds("2024-09-01 00:00:00");
        let change = seconds("2024-10-27 01:00:00");
        let mut worst = 0.0f64;
        for index in 0..(70 * 288) {
            let time = start + index * 300;
            let local = time + if time < change { 7200 } else { 3600 };
            let x = if (8..16).contains(&(local.div_euclid(3600) % 24)) { 10.0 } else { 0.0 }
                + (index % 7) as f64 * 0.01;
            let score = detector.step(time * S, x).score.unwrap_or(0.0);
            if time > change {
                worst = worst.max(score);
            }
        }
        worst
    };
    assert!(surprise(Tz::Europe__Oslo) < 0.5, "{}", surprise(Tz::Europe__Oslo));
    assert!(surprise(Tz::UTC) >= 1.0, "{}", surprise(Tz::UTC));
}

#[test]
fn values_that_overflow_are_passed_over() {
    let mut detector = limits(0.04, Tz::UTC);
    for index in 0..600 {
        let x = match index % 12 {
            0 => f64::NAN,
            3 => f64::INFINITY,
            6 => 1e300,
            9 => -1e300,
            _ => (index % 5) as f64,
        };
        let score = detector.step(index * 60 * S, x).score;
        assert!(score.is_none_or(|score| score.is_finite() && score < 1.0), "reading {index}: {score:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Nothing depends on units or absolute dates: scaling, shifting the value and shifting time by whole
    /// weeks of hours changes nothing.
    #[test]
    fn learned_limits_do_not_depend_on_units_or_dates(
        seed in any::<u32>(), a in prop_oneof![-50.0..-0.02f64, 0.02..50.0f64], b in -1e3..1e3f64, hours in 0..5000i64,
    ) {
        let mut plain = limits(0.04, Tz::UTC);
        let mut moved = limits(0.04, Tz::UTC);
        let mut random = u64::from(seed) | 1;
        for index in 0..900i64 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let noise = (random >> 40) as f64 / f64::from(1 << 24);
            let x = noise + ((index as f64) / 48.0).sin() + if index % 311 == 310 { 3.0 } else { 0.0 };
            let time = 1_700_000_000 + index * 600;
            let one = plain.step(time * S, x);
            let other = moved.step((time + hours * 3600) * S, a * x + b);
            let (p, q) = (one.score.unwrap_or(0.0), other.score.unwrap_or(0.0));
            prop_assert!((p - q).abs() <= 1e-6 * p.max(1.0), "reading {index}: {p} and {q}");
            if (p - 1.0).abs() > 1e-6 {
                prop_assert_eq!(one.onset, other.onset, "reading {}", index);
            }
        }
    }

    /// Bits survive: a detector that was written and read goes on as if nothing had happened.
    #[test]
    fn detectors_survive_a_snapshot(values in prop::collection::vec(-10.0..10.0f64, 300..500), cut in 0i64..300) {
        let mut whole = limits(0.1, Tz::UTC);
        let mut cut_up = whole.clone();
        for (index, x) in (0..).zip(&values) {
            if index == cut {
                cut_up.judge = rmp_serde::from_slice(&rmp_serde::to_vec(&cut_up.judge).unwrap()).unwrap();
            }
            let time = index * 7 * S;
            prop_assert_eq!(whole.step(time, *x), cut_up.step(time, *x));
        }
        prop_assert_eq!(whole, cut_up);
    }
}
