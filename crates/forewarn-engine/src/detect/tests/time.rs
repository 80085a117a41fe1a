//! Detectors live in time: outages, sampling rates, constant signals.

use forewarn_spec::{Baseline, LearnedLimitsParams, RateParams, RobustZParams};

use super::{Bench, S, noisy, rate, robust_z};
use crate::detect::{Judge, LearnedLimits, RateOfChange, Sample, Subject};

const HOUR: i64 = 3_600 * S;

/// The fault: one reading after two days took the place of both statistics, and the next 20 deviations
/// passed.
#[test]
fn one_reading_after_an_outage_does_not_take_the_place_of_what_was_learnt() {
    let mut detector = robust_z(Baseline::Duration(24 * HOUR));
    for index in 0..20_000 {
        detector.step(index * 10 * S, noisy(index));
    }
    let back = 20_000 * 10 * S + 48 * HOUR;
    let (median, scale) = (detector.judge.median(), detector.judge.scale(0.0));
    assert_eq!(detector.step(back, 0.9).score.map(|score| score < 1.0), Some(true));
    let moved = (detector.judge.median() - median).abs();
    assert!(moved < 0.1 * scale && (detector.judge.scale(0.0) / scale - 1.0).abs() < 0.1, "moved by {moved}");
    assert!(detector.step(back + 10 * S, 20.0 * scale).onset);
}

/// The fault: a new level was usual after 112 readings, be it in 112 s or in 9 h.
#[test]
fn a_new_level_is_learnt_in_the_same_time_however_often_it_is_sampled() {
    let params = RobustZParams { baseline: Baseline::Duration(10 * HOUR), above: 6.0 };
    let mut found = Vec::new();
    for gap in [S, 10 * S, 300 * S] {
        let mut detector: Bench<crate::detect::RobustZ> = Bench::new(params.clone());
        let step_at = 50 * HOUR;
        let (mut onset, mut clear) = (None, None);
        for index in 0..100 * HOUR / gap {
            let time = index * gap;
            let verdict = detector.step(time, noisy(index) + if time >= step_at { 20.0 } else { 0.0 });
            onset = onset.or(verdict.onset.then_some(time - step_at));
            clear = clear.or(verdict.clear.then_some(time - step_at));
        }
        found.push((onset.unwrap(), clear.unwrap()));
    }
    let reference = found[0].1;
    assert!(found.iter().all(|one| one.0 == 0), "each sees it at once: {found:?}");
    assert!(reference > HOUR, "a level is not usual within minutes: {found:?}");
    assert!(found.iter().all(|one| (one.1 - reference).abs() < reference / 5), "{found:?}");
}

/// The fault: nothing at the 800, and an alert for the 0 three readings later.
#[test]
fn a_constant_signal_that_moves_is_told_at_that_moment_and_only_then() {
    let params = LearnedLimitsParams { tolerance: 0.1, timezone: chrono_tz::Tz::UTC };
    let mut detector: Bench<LearnedLimits> = Bench::new(params);
    let mut onsets = Vec::new();
    for index in 0..6_000 {
        let x = if index == 3_000 { 800.0 } else { 0.0 };
        let (verdict, stray) =
            detector.judge.judge(&detector.params, Sample { time_us: index * 60 * S, value: x, late: false });
        if verdict.onset {
            let sample = Sample { time_us: 0, value: x, late: false };
            let about = Subject { signal: "load", unit: " kg".to_owned(), sample };
            onsets.push((index, LearnedLimits::words(&detector.params, &about, &stray)));
        }
    }
    let words = "load 800 kg has moved from 0 kg, at which it was constant (value), limit 0.1";
    assert_eq!(onsets, [(3_000, words.to_owned())]);
    assert!(!detector.judge.is_open(), "it is over");
}

#[test]
fn a_constant_signal_that_stays_at_a_new_level_is_told_once_and_learnt() {
    let params = LearnedLimitsParams { tolerance: 0.1, timezone: chrono_tz::Tz::UTC };
    let mut detector: Bench<LearnedLimits> = Bench::new(params);
    let onsets: Vec<i64> = (0..6_000)
        .filter(|index| detector.step(index * 60 * S, if *index < 3_000 { 5.0 } else { 5.5 }).onset)
        .collect();
    assert_eq!(onsets, [3_000]);
    assert!(!detector.judge.is_open());
}

fn words(detector: &Bench<RateOfChange>, value: f64, change: crate::detect::Change) -> String {
    let sample = Sample { time_us: 0, value, late: false };
    RateOfChange::words(&detector.params, &Subject { signal: "t", unit: " °C".to_owned(), sample }, &change)
}

