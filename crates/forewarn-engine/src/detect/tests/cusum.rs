//! `cusum` against its formula, and the laws it follows.

use forewarn_spec::{Baseline, CusumParams};
use proptest::prelude::*;

use super::{Bench, S, near, noisy};
use crate::detect::{Cusum, Judge as _, Sample, Subject};

fn cusum(baseline: Baseline) -> Bench<Cusum> {
    Bench::new(CusumParams { baseline, slack: 0.5, above: 5.0 })
}

/// The recipe: EWMA mean and deviation over 2000 readings, tested first; k 0.5, h 5. The sums are held at 2
/// h.
fn reference(values: &[f64]) -> Vec<Option<f64>> {
    let (mut mean, mut variance, mut high, mut low) = (values[0], 0.0f64, 0.0f64, 0.0f64);
    let mut scores = vec![None];
    for (index, &x) in values.iter().enumerate().skip(1) {
        let s = variance.sqrt().max(1e-9 * mean.abs());
        let mut score = None;
        if index >= 200 {
            let u = ((x - mean) / s).clamp(-6.0, 6.0);
            high = (high + u - 0.5).clamp(0.0, 10.0);
            low = (low - u - 0.5).clamp(0.0, 10.0);
            score = Some(high.max(low) / 5.0);
        }
        let n = index as f64 + 1.0;
        let a = (2.0 / 2001.0f64).max(1.0 / n);
        let d = if score.is_some_and(|score: f64| score >= 1.0) {
            (x - mean).clamp(-4.0 * s, 4.0 * s)
        } else {
            x - mean
        };
        mean += a * d;
        variance = (1.0 - a) * (variance + a * d * d);
        scores.push(score);
    }
    scores
}

/// Every five minutes, as in the recipe: a calm series, a shift that lasts, and the way back.
fn series() -> Vec<f64> {
    (0..1_200).map(|index| noisy(index) + if (600..700).contains(&index) { 1.5 } else { 0.0 }).collect()
}

#[test]
fn scores_are_those_of_the_formula() {
    let values = series();
    let mut detector = cusum(Baseline::Readings(2000));
    let expected = reference(&values);
    let (mut onsets, mut clears) = (Vec::new(), Vec::new());
    for (index, (x, expected)) in (0..).zip(values.iter().zip(&expected)) {
        let verdict = detector.step(index * 300 * S, *x);
        match (verdict.score, expected) {
            (Some(score), Some(expected)) => assert!(near(score, *expected), "{index}: {score}, {expected}"),
            (score, expected) => assert_eq!(score, *expected, "reading {index}"),
        }
        onsets.extend(verdict.onset.then_some(index));
        clears.extend(verdict.clear.then_some(index));
    }
    let ([onset], [clear]) = (&onsets[..], &clears[..]) else { panic!("{onsets:?} {clears:?}") };
    assert!((600..620).contains(onset) && (700..760).contains(clear), "{onset} {clear}");
}

#[test]
fn late_readings_teach_nothing_and_repeated_ones_neither() {
    let mut detector = cusum(Baseline::Readings(2000));
    assert_eq!(detector.late(0, 1.0).score, None);
    for index in 0..400 {
        detector.step(index * 300 * S, noisy(index));
    }
    let before = detector.judge.clone();
    assert!(detector.late(300 * 300 * S, noisy(3)).score.is_some(), "judged");
    assert!(detector.step(399 * 300 * S, noisy(3)).score.is_some(), "judged, though it repeats a time");
    for unusable in [f64::NAN, f64::INFINITY, -1e300] {
        assert_eq!(detector.step(400 * 300 * S, unusable).score, None);
    }
    assert_eq!(detector.judge, before);
}

#[test]
fn a_shift_is_found_at_the_same_time_however_often_it_is_sampled() {
    // One signal that changes every five minutes, sampled as often, every minute and every ten seconds.
    let onset = |step_s: i64| {
        let mut detector = cusum(Baseline::Duration(300_000 * S));
        let times = (0..1_000 * 300 / step_s).map(|index| index * step_s);
        let mut onsets = times.filter(|time| {
            let shift = if *time >= 600 * 300 { 1.5 } else { 0.0 };
            detector.step(time * S, noisy(time / 300) + shift).onset
        });
        (onsets.next().unwrap(), onsets.next())
    };
    let (expected, second) = onset(300);
    assert_eq!(second, None);
    for step_s in [60, 10] {
        let (found, second) = onset(step_s);
        assert!((found - expected).abs() <= 600, "{found} s at a step of {step_s} s, {expected} s");
        assert_eq!(second, None, "step {step_s} s");
    }
}

#[test]
fn a_constant_series_that_moves_has_a_score_that_is_finite() {
    let mut detector = cusum(Baseline::Readings(2000));
    let mut onsets = Vec::new();
    for index in 0..2_000 {
        let verdict = detector.step(index * 300 * S, if index < 500 { 0.0 } else { 7.0 });
        assert!(verdict.score.is_none_or(f64::is_finite), "reading {index}");
        onsets.extend(verdict.onset.then_some(index));
    }
    assert!(matches!(onsets[..], [500, ..]), "{onsets:?}");
}

#[test]
fn the_message_says_by_how_much() {
    let mut detector = cusum(Baseline::Readings(2000));
    let (mut index, mut told) = (0, None);
    while told.is_none() {
        let value = if index < 600 { noisy(index) } else { 3.0 };
        let sample = Sample { time_us: index * 300 * S, value, late: false };
        let (verdict, reason) = detector.judge.judge(&detector.params, sample);
        let about = Subject { signal: "flow", unit: " l/s".to_owned(), sample };
        told = verdict.onset.then(|| Cusum::words(&detector.params, &about, &reason));
        index += 1;
    }
    let told = told.unwrap();
    assert!(told.starts_with("flow 3 l/s lies above its running mean "), "{told}");
    assert!(told.contains(" deviations beyond the slack ") && told.ends_with(" l/s), limit 5"), "{told}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn units_do_not_matter(
        a in prop_oneof![-50.0..-0.02f64, 0.02..50.0f64], b in -1e3..1e3f64, hours in 0..5000i64,
    ) {
        let mut plain = cusum(Baseline::Readings(2000));
        let mut moved = cusum(Baseline::Readings(2000));
        for (index, x) in (0..).zip(series()) {
            let one = plain.step(index * 300 * S, x);
            let other = moved.step((index + hours * 12) * 300 * S, a * x + b);
            let (p, q) = (one.score.unwrap_or(0.0), other.score.unwrap_or(0.0));
            prop_assert!((p - q).abs() <= 1e-6 * p.max(1.0), "reading {}: {} and {}", index, p, q);
        }
    }

    #[test]
    fn a_snapshot_changes_nothing(values in prop::collection::vec(-10.0..10.0f64, 300..500), cut in 0i64..300) {
        let mut whole = cusum(Baseline::Duration(86_400 * S));
        let mut cut_up = whole.clone();
        for (index, x) in (0..).zip(&values) {
            if index == cut {
                cut_up.judge = rmp_serde::from_slice(&rmp_serde::to_vec(&cut_up.judge).unwrap()).unwrap();
            }
            prop_assert_eq!(whole.step(index * 20 * S, *x), cut_up.step(index * 20 * S, *x));
        }
        prop_assert_eq!(whole, cut_up);
    }
}
