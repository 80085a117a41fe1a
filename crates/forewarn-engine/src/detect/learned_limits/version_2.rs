//! The state as snapshots of version 2 hold it: with the parameters, and with the offset of the zone.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{Envelope, LearnedLimits, Profile, Rates};

/// Tolerance, zone, seen, last time, envelopes, short-term level, residual, profile, rates, quarter of an
/// hour and offset of the zone, quiet, peak, open, calm.
#[derive(Debug, Deserialize)]
pub(crate) struct Version2(
    IgnoredAny,
    IgnoredAny,
    u32,
    i64,
    [Envelope; 3],
    f64,
    f64,
    Profile,
    Rates,
    IgnoredAny,
    IgnoredAny,
    f64,
    f64,
    bool,
    f64,
);

impl From<Version2> for LearnedLimits {
    fn from(old: Version2) -> Self {
        let Version2(
            _,
            _,
            seen,
            last_us,
            envelopes,
            short,
            residual,
            profile,
            rates,
            _,
            _,
            quiet,
            peak,
            open,
            calm,
        ) = old;
        Self {
            seen,
            last_us,
            envelopes,
            short,
            residual,
            profile,
            rates,
            quiet,
            peak,
            open,
            calm,
            ..Self::default()
        }
    }
}
