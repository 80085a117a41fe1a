//! The figures of an alarm system after ISA-18.2 and EEMUA 191, computed from what happened to alerts.
//!
//! An alert counts when it is raised, and again when it is raised anew while it is open: each time someone
//! has to look at it. Floods are counted in stretches of ten minutes that begin at the full ten minutes.

use std::collections::BTreeMap;

use forewarn_types::Timestamp;

const MINUTE_US: i64 = 60_000_000;
const STRETCH_US: i64 = 10 * MINUTE_US;
/// A flood begins with more than this in a stretch for each operator.
const FLOOD_ABOVE: usize = 10;
/// It ends with fewer than this.
const FLOOD_OVER_BELOW: usize = 5;
/// An alert chatters that is raised so often within a minute.
const CHATTER: usize = 3;
/// So many of the most frequent alerts are named.
const TOP: usize = 10;

/// Something that happened to an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) time: Timestamp,
    pub(super) alert: String,
    pub(super) rule: String,
    pub(super) asset: String,
    pub(super) severity: String,
    pub(super) what: What,
}

/// What happened, as far as it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// It was raised, or raised anew.
    Raised,
    /// An operator acknowledged it.
    Acknowledged,
}

/// A time of more alerts than an operator can deal with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Flood {
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
    pub(super) alerts: usize,
}

/// A rule on an asset, and a number of alerts.
pub(super) type Counted = ((String, String), usize);

/// The figures.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Figures {
    pub(super) raised: usize,
    pub(super) stretches: usize,
    /// The stretch with the most, and how many.
    pub(super) peak: Option<(Timestamp, usize)>,
    pub(super) floods: Vec<Flood>,
    /// Share of the time that is flooded.
    pub(super) flooded: f64,
    pub(super) by_severity: BTreeMap<String, usize>,
    /// Most frequent first.
    pub(super) top: Vec<Counted>,
    /// With the most within a minute.
    pub(super) chattering: Vec<Counted>,
    /// Times from raised to acknowledged, ascending, µs.
    pub(super) to_acknowledge_us: Vec<i64>,
}

impl Figures {
    /// Those of `steps`, in order of time, which lie in `[from, to)`, for so many operators.
    pub(super) fn of(steps: &[Step], from: Timestamp, to: Timestamp, operators: usize) -> Self {
        let mut figures = Self::default();
        let mut counts: BTreeMap<(String, String), Vec<i64>> = BTreeMap::new();
        let mut stretches: BTreeMap<i64, usize> = BTreeMap::new();
        let mut waiting: BTreeMap<&str, i64> = BTreeMap::new();
        for step in steps {
            match step.what {
                What::Raised => {
                    figures.raised += 1;
                    *stretches.entry(step.time.0.div_euclid(STRETCH_US)).or_default() += 1;
                    *figures.by_severity.entry(step.severity.clone()).or_default() += 1;
                    counts.entry((step.rule.clone(), step.asset.clone())).or_default().push(step.time.0);
                    waiting.insert(&step.alert, step.time.0);
                }
                What::Acknowledged => {
                    if let Some(raised) = waiting.remove(step.alert.as_str()) {
                        figures.to_acknowledge_us.push(step.time.0.saturating_sub(raised).max(0));
                    }
                }
            }
        }
        figures.to_acknowledge_us.sort_unstable();
        let length_us = to.since_us(from).max(1);
        figures.stretches = usize::try_from((length_us + STRETCH_US - 1) / STRETCH_US).unwrap_or(usize::MAX);
        // The earliest of several with the most.
        let peak = stretches.iter().max_by_key(|(stretch, count)| (**count, -**stretch));
        figures.peak = peak.map(|(stretch, count)| (Timestamp(stretch * STRETCH_US), *count));
        figures.floods = floods(&stretches, operators.max(1));
        let flooded: i64 = figures.floods.iter().map(|flood| flood.to.since_us(flood.from)).sum();
        figures.flooded = (flooded as f64 / length_us as f64).min(1.0);
        let chattering = counts.iter().map(|(key, times)| (key.clone(), most_within_a_minute(times)));
        figures.chattering = most(chattering.filter(|(_, count)| *count >= CHATTER).collect());
        figures.top = most(counts.into_iter().map(|(key, times)| (key, times.len())).collect());
        figures.top.truncate(TOP);
        figures
    }

    /// The time to acknowledge that so large a share of them does not exceed, µs.
    pub(super) fn to_acknowledge(&self, share: f64) -> Option<i64> {
        let last = self.to_acknowledge_us.len().checked_sub(1)?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it lies in 0..=last")]
        let place = (share.clamp(0.0, 1.0) * last as f64).round() as usize;
        self.to_acknowledge_us.get(place).copied()
    }
}

/// The most frequent first; of as many, in the order of their names.
fn most(mut counted: Vec<Counted>) -> Vec<Counted> {
    counted.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    counted
}

/// How many of `times`, which ascend, lie within one minute at most.
fn most_within_a_minute(times: &[i64]) -> usize {
    let (mut first, mut most) = (0, 0);
    for (place, time) in times.iter().enumerate() {
        while time - times[first] >= MINUTE_US {
            first += 1;
        }
        most = most.max(place - first + 1);
    }
    most
}

/// A flood begins with a stretch of more than ten alerts for each operator, and ends before the first one of
/// fewer than five.
fn floods(stretches: &BTreeMap<i64, usize>, operators: usize) -> Vec<Flood> {
    let mut floods: Vec<Flood> = Vec::new();
    let mut open: Option<(i64, i64, usize)> = None;
    let close = |open: &mut Option<(i64, i64, usize)>, floods: &mut Vec<Flood>| {
        if let Some((first, last, alerts)) = open.take() {
            let (from, to) = (Timestamp(first * STRETCH_US), Timestamp((last + 1) * STRETCH_US));
            floods.push(Flood { from, to, alerts });
        }
    };
    for (&stretch, &count) in stretches {
        // Between two stretches with alerts there may be some without any.
        if open.is_some_and(|(_, last, _)| last + 1 != stretch) || count < FLOOD_OVER_BELOW * operators {
            close(&mut open, &mut floods);
        }
        match &mut open {
            Some((_, last, alerts)) => {
                *last = stretch;
                *alerts += count;
            }
            None if count > FLOOD_ABOVE * operators => open = Some((stretch, stretch, count)),
            None => {}
        }
    }
    close(&mut open, &mut floods);
    floods
}

#[cfg(test)]
mod tests;
