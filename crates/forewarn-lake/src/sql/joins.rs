//! Joins that multiply: every row of one table with every row of another. Over a history they never end, and
//! once all rows have been read nothing tells such a query that it was given up.

use sqlparser::ast::{
    BinaryOperator, Expr, JoinConstraint, JoinOperator, Select, TableFactor, TableWithJoins,
};

/// Whether tables of `select` are joined without any condition that relates them.
pub(super) fn multiplies(select: &Select) -> bool {
    let related = select.selection.as_ref().map_or(0, relations);
    // Tables with commas between them are related by WHERE; each further one needs an equality.
    let listed = select.from.iter().filter(|tables| !is_unnest(&tables.relation)).count();
    select.from.iter().any(crosses) || listed.saturating_sub(1) > related
}

fn crosses(tables: &TableWithJoins) -> bool {
    let nested = |factor: &TableFactor| match factor {
        TableFactor::NestedJoin { table_with_joins, .. } => crosses(table_with_joins),
        _ => false,
    };
    let crosses = |operator: &JoinOperator| match operator {
        JoinOperator::CrossJoin(JoinConstraint::None) => true,
        JoinOperator::Join(constraint) | JoinOperator::Inner(constraint) => {
            matches!(constraint, JoinConstraint::None)
        }
        _ => false,
    };
    nested(&tables.relation)
        || tables.joins.iter().any(|join| {
            nested(&join.relation) || (crosses(&join.join_operator) && !is_unnest(&join.relation))
        })
}

const fn is_unnest(factor: &TableFactor) -> bool {
    matches!(factor, TableFactor::UNNEST { .. })
}

/// The equalities between columns of two tables that must hold for `condition` to hold.
fn relations(condition: &Expr) -> usize {
    match condition {
        Expr::Nested(inner) => relations(inner),
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => relations(left) + relations(right),
        Expr::BinaryOp { left, op: BinaryOperator::Eq, right } => match (&**left, &**right) {
            (Expr::CompoundIdentifier(a), Expr::CompoundIdentifier(b)) => usize::from(a.first() != b.first()),
            _ => 0,
        },
        _ => 0,
    }
}
