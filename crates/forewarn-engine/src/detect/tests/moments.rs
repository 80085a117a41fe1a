//! The running mean and deviation by hand.

use forewarn_spec::Baseline;

use super::{S, near};
use crate::detect::Moments;

#[test]
fn moments_by_hand() {
    // 0, then 2 with the rate 1/2: mean = 1, variance = 1/2·(0 + 1/2·4) = 1.
    let mut moments = Moments::default();
    let baseline = Baseline::Readings(3);
    moments.learn(baseline, S, 0.0, f64::INFINITY);
    moments.learn(baseline, 2 * S, 2.0, f64::INFINITY);
    assert_eq!((moments.mean(), moments.deviation(0.0)), (1.0, 1.0));
    // Then 9, clipped to 4 above the mean, with the rate 1/2: mean = 3, variance = 1/2·(1 + 1/2·16) = 4.5.
    moments.learn(baseline, 3 * S, 9.0, 4.0);
    assert_eq!((moments.mean(), moments.deviation(0.0)), (3.0, 4.5f64.sqrt()));
    // A baseline of a duration: rate 1 − exp(−dt/T) = 1/2 for dt = T·ln 2, not below 1/4.
    moments.learn(Baseline::Duration(10 * S), 3 * S + 6_931_472, 5.0, f64::INFINITY);
    assert!(near(moments.mean(), 4.0), "{}", moments.mean());
}

#[test]
fn a_series_is_judged_after_two_hundred_readings_and_an_hour() {
    let mut moments = Moments::default();
    let mut first = None;
    for index in 0..5_000i64 {
        if moments.is_warm(index * S) {
            first = first.or(Some(index));
        }
        moments.learn(Baseline::Readings(2000), index * S, 0.0, f64::INFINITY);
    }
    assert_eq!(first, Some(3_600), "one reading a second");
    let mut moments = Moments::default();
    for index in 0..200i64 {
        assert!(!moments.is_warm(index * 300 * S));
        moments.learn(Baseline::Readings(2000), index * 300 * S, 0.0, f64::INFINITY);
    }
    assert!(moments.is_warm(200 * 300 * S));
    assert_eq!((moments.share(199 * 300 * S + 75 * S), moments.share(9_000 * 300 * S)), (0.25, 1.0));
    assert_eq!(moments.share(0), 1.0, "a time that has passed");
}
