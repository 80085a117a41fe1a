//! The table a model is fitted to: features and targets of rows of failed lives, of bounded size.

use forewarn_spec::Model;
use ndarray::Array2;

use crate::features::{Column, FeaturePlan};
use crate::grid::LifeGrid;

/// Most rows kept for fitting. Neighbouring rows say nearly the same, so thinning costs little.
const MAX_TRAIN_ROWS: usize = 12_000;
/// Most cells of the table: 128 MB.
const MAX_CELLS: usize = 16 << 20;
/// At these shares of its rows a life is scored: the stand-in for machines that still run.
const EVALUATIONS: usize = 20;
const FIRST_EVALUATION: f64 = 0.30;
const LAST_EVALUATION: f64 = 0.97;

/// Collects rows life by life, so that no more than one life's readings are held at a time.
#[derive(Debug)]
pub(crate) struct DatasetBuilder {
    plan: FeaturePlan,
    columns: Vec<Column>,
    unit_us: f64,
    cap: f64,
    /// Most rows that are fitted to.
    room: usize,
    /// Of each life every so many-th row is fitted to. It doubles whenever the room is used up, so that the
    /// rows that stay are those that would have been taken from the start.
    stride: usize,
    table: Vec<f64>,
    rows: Vec<Row>,
    distinct: Vec<Distinct>,
    seen: Vec<bool>,
    lives: Vec<LifeExtent>,
}

/// What is known of a row beside its features.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    /// Number of its life.
    pub life: usize,
    /// Its number among the rows that the life has before thinning.
    pub number: usize,
    /// Time to failure in the target's unit, at most the cap.
    pub target: f64,
    /// Whether it is fitted to.
    pub train: bool,
    /// Whether it is scored in validation.
    pub evaluate: bool,
}

/// A life in the table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LifeExtent {
    /// When it ended, µs.
    pub end: i64,
    /// How many rows it has before thinning.
    pub rows: usize,
}

/// The table, without constant signals and incomplete rows.
#[derive(Debug)]
pub(crate) struct Dataset {
    /// The columns of `x`.
    pub columns: Vec<Column>,
    /// Which of the definition's signals are kept, in its order; a column's signal is a position in here.
    pub signals: Vec<usize>,
    /// Features.
    pub x: Array2<f64>,
    /// The rows of `x`.
    pub rows: Vec<Row>,
    /// The lives.
    pub lives: Vec<LifeExtent>,
    /// Rows left out since a signal was unknown there.
    pub incomplete: usize,
}

impl DatasetBuilder {
    /// A builder without lives.
    pub(crate) fn new(model: &Model) -> Self {
        let plan = FeaturePlan::new(model, model.signals.clone());
        let columns = plan.columns();
        let signals = model.signals.len();
        Self {
            unit_us: model.target.unit.us(plan.every_us) as f64,
            cap: model.target.cap,
            plan,
            room: MAX_TRAIN_ROWS.min(MAX_CELLS / columns.len().max(1)).max(1),
            columns,
            stride: 1,
            table: Vec::new(),
            rows: Vec::new(),
            distinct: vec![Distinct::default(); signals],
            seen: vec![false; signals],
            lives: Vec::new(),
        }
    }

    /// Most lives that the table has room for: each brings its scored rows, and as many again to be fitted
    /// to.
    pub(crate) fn max_lives(model: &Model) -> usize {
        let columns = FeaturePlan::new(model, model.signals.clone()).columns().len();
        (MAX_CELLS / columns.max(1) / (2 * EVALUATIONS)).clamp(10, 1_000)
    }

    /// The plan that grids must be made for.
    pub(crate) const fn plan(&self) -> &FeaturePlan {
        &self.plan
    }

    /// Takes in a life that failed at `end`, µs. Gives its number; `None` if it has no rows.
    pub(crate) fn add(&mut self, grid: &LifeGrid, end: i64) -> Option<usize> {
        for (signal, values) in grid.values.iter().enumerate() {
            for &value in values.iter().filter(|value| !value.is_nan()) {
                self.seen[signal] = true;
                self.distinct[signal].add(value);
            }
        }
        let slots: Vec<usize> = grid.rows().collect();
        if slots.is_empty() {
            return None;
        }
        self.make_room(slots.len());
        let life = self.lives.len();
        self.lives.push(LifeExtent { end, rows: slots.len() });
        let evaluated = evaluation_rows(slots.len());
        let is_evaluated = |number: &usize| evaluated.binary_search(number).is_ok();
        let kept: Vec<usize> =
            (0..slots.len()).filter(|row| row.is_multiple_of(self.stride) || is_evaluated(row)).collect();
        let wanted: Vec<usize> = kept.iter().map(|&row| slots[row]).collect();
        self.table.extend(self.plan.rows(grid, &wanted));
        for (&number, &slot) in kept.iter().zip(&wanted) {
            let left = end.saturating_sub(grid.newest[slot]).max(0) as f64 / self.unit_us;
            let (train, evaluate) = (number.is_multiple_of(self.stride), is_evaluated(&number));
            self.rows.push(Row { life, number, target: left.min(self.cap), train, evaluate });
        }
        Some(life)
    }

