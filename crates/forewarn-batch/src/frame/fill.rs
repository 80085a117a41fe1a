//! What a signal has not in a step, taken from the steps around it.

use forewarn_spec::{Fill, FrameSignal};
use polars::prelude as pl;

use super::grid::Grid;
use super::wide::CELL;

/// How many steps before and after a row filling may look at.
pub(super) const fn reach(fill: Fill, grid: Grid) -> (i64, i64) {
    match fill {
        Fill::None => (0, 0),
        Fill::Previous(length_us) => (grid.steps_in(length_us), 0),
        Fill::Linear(length_us) => (grid.steps_in(length_us), grid.steps_in(length_us)),
    }
}

/// Fills the columns of `signals` in rows that are ordered by [`CELL`]. Cells of two assets are further apart
/// than [`reach`] says.
pub(super) fn fill(rows: pl::LazyFrame, signals: &[FrameSignal], fill: Fill, grid: Grid) -> pl::LazyFrame {
    let filled = |signal: &FrameSignal| {
        let name = &*signal.name;
        match fill {
            Fill::None => None,
            Fill::Previous(length_us) => Some(previous(name, grid.steps_in(length_us))),
            Fill::Linear(length_us) => Some(linear(name, grid.steps_in(length_us))),
        }
    };
    let filled: Vec<pl::Expr> = signals.iter().filter_map(filled).collect();
    if filled.is_empty() { rows } else { rows.with_columns(filled) }
}

/// The newest value up to the row, if it is at most `steps` old.
fn previous(name: &str, steps: i64) -> pl::Expr {
    let age = pl::col(CELL) - before(cell_of_values(name));
    let value = before(pl::col(name));
    pl::when(age.lt_eq(pl::lit(steps))).then(value).otherwise(pl::lit(pl::NULL)).alias(name)
}

/// The value, or what lies on the line between those before and after if they are at most `steps` apart.
fn linear(name: &str, steps: i64) -> pl::Expr {
    let (first, last) = (before(cell_of_values(name)), after(cell_of_values(name)));
    let (low, high) = (before(pl::col(name)), after(pl::col(name)));
    let number = |cells: pl::Expr| cells.cast(pl::DataType::Float64);
    let length = last - first.clone();
    let share = number(pl::col(CELL) - first) / number(length.clone());
    let on_line = low.clone() + (high - low) * share;
    let on_line = pl::when(on_line.clone().is_finite()).then(on_line).otherwise(pl::lit(pl::NULL));
    pl::when(pl::col(name).is_not_null())
        .then(pl::col(name))
        .when(length.lt_eq(pl::lit(steps)))
        .then(on_line)
        .otherwise(pl::lit(pl::NULL))
        .alias(name)
}

/// The cell where there is a value.
fn cell_of_values(name: &str) -> pl::Expr {
    pl::when(pl::col(name).is_not_null()).then(pl::col(CELL)).otherwise(pl::lit(pl::NULL))
}

fn before(values: pl::Expr) -> pl::Expr {
    values.fill_null_with_strategy(pl::FillNullStrategy::Forward(None))
}

fn after(values: pl::Expr) -> pl::Expr {
    values.fill_null_with_strategy(pl::FillNullStrategy::Backward(None))
}
