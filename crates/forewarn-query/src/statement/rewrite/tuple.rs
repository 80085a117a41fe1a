//! `(asset, signal) IN (SELECT asset, signal FROM …)`, which DataFusion does not plan, as the `EXISTS`
//! that it is.
//!
//! The two differ where a value is null: `IN` is unknown then, and `EXISTS` false. Where a row has to
//! fulfil a condition to be kept, that is the same. So this is done for the conditions of `WHERE` that
//! have to hold by themselves, and refused elsewhere.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Ident, Query, Select, SetExpr, Statement, TableAlias, TableAliasColumnDef,
    TableFactor,
};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;

/// What a name of ours begins with; no column of a table does.
const ROWS: &str = "__rows";

/// Changes the conditions of `select` that can be changed.
pub(super) fn spell_out(select: &mut Select) -> ControlFlow<String> {
    select.selection.as_mut().map_or(ControlFlow::Continue(()), conjunction)
}

fn conjunction(condition: &mut Expr) -> ControlFlow<String> {
    match condition {
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
            conjunction(left)?;
            conjunction(right)
        }
        Expr::Nested(inner) => conjunction(inner),
        Expr::InSubquery { expr, subquery, negated: false } => {
            if let Expr::Tuple(values) = expr.as_mut() {
                let exists = exists(std::mem::take(values), subquery)?;
                *condition = exists;
            }
            ControlFlow::Continue(())
        }
        _ => ControlFlow::Continue(()),
    }
}

/// Refuses what has not been changed.
pub(super) fn refuse(expr: &Expr) -> ControlFlow<String> {
    match expr {
        Expr::InSubquery { expr, .. } if matches!(**expr, Expr::Tuple(_)) => ControlFlow::Break(
            "several columns IN (SELECT …) can only stand in WHERE, not behind NOT or beside OR; write EXISTS (SELECT 1 FROM … WHERE …)"
                .into(),
        ),
        _ => ControlFlow::Continue(()),
    }
}

/// `EXISTS (SELECT 1 FROM (subquery) AS __rows (__rows1, …) WHERE __rows.__rows1 = value AND …)`.
fn exists(values: Vec<Expr>, subquery: &Query) -> ControlFlow<String, Expr> {
    // The text holds nothing of the query: what is asked is put in as it has been parsed.
    let frame = Parser::parse_sql(&PostgreSqlDialect {}, "SELECT 1 FROM (SELECT 1) AS rows");
    let Ok([Statement::Query(frame)]) = frame.as_deref() else { return broken() };
    let mut query = frame.clone();
    let SetExpr::Select(select) = query.body.as_mut() else { return broken() };
    let Some(TableFactor::Derived { subquery: inner, alias, .. }) =
        select.from.first_mut().map(|from| &mut from.relation)
    else {
        return broken();
    };
    **inner = subquery.clone();
    let column = |number: usize| Ident::new(format!("{ROWS}{number}"));
    let columns = (1..=values.len()).map(|number| TableAliasColumnDef::from_name(column(number).value));
    *alias =
        Some(TableAlias { explicit: true, name: Ident::new(ROWS), columns: columns.collect(), at: None });
    let equal = values.into_iter().zip(1..).map(|(value, number)| Expr::BinaryOp {
        left: Box::new(Expr::CompoundIdentifier(vec![Ident::new(ROWS), column(number)])),
        op: BinaryOperator::Eq,
        right: Box::new(Expr::Nested(Box::new(value))),
    });
    select.selection = equal.reduce(|left, right| Expr::BinaryOp {
        left: Box::new(left),
        op: BinaryOperator::And,
        right: Box::new(right),
    });
    ControlFlow::Continue(Expr::Exists { subquery: query, negated: false })
}

fn broken() -> ControlFlow<String, Expr> {
    ControlFlow::Break("several columns IN (SELECT …) cannot be asked here; write EXISTS".into())
}