/// The fault: "1.667e-9 a second, limit 1.667e-17".
#[test]
fn a_constant_signal_has_no_limit_of_its_own_to_be_named() {
    let mut detector = rate(None);
    for index in 0..300 {
        detector.step(index * 60 * S, 20.0);
    }
    let sample = Sample { time_us: 300 * 60 * S, value: 21.0, late: false };
    let (verdict, change) = detector.judge.judge(&detector.params, sample);
    assert!(verdict.onset);
    assert_eq!(
        words(&detector, 21.0, change),
        "t changes by 0.01667 °C a second, and was constant before; now 21 °C"
    );
}

/// The fault: 0.1 degrees within 20 ms were "5 a second" where 5 a minute are too many.
#[test]
fn a_step_of_the_last_digit_within_milliseconds_is_no_steep_climb() {
    let mut detector: Bench<RateOfChange> =
        Bench::new(RateParams { above_per_s: Some(5.0 / 60.0), per_us: 60 * S, counter: false });
    for index in 0..20 {
        assert!(!detector.step(index * 60 * S, 20.0 + (index % 3) as f64 * 0.1).onset);
    }
    assert!(!detector.step(19 * 60 * S + 20_000, 20.2).onset);
    assert!(!detector.step(20 * 60 * S, 20.3).onset);
    let sample = Sample { time_us: 21 * 60 * S, value: 30.3, late: false };
    let (verdict, change) = detector.judge.judge(&detector.params, sample);
    assert!(verdict.onset);
    let said = words(&detector, 30.3, change);
    assert_eq!(said, "t changes by 10 °C a minute, limit 5 °C a minute; now 30.3 °C");
}

#[test]
fn a_counter_that_begins_anew_is_no_steep_climb() {
    let counts = |counter: bool| {
        let params = RateParams { above_per_s: Some(10.0), per_us: S, counter };
        let mut detector: Bench<RateOfChange> = Bench::new(params);
        let count =
            |index: i32| if index < 10 { 1e6 + f64::from(index) * 5.0 } else { f64::from(index - 9) * 5.0 };
        let values = (0..20).map(count);
        values.zip(0..).filter(|(value, index)| detector.step(index * S, *value).onset).count()
    };
    assert_eq!((counts(false), counts(true)), (1, 0));
}

/// The fault: at a reading a second a fault was usual after two minutes, as limits widened with each reading.
#[test]
fn learned_limits_judge_the_same_signal_alike_however_often_it_is_sampled() {
    let params = LearnedLimitsParams { tolerance: 0.1, timezone: chrono_tz::Tz::UTC };
    let day = 24 * HOUR;
    let (fault, over) = (10 * day + 7 * HOUR, 10 * day + 19 * HOUR);
    let mut found = Vec::new();
    for gap in [S, 10 * S, 300 * S] {
        let mut detector: Bench<LearnedLimits> = Bench::new(params.clone());
        let (mut onsets, mut clears) = (Vec::new(), Vec::new());
        for time in (0..14 * day / gap).map(|index| index * gap) {
            let daily = (std::f64::consts::TAU * time as f64 / day as f64).sin();
            // The same disturbance at any rate: it changes with the five minutes.
            let disturbance = noisy(time / (300 * S)) * 0.1;
            let shift = if (fault..over).contains(&time) { 2.5 } else { 0.0 };
            let verdict = detector.step(time, 20.0 + daily + disturbance + shift);
            onsets.extend(verdict.onset.then_some(time));
            clears.extend(verdict.clear.then_some(time));
        }
        found.push((gap / S, onsets, clears));
    }
    let late = |times: &[i64]| -> Vec<i64> { times.iter().filter(|at| **at >= fault).copied().collect() };
    let (_, onsets, clears) = &found[2];
    let (onsets, clears) = (late(onsets), late(clears));
    assert_eq!(onsets.first(), Some(&fault), "{found:?}");
    for (gap, others, others_clear) in &found {
        let (others, others_clear) = (late(others), late(others_clear));
        assert_eq!(others.first(), Some(&fault), "every {gap} s: {found:?}");
        let last = |times: &[i64]| *times.last().expect("it is over in the end");
        let off = (last(&others_clear) - last(&clears)).abs();
        assert!(off < HOUR, "every {gap} s it ends {off} µs off: {found:?}");
        assert!(others.len().abs_diff(onsets.len()) <= 1, "every {gap} s: {found:?}");
    }
}
