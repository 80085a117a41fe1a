//! The condition of a rule in words, for people.

use std::fmt::Write as _;

use forewarn_spec::{Baseline, Condition, Detector};
use forewarn_types::format_duration;

/// What a rule watches for.
pub(crate) fn condition(condition: &Condition) -> String {
    match condition {
        Condition::When { when, hold_us, until, clear_hold_us, tolerance_us, settle_us } => {
            let mut words = when.source().to_owned();
            // Writing to a string cannot fail.
            if *hold_us > 0 {
                let _ = write!(words, ", for {}", format_duration(*hold_us));
            }
            if let Some(until) = until {
                let _ = write!(words, "; until {}", until.source());
            }
            if *clear_hold_us > 0 {
                let _ = write!(words, "; over for {} before it ends", format_duration(*clear_hold_us));
            }
            if let Some(tolerance_us) = tolerance_us {
                let _ = write!(words, "; values count for {}", format_duration(*tolerance_us));
            }
            if *settle_us > 0 {
                let settle = format_duration(*settle_us);
                let _ = write!(words, "; waits {settle} for values of one time");
            }
            words
        }
        Condition::Detector { signal, detector } => detected(signal, detector),
        Condition::Missing { signal, longer_than_us, expected } => {
            let expected = if *expected { ", or never heard for as long" } else { "" };
            format!("{signal} is silent for longer than {}{expected}", format_duration(*longer_than_us))
        }
    }
}

fn detected(signal: &str, detector: &Detector) -> String {
    match detector {
        Detector::LearnedLimits(params) => format!(
            "{signal} strays from its learnt limits by more than {} of their width (learned_limits)",
            params.tolerance
        ),
        Detector::RobustZ(params) => format!(
            "{signal} is more than {} robust deviations from its running median of {} (robust_z)",
            params.above,
            memory(params.baseline)
        ),
        Detector::Ewma(params) => format!(
            "{signal}, smoothed, is more than {} deviations from its running mean of {} (ewma)",
            params.above,
            memory(params.baseline)
        ),
        Detector::Cusum(params) => format!(
            "{signal} lies on one side of its running mean of {}, by more than {} deviations in sum (cusum)",
            memory(params.baseline),
            params.above
        ),
        Detector::Rate(params) => match params.above_per_s {
            Some(above) => {
                #[expect(clippy::cast_precision_loss, reason = "durations are far below 2^53 µs")]
                let above = above * (params.per_us as f64 / 1e6);
                format!("{signal} changes by more than {above} per {}", format_duration(params.per_us))
            }
            None => format!("{signal} changes more than ten times as fast as usual"),
        },
    }
}

fn memory(baseline: Baseline) -> String {
    match baseline {
        Baseline::Readings(readings) => format!("{readings} readings"),
        Baseline::Duration(us) => format_duration(us),
    }
}
