//! The readings of one signal in one step as one value.

use forewarn_spec::Aggregate;
use polars::prelude as pl;
use polars::prelude::{IntoColumn as _, IntoLazy as _, NamedFrom as _};
use polars::series::IsSorted;

use super::wide::CELL;

const VALUE: &str = "value of readings";

/// One value for each cell that `cells` names, of the values that stand there beside it. Cells ascend. A
/// value that is no finite number, and the deviation of one reading, is none.
pub(super) fn aggregate(
    cells: Vec<i64>,
    values: Vec<f64>,
    how: Aggregate,
) -> pl::PolarsResult<pl::DataFrame> {
    let rows = cells.len();
    let mut cells = pl::Series::new(CELL.into(), cells);
    // Polars groups what it knows to be sorted in one pass, into slices.
    cells.set_sorted_flag(IsSorted::Ascending);
    let values = pl::Series::new(VALUE.into(), values);
    let frame = pl::DataFrame::new(rows, vec![cells.into_column(), values.into_column()])?;
    let one = expression(pl::col(VALUE), how).cast(pl::DataType::Float64).alias(VALUE);
    frame.lazy().group_by_stable([pl::col(CELL)]).agg([one]).with_columns([finite(VALUE)]).collect()
}

fn expression(values: pl::Expr, how: Aggregate) -> pl::Expr {
    match how {
        Aggregate::Mean => values.mean(),
        Aggregate::Min => values.min(),
        Aggregate::Max => values.max(),
        Aggregate::Sum => values.sum(),
        Aggregate::Count => values.count(),
        Aggregate::First => values.first(),
        Aggregate::Last => values.last(),
        Aggregate::Std => values.std(1),
        Aggregate::Median => values.median(),
    }
}

/// The column `name`, and nothing where it is no finite number: such a value is unknown, as in rules.
pub(super) fn finite(name: &str) -> pl::Expr {
    let column = pl::col(name);
    pl::when(column.clone().is_finite()).then(column).otherwise(pl::lit(pl::NULL)).alias(name)
}