    /// Thins until a life of `more` rows has room. A stride beyond the longest life leaves the first row of
    /// each.
    fn make_room(&mut self, more: usize) {
        let longest = self.lives.iter().map(|life| life.rows).max().unwrap_or(0).max(more);
        let used = |rows: &[Row]| rows.iter().filter(|row| row.train).count();
        while used(&self.rows) + more.div_ceil(self.stride) > self.room && self.stride < longest {
            self.stride *= 2;
            let width = self.columns.len();
            let mut kept = 0;
            for at in 0..self.rows.len() {
                let train = self.rows[at].number.is_multiple_of(self.stride);
                if train || self.rows[at].evaluate {
                    self.rows[kept] = Row { train, ..self.rows[at] };
                    self.table.copy_within(at * width..(at + 1) * width, kept * width);
                    kept += 1;
                }
            }
            self.rows.truncate(kept);
            self.table.truncate(kept * width);
        }
    }

    /// The signals that no life has a single reading of.
    pub(crate) fn unseen(&self) -> Vec<&str> {
        self.plan
            .signals
            .iter()
            .zip(&self.seen)
            .filter(|&(_, &seen)| !seen)
            .map(|(signal, _)| &**signal)
            .collect()
    }

    /// The table: signals with at most two distinct values are dropped (they hold no trend), then rows where
    /// one of the others is unknown.
    pub(crate) fn finish(self) -> Dataset {
        let signals: Vec<usize> =
            (0..self.distinct.len()).filter(|&signal| self.distinct[signal].is_varied()).collect();
        let width = self.columns.len();
        let kept: Vec<usize> = (0..width)
            .filter(|&column| self.columns[column].signal.is_none_or(|signal| signals.contains(&signal)))
            .collect();
        let complete: Vec<usize> = (0..self.rows.len())
            .filter(|&row| kept.iter().all(|&column| self.table[row * width + column].is_finite()))
            .collect();
        let x = Array2::from_shape_fn((complete.len(), kept.len()), |(row, column)| {
            self.table[complete[row] * width + kept[column]]
        });
        let columns = kept.iter().map(|&column| {
            let Column { name, signal } = self.columns[column].clone();
            Column { name, signal: signal.and_then(|signal| signals.iter().position(|&kept| kept == signal)) }
        });
        Dataset {
            columns: columns.collect(),
            x,
            rows: complete.iter().map(|&row| self.rows[row]).collect(),
            lives: self.lives,
            incomplete: self.rows.len() - complete.len(),
            signals,
        }
    }
}

/// The rows of a life of `rows` rows that are scored, ascending, without repetition.
pub(crate) fn evaluation_rows(rows: usize) -> Vec<usize> {
    let step = (LAST_EVALUATION - FIRST_EVALUATION) / (EVALUATIONS - 1) as f64;
    let at = |index: usize| (index as f64).mul_add(step, FIRST_EVALUATION) * rows.saturating_sub(1) as f64;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a usize that is not negative"
    )]
    let mut found: Vec<usize> = (0..EVALUATIONS).map(|index| at(index).round() as usize).collect();
    found.dedup();
    found
}

/// Counts distinct values up to three.
#[derive(Debug, Clone, Default)]
struct Distinct {
    first: Option<f64>,
    second: Option<f64>,
    varied: bool,
}

impl Distinct {
    fn add(&mut self, value: f64) {
        if self.varied || self.first == Some(value) || self.second == Some(value) {
            return;
        }
        match (self.first, self.second) {
            (None, _) => self.first = Some(value),
            (_, None) => self.second = Some(value),
            _ => self.varied = true,
        }
    }

    const fn is_varied(&self) -> bool {
        self.varied
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::GridBuilder;
    use crate::tests::core::{HOUR, model};

    /// A table of lives with one row each `every` hours, so many rows each, and the most rows that may be
    /// fitted to.
    fn table(room: usize, every: i64, lives: &[i64]) -> Dataset {
        let model = model(&["a"], &[forewarn_spec::Statistic::Last]);
        let mut builder = DatasetBuilder { room, ..DatasetBuilder::new(&model) };
        for &rows in lives {
            let mut grid = GridBuilder::new(builder.plan().grid_spec(0, 0, i64::MAX), 1);
            (0..rows).for_each(|row| grid.push(0, row * every * HOUR, row as f64));
            builder.add(&grid.finish(), rows * every * HOUR);
        }
        builder.finish()
    }

    fn trained(data: &Dataset) -> Vec<(usize, usize)> {
        data.rows.iter().filter(|row| row.train).map(|row| (row.life, row.number)).collect()
    }

    #[test]
    fn thinning_counts_rows_and_not_the_gaps_between_them() {
        let data = table(100, 15, &[30, 40, 30]);
        assert_eq!(trained(&data).len(), 100, "all of them have room, though they lie 1500 slots apart");
    }

    #[test]
    fn thinning_leaves_the_same_rows_in_any_order_of_lives() {
        let data = table(100, 1, &[30, 40, 300]);
        let expected = (0..3)
            .zip([30, 40, 300])
            .flat_map(|(life, rows)| (0..rows).step_by(4).map(move |number| (life, number)));
        assert_eq!(trained(&data), expected.collect::<Vec<_>>());
        let sizes = |lives: &[i64]| trained(&table(100, 1, lives)).len();
        assert_eq!(sizes(&[300, 30, 40]), sizes(&[30, 40, 300]));
        for (row, values) in data.rows.iter().zip(data.x.rows()) {
            assert_eq!(values[0], row.number as f64, "the features of a row move with it");
        }
        let scored = data.rows.iter().filter(|row| row.evaluate && row.life == 2).count();
        assert_eq!(scored, EVALUATIONS, "what is scored stays");
    }

    #[test]
    fn many_lives_keep_a_row_each() {
        assert_eq!(trained(&table(3, 1, &[5; 10])).len(), 10);
    }
}
