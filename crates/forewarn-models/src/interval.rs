//! Prediction intervals with the coverage that the definition asks for: cross-conformal, by life.
//!
//! Every life is predicted by a model that has not seen it; how far those predictions were off says how far
//! the next will be. The misses are sorted into bins by the prediction, since a machine near its end is
//! predicted better than a fresh one, and the lower and the upper side have their own quantile: of n misses
//! the ⌈(n + 1) q⌉-th, which covers with probability q a new miss exchangeable with them (Vovk, Gammerman,
//! Shafer 2005). Between bins the widths are interpolated. Rows of one life are not independent of one
//! another, so the promise holds on average over lives, and is looser where lives are few.
//!
//! An end at the cap means "at least this": targets above it all count as the cap.

use serde::{Deserialize, Serialize};

/// A bin holds at least this many misses.
const MIN_BIN: usize = 60;
const MAX_BINS: usize = 8;

/// A prediction for a life that the model had not seen, and the truth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Scored {
    /// What was predicted.
    pub predicted: f64,
    /// What came.
    pub truth: f64,
    /// Which fold the life was in.
    pub fold: usize,
    /// Which life and which row of it, by their numbers in the table.
    pub row: (usize, usize),
}

/// Widths of the interval below and above a prediction, by prediction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Interval {
    cap: f64,
    bins: Vec<Bin>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Bin {
    /// Mean of the predictions in it.
    centre: f64,
    /// How far the lower end lies below the prediction.
    below: f64,
    /// How far the upper end lies above it.
    above: f64,
}

impl Interval {
    /// The interval that holds a share `coverage` of `outcomes`.
    pub(crate) fn of(outcomes: &[Scored], coverage: f64, cap: f64) -> Self {
        let mut sorted: Vec<Scored> = outcomes.to_vec();
        sorted.sort_by(|a, b| a.predicted.total_cmp(&b.predicted));
        let size = (sorted.len() / MAX_BINS).max(MIN_BIN);
        let side = f64::midpoint(1.0, coverage);
        let mut bins = Vec::new();
        let mut rest = &sorted[..];
        while !rest.is_empty() {
            let mut end = if rest.len() < 2 * size { rest.len() } else { size };
            // Equal predictions have equal widths.
            while end < rest.len() && rest[end].predicted <= rest[end - 1].predicted {
                end += 1;
            }
            let (bin, after) = rest.split_at(end);
            let centre = bin.iter().map(|outcome| outcome.predicted).sum::<f64>() / bin.len() as f64;
            let below = quantile(bin.iter().map(|outcome| outcome.predicted - outcome.truth).collect(), side)
                .max(0.0);
            let above = quantile(bin.iter().map(|outcome| outcome.truth - outcome.predicted).collect(), side)
                .max(0.0);
            bins.push(Bin { centre, below, above });
            rest = after;
        }
        Self { cap, bins }
    }

    /// Lower end, prediction, upper end, ascending, between 0 and the cap.
    pub(crate) fn around(&self, predicted: f64) -> (f64, f64, f64) {
        let predicted = predicted.clamp(0.0, self.cap);
        let after = self.bins.partition_point(|bin| bin.centre <= predicted);
        let (below, above) =
            match (after.checked_sub(1).and_then(|index| self.bins.get(index)), self.bins.get(after)) {
                (Some(left), Some(right)) => {
                    let share = (predicted - left.centre) / (right.centre - left.centre);
                    (
                        left.below + share * (right.below - left.below),
                        left.above + share * (right.above - left.above),
                    )
                }
                (Some(bin), None) | (None, Some(bin)) => (bin.below, bin.above),
                (None, None) => (self.cap, self.cap),
            };
        ((predicted - below).max(0.0), predicted, (predicted + above).min(self.cap))
    }

