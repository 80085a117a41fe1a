//! Rate of change: |dx/dt| in event time against a limit, the user's or ten times its own running mean.
//!
//! The mean is an EWMA over 2000 readings (rate 2/2001, never below 1/n), learnt after the test; while the
//! score is 1 or more a rate enters as at most the limit.

use forewarn_spec::RateParams;
use forewarn_types::format_duration;
use serde::{Deserialize, Serialize};

use super::gap::UsualGap;
use super::judge::{
    Judge, MEMORY_READINGS, SCALE_FLOOR, Sample, Subject, Verdict, WARMUP_READINGS, is_usable,
};
use crate::message::number;

/// Without a limit of the user's: this many times the running mean.
const TIMES_MEAN: f64 = 10.0;
/// A reading below this score is calm …
const CLEAR_BELOW: f64 = 0.7;
/// … and so many calm readings in a row end the episode.
const CLEAR_READINGS: u32 = 5;

/// The state of one series.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RateOfChange {
    seen: u32,
    calm: u32,
    open: bool,
    last_us: i64,
    last: f64,
    mean: f64,
    #[serde(default)]
    gap: UsualGap,
}

/// A rate of change beside its limit, both per second.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Change {
    /// How fast the value changes.
    pub rate: f64,
    /// How fast it may.
    pub limit: f64,
    /// Whether it has not changed at all before.
    pub was_constant: bool,
}

impl Default for RateOfChange {
    fn default() -> Self {
        Self {
            seen: 0,
            calm: 0,
            open: false,
            last_us: i64::MIN,
            last: 0.0,
            mean: 0.0,
            gap: UsualGap::default(),
        }
    }
}

impl Judge for RateOfChange {
    type Params = RateParams;
    type Reason = Change;

    /// Judges against the limit, or against its own mean. A late or repeated time has no rate and is passed
    /// over.
    fn judge(&mut self, params: &RateParams, sample: Sample) -> (Verdict, Change) {
        let Sample { time_us, value: x, late } = sample;
        let stands_for = self.gap.stands_for(self.last_us, time_us);
        if !is_usable(x) || late || (self.seen > 0 && stands_for.is_none()) {
            return (Verdict::default(), Change::default());
        }
        let (mut verdict, mut change) = (Verdict::default(), Change::default());
        let gap_us = time_us.saturating_sub(self.last_us);
        if self.seen > 0 && gap_us > 0 {
            let rate = self.rate(params, gap_us, x);
            let limit = self.limit(params.above_per_s, rate);
            change = Change { rate, limit, was_constant: params.above_per_s.is_none() && self.mean == 0.0 };
            if params.above_per_s.is_some() || self.seen > WARMUP_READINGS {
                let score = if rate == 0.0 { 0.0 } else { rate / limit };
                verdict = self.episode(score);
            }
            if params.above_per_s.is_none() {
                let a = (2.0 / (MEMORY_READINGS + 1.0)).max(1.0 / f64::from(self.seen));
                let learnt = if verdict.score.is_some() { rate.min(limit) } else { rate };
                self.mean += a * (learnt - self.mean);
            }
        }
        if self.seen > 0 {
            self.gap.learn(gap_us);
        }
        self.seen = self.seen.saturating_add(1);
        self.last_us = time_us;
        self.last = x;
        (verdict, change)
    }

    fn words(params: &RateParams, about: &Subject<'_>, change: &Change) -> String {
        let Subject { signal, unit, sample } = about;
        let per = per(params.per_us);
        let [rate, limit] =
            [change.rate, change.limit].map(|per_s| number(per_s * params.per_us as f64 / 1e6));
        let now = number(sample.value);
        if change.was_constant {
            return format!(
                "{signal} changes by {rate}{unit} {per}, and was constant before; now {now}{unit}"
            );
        }
        let origin = if params.above_per_s.is_some() { "" } else { " (ten times its running mean)" };
        format!("{signal} changes by {rate}{unit} {per}, limit {limit}{unit} {per}{origin}; now {now}{unit}")
    }
}

impl RateOfChange {
    /// The rate of change per second that a reading `x` makes `gap_us` after the last. Over less than a
    /// usual gap it is not measured: a step of the last digit would be a steep climb. A counter that is
    /// lower than before was reset, and has counted from 0 since.
    fn rate(&self, params: &RateParams, gap_us: i64, x: f64) -> f64 {
        let gap_us = gap_us.max(self.gap.us());
        let change = if params.counter && x < self.last { x.max(0.0) } else { x - self.last };
        (change / (gap_us as f64 / 1e6)).abs().min(f64::MAX)
    }

    /// Whether enough was seen to judge a reading.
    pub(super) const fn is_ready(&self, params: &RateParams) -> bool {
        self.seen > if params.above_per_s.is_some() { 0 } else { WARMUP_READINGS }
    }

    pub(super) const fn gap_mut(&mut self) -> &mut UsualGap {
        &mut self.gap
    }

    /// The limit that a rate of `rate` is held against, per second.
    fn limit(&self, limit_per_s: Option<f64>, rate: f64) -> f64 {
        limit_per_s.unwrap_or_else(|| TIMES_MEAN * self.mean.max(SCALE_FLOOR * rate))
    }

    /// Whether an episode is under way.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.open
    }

    fn episode(&mut self, score: f64) -> Verdict {
        let mut verdict = Verdict { score: Some(score), ..Verdict::default() };
        if score >= 1.0 && !self.open {
            self.open = true;
            verdict.onset = true;
        }
        self.calm = if score < CLEAR_BELOW { self.calm.saturating_add(1) } else { 0 };
        if self.open && self.calm >= CLEAR_READINGS {
            self.open = false;
            verdict.clear = true;
        }
        verdict
    }
}

/// A time in which changes are counted, in words.
fn per(us: i64) -> String {
    match us {
        1_000_000 => "a second".to_owned(),
        60_000_000 => "a minute".to_owned(),
        3_600_000_000 => "an hour".to_owned(),
        86_400_000_000 => "a day".to_owned(),
        _ => format!("in {}", format_duration(us)),
    }
}
