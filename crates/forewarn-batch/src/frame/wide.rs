//! Signals side by side: the cells of several signals as the rows of one table.
//!
//! A row is an asset at a step, and one number stands for both: its cell. Cells ascend with the name of the
//! asset and then with time, and those of two assets are further apart than any value is carried. So one
//! column orders the table, and filling needs no look at the asset.

use forewarn_spec::FrameSignal;
use polars::prelude as pl;
use polars::prelude::{IntoColumn as _, NamedFrom as _, NewChunkedArray as _};

/// The column of the cells. No signal can have such a name.
pub(super) const CELL: &str = "asset and step";

/// The rows of all `cells`: each with what the signals have there. `of_signals` are two columns each, cells
/// that ascend and values.
pub(super) fn side_by_side(
    signals: &[FrameSignal],
    of_signals: &[pl::DataFrame],
) -> pl::PolarsResult<pl::DataFrame> {
    let parts = of_signals.iter().map(columns).collect::<pl::PolarsResult<Vec<_>>>()?;
    let rows = parts.iter().fold(Vec::new(), |rows, (cells, _)| union(rows, cells));
    let mut wide = Vec::with_capacity(1 + signals.len());
    for (signal, (cells, values)) in signals.iter().zip(&parts) {
        let mut next = 0;
        let at = |row: &i64| {
            (cells.get(next) == Some(row)).then(|| {
                next += 1;
                values.get(next - 1)
            })?
        };
        let column = pl::Float64Chunked::from_iter_options((&*signal.name).into(), rows.iter().map(at));
        if next != cells.len() {
            return Err(pl::PolarsError::ComputeError("cells do not ascend".into()));
        }
        wide.push(column.into_column());
    }
    let count = rows.len();
    wide.insert(0, pl::Series::new(CELL.into(), rows).into_column());
    pl::DataFrame::new(count, wide)
}

/// The numbers of both, each once. Both ascend.
fn union(first: Vec<i64>, second: &[i64]) -> Vec<i64> {
    if first == second {
        return first;
    }
    let mut both = Vec::with_capacity(first.len().max(second.len()));
    let mut second = second.iter().copied().peekable();
    for number in first {
        while let Some(before) = second.next_if(|other| *other < number) {
            both.push(before);
        }
        second.next_if_eq(&number);
        both.push(number);
    }
    both.extend(second);
    both
}

/// The cells and values of one signal.
fn columns(part: &pl::DataFrame) -> pl::PolarsResult<(Vec<i64>, pl::Float64Chunked)> {
    match part.columns() {
        [cells, values] => {
            Ok((cells.i64()?.into_no_null_iter().collect(), values.f64()?.rechunk().into_owned()))
        }
        _ => Err(pl::PolarsError::ComputeError("a signal has a cell and a value".into())),
    }
}