    /// Share of `outcomes` held, and mean width, where the interval for a fold is made of the other folds'
    /// misses.
    pub(crate) fn assess(outcomes: &[Scored], coverage: f64, cap: f64) -> (f64, f64) {
        let folds = outcomes.iter().map(|outcome| outcome.fold + 1).max().unwrap_or(0);
        let (mut held, mut width) = (0_usize, 0.0);
        for fold in 0..folds {
            let (own, others): (Vec<Scored>, Vec<Scored>) =
                outcomes.iter().partition(|outcome| outcome.fold == fold);
            let interval = Self::of(&others, coverage, cap);
            for outcome in &own {
                let (low, _, high) = interval.around(outcome.predicted);
                held += usize::from((low..=high).contains(&outcome.truth));
                width += high - low;
            }
        }
        let n = outcomes.len().max(1) as f64;
        (held as f64 / n, width / n)
    }
}

/// The ⌈(n + 1) q⌉-th smallest value, or the largest if there are too few to tell.
fn quantile(mut values: Vec<f64>, q: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and n + 1")]
    let rank = ((values.len() + 1) as f64 * q).ceil() as usize;
    let last = values.len().saturating_sub(1);
    values.get(rank.saturating_sub(1).min(last)).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A stream of numbers between 0 and 1 (`SplitMix64`).
    fn noise(seed: u64) -> impl Iterator<Item = f64> {
        (1_u64..).map(move |step| {
            let mut z = seed.wrapping_add(step.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
        })
    }

    /// Truths spread over 0 to 200, misses that grow with the truth, skewed.
    fn outcomes(seed: u64, n: usize) -> Vec<Scored> {
        let mut noise = noise(seed);
        let mut next = || noise.next().unwrap();
        (0..n)
            .map(|index| {
                let truth = 200.0 * next();
                let miss = (0.05 * truth + 1.0) * (next() + next() + next() * next() * 3.0 - 1.5);
                Scored { predicted: truth + miss, truth, fold: index % 5, row: (index, 0) }
            })
            .collect()
    }

    #[test]
    fn quantiles_have_the_finite_sample_rank() {
        let values: Vec<f64> = (1..=9).map(f64::from).collect();
        assert_eq!(quantile(values.clone(), 0.5), 5.0);
        assert_eq!(quantile(values.clone(), 0.9), 9.0);
        assert_eq!(quantile(values, 0.95), 9.0, "too few to tell: the largest");
    }

    #[test]
    fn new_outcomes_are_covered_as_often_as_promised() {
        for seed in 0..5 {
            let interval = Interval::of(&outcomes(seed, 2_000), 0.9, 1e9);
            let fresh = outcomes(seed + 100, 2_000);
            let held = fresh.iter().filter(|outcome| {
                let (low, _, high) = interval.around(outcome.predicted);
                (low..=high).contains(&outcome.truth)
            });
            let share = held.count() as f64 / fresh.len() as f64;
            // Four binomial standard deviations of 2000 draws, and the same again for the quantiles' own
            // error.
            assert!((share - 0.9).abs() < 0.035, "{share}");
            let (assessed, _) = Interval::assess(&outcomes(seed, 2_000), 0.9, 1e9);
            assert!((assessed - 0.9).abs() < 0.035, "{assessed}");
        }
    }

    #[test]
    fn the_interval_is_narrow_near_failure() {
        let interval = Interval::of(&outcomes(1, 2_000), 0.9, 1e9);
        let width = |at: f64| interval.around(at).2 - interval.around(at).0;
        assert!(width(20.0) < 0.5 * width(180.0), "{} {}", width(20.0), width(180.0));
    }

    proptest! {
        #[test]
        fn ends_are_ordered_and_bounded(
            pairs in prop::collection::vec((-50.0..300.0_f64, 0.0..125.0_f64), 0..400),
            at in -100.0..400.0_f64,
        ) {
            let scored = |&(predicted, truth): &(f64, f64)| Scored { predicted, truth, fold: 0, row: (0, 0) };
            let outcomes: Vec<Scored> = pairs.iter().map(scored).collect();
            let (low, middle, high) = Interval::of(&outcomes, 0.9, 125.0).around(at);
            prop_assert!([0.0, low, middle, high, 125.0].is_sorted(), "{low} {middle} {high}");
        }
    }
}
