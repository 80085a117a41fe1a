//! `x > ALL (SELECT …)`, `x <= ANY (SELECT …)` and their kin, said with aggregates.
//!
//! SQL:2016, part 2, 8.9: `ALL` of nothing is true and `ANY` of nothing false; beyond that a null on either
//! side makes the answer unknown, unless another row decides it. Which row decides is the greatest or the
//! smallest.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode as _};
use datafusion::common::{Column, DFSchema, Result, ScalarValue, Spans, plan_err};
use datafusion::functions_aggregate::expr_fn::{count, max, min};
use datafusion::logical_expr::expr::{Exists, InSubquery, SetComparison, SetQuantifier};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::{merge_schema, split_conjunction};
use datafusion::logical_expr::{
    Expr, LogicalPlan, LogicalPlanBuilder, Operator, Subquery, binary_expr, lit, when,
};
use datafusion::optimizer::analyzer::AnalyzerRule;

use crate::guard::check_parts;

/// Replaces comparisons with all, or any, rows of a subquery.
#[derive(Debug)]
pub(super) struct Compare;

impl AnalyzerRule for Compare {
    fn name(&self) -> &'static str {
        "compare_with_subquery"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        plan.transform_up_with_subqueries(|step| {
            let names = NamePreserver::new(&step);
            let schema = merge_schema(&step.inputs());
            // DataFusion plans IN and EXISTS where rows are filtered, and not where values are computed.
            let filters = matches!(step, LogicalPlan::Filter(_) | LogicalPlan::Join(_));
            step.map_expressions(|expr| {
                let name = names.save(&expr);
                // A condition that has to hold by itself is planned as a join; DataFusion gets the others
                // wrong where a null is among the rows.
                let alone: Vec<Expr> = if filters {
                    split_conjunction(&expr).into_iter().filter(|part| is_plannable(part)).cloned().collect()
                } else {
                    Vec::new()
                };
                let done = expr.transform_up(|expr| match expr {
                    expr if alone.contains(&expr) => Ok(Transformed::no(expr)),
                    Expr::SetComparison(comparison) => {
                        with_aggregates(comparison, &schema).map(Transformed::yes)
                    }
                    Expr::InSubquery(inside) => {
                        let InSubquery { expr, subquery, negated } = inside;
                        is_in(*expr, &subquery, negated, &schema).map(Transformed::yes)
                    }
                    Expr::Exists(Exists { subquery, negated }) if !filters => {
                        let rows = Rows { subquery: &subquery }.count()?;
                        let none = rows.eq(lit(0_i64));
                        Ok(Transformed::yes(if negated { none } else { Expr::Not(Box::new(none)) }))
                    }
                    other => Ok(Transformed::no(other)),
                })?;
                Ok(done.update_data(|expr| name.restore(expr)))
            })
        })
        .map(|done| done.data)
    }
}

/// Whether DataFusion plans this condition rightly by itself.
fn is_plannable(condition: &Expr) -> bool {
    match condition {
        Expr::InSubquery(inside) => !inside.negated || inside.subquery.outer_ref_columns.is_empty(),
        Expr::Not(inner) => matches!(&**inner, Expr::Exists(_)),
        Expr::Exists(_) => true,
        _ => false,
    }
}

