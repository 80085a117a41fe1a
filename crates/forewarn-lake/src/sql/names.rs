//! What columns of an answer are called, and keys that are named more than once.
//!
//! polars calls a column after what it is computed from: `max(value)` and `min(value)` are both `value`, and `count(*)` is `len`. People
//! expect what they wrote.

use std::collections::BTreeSet;

use sqlparser::ast::{Expr, GroupByExpr, Ident, OrderBy, OrderByKind, Query, Select, SelectItem, SetExpr};

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

/// Sorts once by what is named more than once: a later mention changes nothing, but polars would have two columns of one name.
pub(super) fn sort_once(query: &mut Query) {
    let Some(OrderBy { kind: OrderByKind::Expressions(keys), .. }) = &mut query.order_by else { return };
    let mut seen = BTreeSet::new();
    keys.retain(|key| seen.insert(key.expr.to_string()));
}

/// Groups by the names that the columns of the answer have, where there are several keys: polars would call those that are computed from
/// one column the same. `columns` are those of the tables, which such a name must not be.
pub(super) fn group_by_names(select: &mut Select, columns: impl Fn(&str) -> bool) {
    let GroupByExpr::Expressions(keys, _) = &mut select.group_by else { return };
    if keys.len() < 2 {
        return;
    }
    for key in keys.iter_mut().filter(|key| !is_column(key)) {
        let text = key.to_string();
        let alias = select.projection.iter().find_map(|item| match item {
            SelectItem::ExprWithAlias { expr, alias } if expr.to_string() == text && !columns(&alias.value) => Some(alias),
            _ => None,
        });
        if let Some(alias) = alias {
            *key = Expr::Identifier(alias.clone());
        }
    }
}

const fn is_column(expr: &Expr) -> bool {
    matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_))
}

#[cfg(test)]
#[path = "names_tests.rs"]
mod tests;
