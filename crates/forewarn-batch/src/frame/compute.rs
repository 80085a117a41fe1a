//! From the readings of a portion to its rows.

use forewarn_spec::Frame;
use polars::prelude as pl;
use polars::prelude::IntoLazy as _;

use super::grid::Grid;
use super::portions::DAY_US;
use super::readings::Readings;
use super::wide::CELL;
use super::{aggregate, columns, fill, wide};

/// The steps of a portion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Steps {
    pub(super) grid: Grid,
    /// Rows are of these.
    pub(super) rows: std::ops::Range<i64>,
    /// Readings are of these: filling looks beyond the rows.
    pub(super) read: std::ops::Range<i64>,
}

impl Steps {
    /// The steps of `frame` that end after `from` and not after `to`.
    pub(super) const fn ending_within(frame: &Frame, from: i64, to: i64) -> Self {
        let grid = Grid::new(frame.every_us);
        let rows = grid.ending_within(from, to);
        let (before, after) = fill::reach(frame.fill, grid);
        let read = rows.start.saturating_sub(before)..rows.end.saturating_add(after);
        Self { grid, rows, read }
    }

    /// The first time of the readings, and the one after the last.
    pub(super) const fn times(&self) -> (i64, i64) {
        (self.grid.start_of(self.read.start), self.grid.start_of(self.read.end))
    }

    /// How far beyond its own time a part of these steps reads, at most, µs; nothing if it can be cut at any
    /// border of days without that.
    pub(super) const fn beyond_us(&self) -> i64 {
        let (before, after) = (self.rows.start - self.read.start, self.read.end - self.rows.end);
        let filling = self.grid.start_of(if before > after { before } else { after });
        let step = self.grid.start_of(1);
        if filling == 0 && DAY_US % step == 0 { 0 } else { filling.saturating_add(step) }
    }

    /// Cells from one asset to the next: further than any value is carried.
    fn stride(&self, frame: &Frame) -> i64 {
        let (before, _) = fill::reach(frame.fill, self.grid);
        self.read.end.saturating_sub(self.read.start).saturating_add(before).saturating_add(1)
    }
}

/// The rows of a portion.
pub(super) struct Rows {
    /// The assets by name.
    pub(super) assets: Vec<String>,
    /// Cells, signals and columns.
    pub(super) table: pl::DataFrame,
    stride: i64,
    steps: Steps,
}

impl Rows {
    /// The name of the asset that a cell belongs to, and the start of its step.
    pub(super) fn place(&self, cell: i64) -> Option<(&str, i64)> {
        let asset = usize::try_from(cell.div_euclid(self.stride)).ok()?;
        let step = self.steps.read.start + cell.rem_euclid(self.stride);
        Some((self.assets.get(asset)?, self.steps.grid.start_of(step)))
    }
}

/// Computes the rows of `steps` from all readings of `steps.read`.
pub(super) fn compute(frame: &Frame, steps: Steps, readings: Readings) -> Result<Rows, String> {
    let (stride, assets) = (steps.stride(frame), readings.assets());
    if i64::try_from(assets.len()).unwrap_or(i64::MAX).checked_mul(stride).is_none() {
        return Err("the steps are too short for so long an interval; make `every` longer".to_owned());
    }
    let failed = |error: pl::PolarsError| format!("polars failed: {error}");
    let mut of_signals = Vec::with_capacity(frame.signals.len());
    for (number, signal) in frame.signals.iter().enumerate() {
        let count = readings.count_of(number);
        let (mut cells, mut values) = (Vec::with_capacity(count), Vec::with_capacity(count));
        for (asset, (_, place)) in (0_i64..).zip(&assets) {
            let first = asset * stride - steps.read.start;
            readings.each(*place, number, |time, value| {
                cells.push(first + steps.grid.step_of(time));
                values.push(value);
            });
        }
        of_signals.push(aggregate::aggregate(cells, values, signal.aggregate).map_err(failed)?);
    }
    drop(readings);
    let wide = wide::side_by_side(&frame.signals, &of_signals).map_err(failed)?;
    drop(of_signals);
    let filled = fill::fill(wide.lazy(), &frame.signals, frame.fill, steps.grid);
    let step = steps.rows.start - steps.read.start..steps.rows.end - steps.read.start;
    let within = pl::col(CELL) - pl::col(CELL).floor_div(pl::lit(stride)) * pl::lit(stride);
    let own = within.clone().gt_eq(pl::lit(step.start)).and(within.lt(pl::lit(step.end)));
    let added = columns::add(filled.filter(own), &frame.columns);
    let table = columns::keep(added, frame.filter.as_ref()).collect().map_err(failed)?;
    let assets = assets.into_iter().map(|(asset, _)| asset).collect();
    Ok(Rows { assets, table, stride, steps })
}
