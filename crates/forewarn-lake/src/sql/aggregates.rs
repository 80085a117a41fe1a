//! Queries that mix single rows with aggregates over all of them: polars repeats the aggregate for each row,
//! which is an answer to another question than the one that was meant.

use std::ops::ControlFlow;

use super::names;
use sqlparser::ast::{
    Expr, Function, GroupByExpr, OrderBy, OrderByKind, Query, Select, SelectItem, SetExpr, Value, Visit as _,
    Visitor,
};

/// The functions that make one value of many rows.
const AGGREGATES: [&str; 26] = [
    "array_agg",
    "avg",
    "corr",
    "count",
    "covar",
    "covar_pop",
    "covar_samp",
    "first",
    "group_concat",
    "last",
    "listagg",
    "max",
    "median",
    "min",
    "quantile_cont",
    "quantile_disc",
    "stddev",
    "stddev_samp",
    "stdev",
    "stdev_samp",
    "string_agg",
    "sum",
    "total",
    "var",
    "var_samp",
    "variance",
];

/// A column that `select` takes from single rows although it has aggregates and no GROUP BY.
pub(super) fn stray_column(select: &Select) -> Option<String> {
    if !matches!(&select.group_by, GroupByExpr::Expressions(by, _) if by.is_empty()) {
        return None;
    }
    let mut found = Columns::default();
    for item in &select.projection {
        match item {
            SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => {
                let _: ControlFlow<()> = expr.visit(&mut found);
            }
            other => found.column = found.column.or_else(|| Some(other.to_string())),
        }
    }
    found.column.filter(|_| found.aggregates)
}

/// Has a grouped `query` sort by the places of its columns where it says anew what they are computed from:
/// polars sorts the rows of the answer, in which only the columns are.
///
/// # Errors
/// If it sorts by an aggregate that is none of its columns.
pub(super) fn name_order(query: &mut Query) -> Result<(), String> {
    let SetExpr::Select(select) = query.body.as_ref() else { return Ok(()) };
    if matches!(&select.group_by, GroupByExpr::Expressions(by, _) if by.is_empty()) {
        return Ok(());
    }
    let Some(OrderBy { kind: OrderByKind::Expressions(by), .. }) = &mut query.order_by else { return Ok(()) };
    for key in by {
        let mut found = Columns::default();
        let _: ControlFlow<()> = key.expr.visit(&mut found);
        if names::is_column(&key.expr) {
            continue;
        }
        let is_key = |item: &SelectItem| match item {
            SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => *expr == key.expr,
            _ => false,
        };
        let Some(place) = select.projection.iter().position(is_key) else {
            // polars still knows what single keys are computed from.
            if !found.aggregates {
                continue;
            }
            return Err(format!(
                "ORDER BY {} is no column of the answer; add it to SELECT, with a name, and sort by that",
                key.expr
            ));
        };
        key.expr = Expr::Value(Value::Number((place + 1).to_string(), false).into());
    }
    Ok(())
}

/// What stands outside of aggregates, windows and subqueries.
#[derive(Default)]
struct Columns {
    aggregates: bool,
    column: Option<String>,
    /// How many aggregates, windows and subqueries are open.
    inside: usize,
}

fn is_aggregate(function: &Function) -> bool {
    let name = function.name.to_string().to_lowercase();
    function.over.is_none() && AGGREGATES.contains(&name.as_str())
}

/// Whether what stands in the parentheses of `expr` is not taken row by row.
fn encloses(expr: &Expr) -> bool {
    matches!(expr, Expr::Function(function) if function.over.is_some() || is_aggregate(function))
}

impl Visitor for Columns {
    type Break = ();

    fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.inside += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.inside -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        if self.inside == 0 {
            match expr {
                Expr::Function(function) if is_aggregate(function) => self.aggregates = true,
                Expr::Identifier(_) | Expr::CompoundIdentifier(_) if self.column.is_none() => {
                    self.column = Some(expr.to_string());
                }
                _ => {}
            }
        }
        self.inside += usize::from(encloses(expr));
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        self.inside -= usize::from(encloses(expr));
        ControlFlow::Continue(())
    }
}
