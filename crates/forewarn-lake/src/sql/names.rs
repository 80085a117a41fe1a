//! What columns of an answer are called, and keys that are named more than once.
//!
//! polars calls a column after what it is computed from: `max(value)` and `min(value)` are both `value`, and
//! `count(*)` is `len`. People expect what they wrote.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, GroupByExpr, Ident, ObjectName, OrderBy, OrderByKind, Query, Select, SelectItem, SetExpr,
    TableFactor, Visit as _, Visitor,
};

/// Longer expressions make no name.
const MOST_CHARS: usize = 80;

/// Calls columns of the answer that have no name of their own after the expression as it was written.
pub(super) fn name_columns(query: &mut Query) {
    let SetExpr::Select(select) = query.body.as_mut() else { return };
    let mut taken = BTreeSet::new();
    for item in &mut select.projection {
        let SelectItem::UnnamedExpr(expr) = item else { continue };
        if is_column(expr) {
            continue;
        }
        let name = expr.to_string().replace('"', "");
        if name.chars().count() <= MOST_CHARS && taken.insert(name.clone()) {
            *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias: Ident::with_quote('"', name) };
        }
    }
}

/// Sorts once by what is named more than once: a later mention changes nothing, but polars would have two
/// columns of one name.
pub(super) fn sort_once(query: &mut Query) {
    let Some(OrderBy { kind: OrderByKind::Expressions(keys), .. }) = &mut query.order_by else { return };
    let mut seen = BTreeSet::new();
    keys.retain(|key| seen.insert(key.expr.to_string()));
}

/// Groups by the names that columns of the answer have, where polars would call two keys the same, as it does
/// with those that are computed from one column. `columns` are those of the tables, which such a name must
/// not be, and `is_table` knows the tables: of what a subquery or WITH makes the columns are not known.
pub(super) fn group_by_names(
    select: &mut Select,
    columns: impl Fn(&str) -> bool,
    is_table: impl Fn(&ObjectName) -> bool,
) {
    let GroupByExpr::Expressions(keys, _) = &mut select.group_by else { return };
    let called: Vec<Option<String>> = keys.iter().map(leftmost_column).collect();
    let is_plain = |factor: &TableFactor| matches!(factor, TableFactor::Table { name, .. } if is_table(name));
    let mut factors = select
        .from
        .iter()
        .flat_map(|from| from.joins.iter().map(|join| &join.relation).chain([&from.relation]));
    if !factors.all(is_plain) {
        return;
    }
    for (key, name) in keys.iter_mut().zip(&called) {
        if is_column(key) || name.is_none() || called.iter().filter(|other| *other == name).count() < 2 {
            continue;
        }
        let text = key.to_string();
        let alias = select.projection.iter().find_map(|item| match item {
            SelectItem::ExprWithAlias { expr, alias }
                if expr.to_string() == text && !columns(&alias.value) =>
            {
                Some(alias)
            }
            _ => None,
        });
        if let Some(alias) = alias {
            *key = Expr::Identifier(alias.clone());
        }
    }
}

/// The column after which polars calls an expression.
fn leftmost_column(expr: &Expr) -> Option<String> {
    let mut first = FirstColumn;
    match expr.visit(&mut first) {
        ControlFlow::Break(name) => Some(name),
        ControlFlow::Continue(()) => None,
    }
}

struct FirstColumn;

impl Visitor for FirstColumn {
    type Break = String;

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<String> {
        match expr {
            Expr::Identifier(name) => ControlFlow::Break(name.value.clone()),
            Expr::CompoundIdentifier(parts) => {
                parts.last().map_or(ControlFlow::Continue(()), |name| ControlFlow::Break(name.value.clone()))
            }
            _ => ControlFlow::Continue(()),
        }
    }
}

/// Whether it is a column as it stands, and nothing computed.
pub(super) const fn is_column(expr: &Expr) -> bool {
    matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_))
}

#[cfg(test)]
#[path = "names_tests.rs"]
mod tests;
