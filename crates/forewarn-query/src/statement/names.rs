//! What columns of an answer are called.
//!
//! DataFusion calls a column after what it is computed from, with the tables' names in it. People expect what
//! they wrote.

use std::collections::BTreeSet;

use datafusion::sql::sqlparser::ast::{Expr, Ident, Query, SelectItem, SetExpr};

/// Longer expressions make no name.
const MOST_CHARS: usize = 80;

/// Calls columns of the answer that have no name of their own after the expression as it was written.
pub(super) fn name_columns(query: &mut Query) {
    let SetExpr::Select(select) = query.body.as_mut() else { return };
    let mut taken = BTreeSet::new();
    for item in &mut select.projection {
        let SelectItem::UnnamedExpr(expr) = item else { continue };
        if matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_)) {
            continue;
        }
        let name = expr.to_string().replace('"', "");
        if name.chars().count() <= MOST_CHARS && taken.insert(name.clone()) {
            *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias: Ident::with_quote('"', name) };
        }
    }
}
