//! Features: what a model sees of a life at one row, computed from that life's past only.
//!
//! Per signal: the value of the row (`last`), and mean, standard deviation, minimum, maximum and slope over
//! each trailing window. A window holds the slots up to and with the row; it never reaches back before the
//! start of the life, so windows are shorter there, and slots without a value are left out. The slope is that
//! of the least-squares line times the length that the window really covers: the change over the window, in
//! the signal's unit. It is 0 below [`slope_rows`] values.
//!
//! Age, if the definition asks for it, is measured in caps, a = age / cap, so that it has no unit: a, ln(1 +
//! 100 a) and min(2 a, 1). It assumes a healthy start and a known beginning of the life.
//!
//! Sums over windows are differences of prefix sums: O(1) a row and window. Training and prediction call the
//! same function.

use std::collections::VecDeque;

use forewarn_spec::{Model, Statistic};
use forewarn_types::{SignalName, format_duration};

use crate::grid::{GridSpec, LifeGrid};

/// A slope needs this many values, or the window's full length if that is less; never fewer than three.
const SLOPE_ROWS: usize = 8;

/// What a definition asks to be computed.
#[derive(Debug, Clone)]
pub(crate) struct FeaturePlan {
    /// Spacing of the rows, µs.
    pub every_us: i64,
    /// The signals, in the order of the definition.
    pub signals: Vec<SignalName>,
    windows_us: Vec<i64>,
    /// Window lengths in slots.
    windows: Vec<usize>,
    statistics: Vec<Statistic>,
    age: bool,
    cap_us: f64,
}

/// One column of the feature table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    /// Such as `temperature.mean.24h` or `age.log`.
    pub name: String,
    /// Which of the plan's signals it is computed from; `None`: the age.
    pub signal: Option<usize>,
}

impl FeaturePlan {
    /// The plan of `model` for some of its signals: those that are not constant.
    pub(crate) fn new(model: &Model, signals: Vec<SignalName>) -> Self {
        let features = &model.features;
        let every_us = features.every_us.max(1);
        let slots = |&window: &i64| usize::try_from((window + every_us / 2) / every_us).unwrap_or(1).max(1);
        Self {
            every_us,
            signals,
            windows_us: features.windows_us.clone(),
            windows: features.windows_us.iter().map(slots).collect(),
            statistics: features.statistics.clone(),
            age: features.age,
            cap_us: model.target.cap * model.target.unit.us(every_us) as f64,
        }
    }

    /// The columns, grouped by signal, the age last.
    pub(crate) fn columns(&self) -> Vec<Column> {
        let mut columns = Vec::new();
        for (index, signal) in self.signals.iter().enumerate() {
            let mut add = |name: String| columns.push(Column { name, signal: Some(index) });
            if self.statistics.contains(&Statistic::Last) {
                add(format!("{signal}.last"));
            }
            for &window in &self.windows_us {
                let window = format_duration(window);
                for &statistic in self.windowed() {
                    add(format!("{signal}.{}.{window}", statistic_name(statistic)));
                }
            }
        }
        if self.age {
            columns.extend(
                ["age.linear", "age.log", "age.young"].map(|name| Column { name: name.into(), signal: None }),
            );
        }
        columns
    }

    fn windowed(&self) -> impl Iterator<Item = &Statistic> {
        self.statistics.iter().filter(|&&statistic| statistic != Statistic::Last)
    }

    /// How many slots a value may be carried forward: a quarter of the longest window, at least three.
    pub(crate) fn fill_slots(&self) -> usize {
        (self.longest() / 4).max(3)
    }

    fn longest(&self) -> usize {
        self.windows.iter().copied().max().unwrap_or(1)
    }

    /// The first slot that has a part in the row at `slot`: where its longest window begins, and a value
    /// carried into that lies.
    pub(crate) fn first_slot(&self, slot: usize) -> usize {
        (slot + 1).saturating_sub(self.longest() + self.fill_slots())
    }

    /// How far before an asset's newest reading readings can still matter, µs: the row itself may lie
    /// [`Self::fill_slots`] before it, the row's longest window begins before that, and a value carried into
    /// that window before that.
    pub(crate) fn look_back_us(&self) -> i64 {
        let slots = i64::try_from(self.longest() + 2 * self.fill_slots() + 2).unwrap_or(i64::MAX);
        slots.saturating_mul(self.every_us)
    }

    /// The grid that this plan works on, for readings in `from..until` of a life that began at `start`.
    pub(crate) fn grid_spec(&self, start: i64, from: i64, until: i64) -> GridSpec {
        GridSpec { every_us: self.every_us, fill_slots: self.fill_slots(), start, from, until }
    }

