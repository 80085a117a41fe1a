//! The detectors against hand values, and `learned_limits` against its executable specification.
//!
//! Figures named "specification" were printed once by the reference implementation of the prescribed
//! detectors (Python, standard library only) on the same readings.

mod cusum;
mod ewma;
mod learned_limits;
mod moments;
mod time;

use forewarn_spec::{Baseline, RateParams, RobustZParams};

use super::{Judge, RateOfChange, RobustZ, Sample, Verdict};

pub(super) const S: i64 = 1_000_000;

pub(super) fn near(actual: f64, expected: f64) -> bool {
    (actual - expected).abs() <= 1e-6 * expected.abs().max(1e-3)
}

/// A calm series: values in -1 … 1 that repeat after 101 readings.
pub(super) fn noisy(index: i64) -> f64 {
    ((index * 37) % 101) as f64 / 50.0 - 1.0
}

/// A detector with its parameters.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Bench<J: Judge> {
    pub(super) judge: J,
    pub(super) params: J::Params,
}

impl<J: Judge + Default> Bench<J> {
    pub(super) fn new(params: J::Params) -> Self {
        Self { judge: J::default(), params }
    }

    /// A reading in order.
    pub(super) fn step(&mut self, time_us: i64, value: f64) -> Verdict {
        self.judge.judge(&self.params, Sample { time_us, value, late: false }).0
    }

    /// A reading that is late.
    pub(super) fn late(&mut self, time_us: i64, value: f64) -> Verdict {
        self.judge.judge(&self.params, Sample { time_us, value, late: true }).0
    }
}

fn robust_z(baseline: Baseline) -> Bench<RobustZ> {
    Bench::new(RobustZParams { baseline, above: 6.0 })
}

fn rate(above_per_s: Option<f64>) -> Bench<RateOfChange> {
    Bench::new(RateParams { above_per_s, per_us: S, counter: false })
}

#[test]
fn robust_z_by_hand() {
    // Median and deviation after 0, 2 with rates 1/2: mad = 1/2·(2 − 0) = 1; median = 2.5·1/2·1 = 1.25.
    let mut detector = robust_z(Baseline::Readings(3));
    detector.step(S, 0.0);
    detector.step(2 * S, 2.0);
    assert_eq!(detector.judge.median(), 1.25);
    assert_eq!(detector.judge.scale(0.0), 1.4826);
    // Third reading 3.25, rate max(2/4, 1/3): d = 2, mad = 1 + 1/2·(2 − 1) = 1.5, median = 1.25 + 2.5·1/2·1.5
    // = 3.125.
    detector.step(3 * S, 3.25);
    assert_eq!(detector.judge.median(), 3.125);
    assert_eq!(detector.judge.scale(0.0), 1.4826 * 1.5);
    // A late reading teaches nothing.
    detector.late(4 * S, 100.0);
    assert_eq!(detector.judge.median(), 3.125);
    // A baseline of a duration: rate 1 − exp(−dt/T) = 1/2 for dt = T·ln 2, not below 1/4.
    let mut timed = Bench { judge: detector.judge, ..robust_z(Baseline::Duration(10 * S)) };
    timed.step(3 * S + 6_931_472, 4.125);
    assert!(near(timed.judge.scale(0.0), 1.4826 * 1.25), "{}", timed.judge.scale(0.0));
}

#[test]
fn robust_z_warms_up_raises_once_and_clears() {
    let mut detector = robust_z(Baseline::Readings(2000));
    let (mut onsets, mut clears, mut first_score) = (Vec::new(), Vec::new(), None);
    for index in 0..600i64 {
        let x = ((index * 37) % 101) as f64 + if (400..405).contains(&index) { 900.0 } else { 0.0 };
        let verdict = detector.step(index * S, x);
        first_score = first_score.or(verdict.score.map(|_| index));
        onsets.extend(verdict.onset.then_some(index));
        clears.extend(verdict.clear.then_some(index));
    }
    assert_eq!((first_score, onsets, clears), (Some(200), vec![400], vec![405]));
}

#[test]
fn robust_z_of_a_constant_series_is_finite_and_learns_a_shift_in_the_end() {
    let mut detector = robust_z(Baseline::Readings(2000));
    let mut worst = 0.0f64;
    let mut clears = 0;
    for index in 0..20_000i64 {
        let verdict = detector.step(index * S, if index < 500 { 0.0 } else { 7.0 });
        worst = worst.max(verdict.score.unwrap_or(0.0));
        clears += i32::from(verdict.clear);
    }
    assert!(worst > 1e3 && worst.is_finite(), "{worst}");
    assert_eq!((clears, detector.judge.is_open()), (1, false));
}

#[test]
fn rate_against_a_limit_by_hand() {
    let mut detector = rate(Some(2.0));
    // The limit is 2 a second. Readings every 2 s.
    let values = [0.0, 2.0, 7.0, 11.0, 11.0, 11.0, 11.0, 11.0, 11.0, 11.0];
    let scores: Vec<Option<f64>> =
        values.iter().zip(0..).map(|(x, i)| detector.step(i * 2 * S, *x).score).collect();
    assert_eq!(scores[..5], [None, Some(0.5), Some(1.25), Some(1.0), Some(0.0)]);
    assert!(!detector.judge.is_open(), "cleared after five calm readings");
    assert_eq!(detector.step(18 * S, 50.0).score, None, "a repeated time has no rate");
    assert_eq!(detector.late(20 * S, 50.0).score, None, "a late reading has no rate");
    let onset = detector.step(20 * S, 50.0);
    assert_eq!((onset.score, onset.onset), (Some(9.75), true));
}

#[test]
fn rate_without_a_limit_learns_its_own() {
    let mut detector = rate(None);
    for index in 0..400i64 {
        let verdict = detector.step(index * S, (index % 2) as f64);
        assert_eq!(verdict.score.is_some(), index > 200, "reading {index}");
    }
    // The mean rate is 1 a second, so the limit is 10.
    let verdict = detector.step(400 * S, 13.0);
    assert!(verdict.onset && near(verdict.score.unwrap(), 1.2), "{verdict:?}");
}
