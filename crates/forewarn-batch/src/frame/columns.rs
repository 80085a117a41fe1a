//! Columns that are computed from others of their row, and which rows stay.

use forewarn_spec::{Expr, FrameColumn, Type};
use polars::prelude as pl;

use super::aggregate::finite;
use crate::lower;

/// Adds `columns` one after another, so that each may use those before it.
pub(super) fn add(rows: pl::LazyFrame, columns: &[FrameColumn]) -> pl::LazyFrame {
    columns.iter().fold(rows, |rows, column| {
        let rows = rows.with_columns([lower(&column.expr).alias(&*column.name)]);
        if column.expr.ty() == Type::Bool { rows } else { rows.with_columns([finite(&column.name)]) }
    })
}

/// The rows of which `filter` is true.
pub(super) fn keep(rows: pl::LazyFrame, filter: Option<&Expr>) -> pl::LazyFrame {
    match filter {
        Some(filter) => rows.filter(lower(filter)),
        None => rows,
    }
}