fn with_aggregates(comparison: SetComparison, schema: &DFSchema) -> Result<Expr> {
    let SetComparison { expr, subquery, op, quantifier } = comparison;
    let x = *expr;
    let of = |extreme: Extreme| Rows { subquery: &subquery }.extreme(extreme);
    let all = matches!(quantifier, SetQuantifier::All);
    let test = match (op, all) {
        (Operator::Eq, false) | (Operator::NotEq, true) => return is_in(x, &subquery, all, schema),
        (Operator::Gt | Operator::GtEq, true) | (Operator::Lt | Operator::LtEq, false) => {
            binary_expr(x, op, of(Extreme::Greatest)?)
        }
        (Operator::Lt | Operator::LtEq, true) | (Operator::Gt | Operator::GtEq, false) => {
            binary_expr(x, op, of(Extreme::Smallest)?)
        }
        (Operator::Eq, true) => x.clone().eq(of(Extreme::Smallest)?).and(x.eq(of(Extreme::Greatest)?)),
        (Operator::NotEq, false) => {
            x.clone().not_eq(of(Extreme::Smallest)?).or(x.not_eq(of(Extreme::Greatest)?))
        }
        _ => return plan_err!("{op} cannot stand before ALL or ANY; there are =, <>, <, <=, > and >="),
    };
    let rows = Rows { subquery: &subquery };
    let unknown = Expr::Literal(ScalarValue::Boolean(None), None);
    let decided = if all { Expr::Not(Box::new(test.clone())) } else { test.clone() };
    when(rows.count()?.eq(lit(0_i64)), lit(all))
        .when(decided, lit(!all))
        .when(rows.count_present()?.lt(rows.count()?), unknown)
        .otherwise(test)
}

/// `x IN (SELECT …)` as a value: how many rows there are, and how many of them are `x`.
fn is_in(x: Expr, subquery: &Subquery, negated: bool, schema: &DFSchema) -> Result<Expr> {
    let rows = Rows { subquery };
    let outer = x
        .clone()
        .transform_up(|expr| match expr {
            Expr::Column(column) => {
                let (_, field) = schema.qualified_field_from_column(&column)?;
                Ok(Transformed::yes(Expr::OuterReferenceColumn(Arc::clone(field), column)))
            }
            other => Ok(Transformed::no(other)),
        })?
        .data;
    let unknown = Expr::Literal(ScalarValue::Boolean(None), None);
    when(rows.count()?.eq(lit(0_i64)), lit(negated))
        .when(x.is_null(), unknown.clone())
        .when(rows.count_equal(outer)?.gt(lit(0_i64)), lit(!negated))
        .when(rows.count_present()?.lt(rows.count()?), unknown)
        .otherwise(lit(negated))
}

#[derive(Clone, Copy)]
enum Extreme {
    Smallest,
    Greatest,
}

/// What is asked of the rows of the subquery, which has one column.
struct Rows<'a> {
    subquery: &'a Subquery,
}

impl Rows<'_> {
    fn column(&self) -> Result<Expr> {
        let columns = self.subquery.subquery.schema().columns();
        let [column] = columns.as_slice() else {
            return plan_err!(
                "the subquery behind ALL or ANY has {} columns, and one is needed",
                columns.len()
            );
        };
        Ok(Expr::Column(Column::clone(column)))
    }

    fn extreme(&self, extreme: Extreme) -> Result<Expr> {
        let column = self.column()?;
        self.ask(match extreme {
            Extreme::Smallest => min(column),
            Extreme::Greatest => max(column),
        })
    }

    fn count(&self) -> Result<Expr> {
        self.ask(count(lit(1_i64)))
    }

    fn count_present(&self) -> Result<Expr> {
        self.ask(count(self.column()?))
    }

    /// How many rows are equal to `outer`.
    fn count_equal(&self, outer: Expr) -> Result<Expr> {
        let plan = LogicalPlanBuilder::from(Arc::clone(&self.subquery.subquery))
            .filter(self.column()?.eq(outer))?
            .aggregate(Vec::<Expr>::new(), vec![count(lit(1_i64))])?
            .build()?;
        Ok(scalar(plan))
    }

    fn ask(&self, aggregate: Expr) -> Result<Expr> {
        // Each question copies the subquery, so that subqueries in one another grow by their depth.
        check_parts(&self.subquery.subquery)?;
        let plan = LogicalPlanBuilder::from(Arc::clone(&self.subquery.subquery))
            .aggregate(Vec::<Expr>::new(), vec![aggregate])?
            .build()?;
        Ok(scalar(plan))
    }
}

/// The one value of `plan`.
fn scalar(plan: LogicalPlan) -> Expr {
    let outer_ref_columns = plan.all_out_ref_exprs();
    Expr::ScalarSubquery(Subquery { subquery: Arc::new(plan), outer_ref_columns, spans: Spans::new() })
}