    /// The features at the slots `wanted` of `grid`, row after row. A signal that is unknown at a slot has
    /// NaN in all its columns.
    pub(crate) fn rows(&self, grid: &LifeGrid, wanted: &[usize]) -> Vec<f64> {
        let width = self.columns().len();
        let mut table = vec![f64::NAN; width * wanted.len()];
        let mut column = 0;
        for values in &grid.values {
            let sums = Sums::new(values);
            let mut put = |of: &dyn Fn(usize) -> f64| {
                for (row, &slot) in wanted.iter().enumerate() {
                    if !values[slot].is_nan() {
                        table[row * width + column] = of(slot);
                    }
                }
                column += 1;
            };
            if self.statistics.contains(&Statistic::Last) {
                put(&|slot| values[slot]);
            }
            for &window in &self.windows {
                for &statistic in self.windowed() {
                    match statistic {
                        Statistic::Min => {
                            let least = extremes(values, window, |new, old| new <= old);
                            put(&|slot| least[slot]);
                        }
                        Statistic::Max => {
                            let most = extremes(values, window, |new, old| new >= old);
                            put(&|slot| most[slot]);
                        }
                        Statistic::Std => put(&|slot| sums.std(slot, window)),
                        Statistic::Slope => put(&|slot| sums.slope(slot, window)),
                        Statistic::Mean | Statistic::Last => put(&|slot| sums.mean(slot, window)),
                    }
                }
            }
        }
        if self.age {
            for (row, &slot) in wanted.iter().enumerate() {
                let age = (grid.newest[slot].saturating_sub(grid.start).max(0) as f64 / self.cap_us).max(0.0);
                let at = row * width + column;
                table[at..at + 3].copy_from_slice(&[age, (100.0 * age).ln_1p(), (2.0 * age).min(1.0)]);
            }
        }
        table
    }
}

/// The name of a statistic in definitions and column names.
pub(crate) const fn statistic_name(statistic: Statistic) -> &'static str {
    match statistic {
        Statistic::Last => "last",
        Statistic::Mean => "mean",
        Statistic::Std => "std",
        Statistic::Min => "min",
        Statistic::Max => "max",
        Statistic::Slope => "slope",
    }
}

/// Prefix sums over the known values of one signal. Values are taken relative to the first known one, so that
/// a small change on top of a large level keeps its digits; slot numbers are summed in integers, which is
/// exact.
struct Sums {
    base: f64,
    /// Element i sums over the slots before i.
    before: Vec<Sum>,
}

/// Sums over known values v at slots k.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    count: u64,
    k: u64,
    /// Grows with the cube of the slots: 64 bits are full after four million.
    kk: u128,
    v: f64,
    vv: f64,
    kv: f64,
}

impl Sums {
    fn new(values: &[f64]) -> Self {
        let base = values.iter().copied().find(|value| !value.is_nan()).unwrap_or(0.0);
        let mut sum = Sum::default();
        let mut before = Vec::with_capacity(values.len() + 1);
        before.push(sum);
        for (k, &value) in (0_u64..).zip(values) {
            if !value.is_nan() {
                let v = value - base;
                sum.count += 1;
                sum.k += k;
                sum.kk += u128::from(k) * u128::from(k);
                sum.v += v;
                sum.vv += v * v;
                sum.kv += k as f64 * v;
            }
            before.push(sum);
        }
        Self { base, before }
    }

    /// Sums over the window of `window` slots that ends with `slot`, and how many slots that covers.
    fn over(&self, slot: usize, window: usize) -> (Sum, usize) {
        let (from, to) = ((slot + 1).saturating_sub(window), slot + 1);
        let (a, b) = (&self.before[from], &self.before[to]);
        let sum = Sum {
            count: b.count - a.count,
            k: b.k - a.k,
            kk: b.kk - a.kk,
            v: b.v - a.v,
            vv: b.vv - a.vv,
            kv: b.kv - a.kv,
        };
        (sum, to - from)
    }

    fn mean(&self, slot: usize, window: usize) -> f64 {
        let (sum, _) = self.over(slot, window);
        self.base + sum.v / sum.count as f64
    }

    fn std(&self, slot: usize, window: usize) -> f64 {
        let (sum, _) = self.over(slot, window);
        let n = sum.count as f64;
        ((sum.vv - sum.v * sum.v / n) / n).max(0.0).sqrt()
    }

    fn slope(&self, slot: usize, window: usize) -> f64 {
        let (sum, covered) = self.over(slot, window);
        if sum.count < slope_rows(window) as u64 {
            return 0.0;
        }
        // n Σk² − (Σk)² is exact in 128 bits, and positive since slot numbers differ.
        let spread = u128::from(sum.count) * sum.kk - u128::from(sum.k) * u128::from(sum.k);
        let cross = sum.count as f64 * sum.kv - sum.k as f64 * sum.v;
        cross / spread as f64 * covered as f64
    }
}

/// How many values a slope over `window` slots needs.
fn slope_rows(window: usize) -> usize {
    window.clamp(3, SLOPE_ROWS)
}

/// The extreme of each trailing window, with a queue of candidates: each value enters and leaves it once.
fn extremes(values: &[f64], window: usize, beats: fn(f64, f64) -> bool) -> Vec<f64> {
    let mut queue: VecDeque<(usize, f64)> = VecDeque::new();
    values
        .iter()
        .enumerate()
        .map(|(slot, &value)| {
            if !value.is_nan() {
                while queue.back().is_some_and(|&(_, old)| beats(value, old)) {
                    queue.pop_back();
                }
                queue.push_back((slot, value));
            }
            while queue.front().is_some_and(|&(old, _)| old + window <= slot) {
                queue.pop_front();
            }
            queue.front().map_or(f64::NAN, |&(_, value)| value)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slope_late_in_a_very_long_life_is_that_of_its_window() {
        let mut values = vec![0.0; 4_000_000];
        let end = values.len() - 1;
        (0..10).for_each(|back| values[end - back] = 9.0 - back as f64);
        let sums = Sums::new(&values);
        let slope = sums.slope(end, 10);
        assert!((slope - 10.0).abs() < 1e-6, "one a slot, over ten slots: {slope}");
    }
}
