//! A key of GROUP BY that means something else than it seems to.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Expr, GroupByExpr, Select, SelectItem, Visit as _, Visitor};

/// Refuses `SELECT date_trunc('hour', time) AS time … GROUP BY time`. In SQL the key is the column of the
/// table, so that there would be a group for each reading; who writes this means the hours.
pub(super) fn check(select: &Select) -> ControlFlow<String> {
    let GroupByExpr::Expressions(keys, _) = &select.group_by else { return ControlFlow::Continue(()) };
    for item in &select.projection {
        let SelectItem::ExprWithAlias { expr, alias } = item else { continue };
        let is_key =
            keys.iter().any(|key| matches!(key, Expr::Identifier(name) if name.value == alias.value));
        let same = matches!(expr, Expr::Identifier(name) if name.value == alias.value);
        let mut names = Names { wanted: &alias.value, found: false };
        let _ = expr.visit(&mut names);
        if is_key && !same && names.found && joins_times(expr) {
            return ControlFlow::Break(format!(
                "GROUP BY {0} groups by the column {0} of the table, and not by the {0} that is computed from it; \
                 write the place of the column, GROUP BY 1, or give it another name",
                alias.value
            ));
        }
    }
    ControlFlow::Continue(())
}

/// Whether `expr` gives many times the same value, as functions of buckets do.
fn joins_times(expr: &Expr) -> bool {
    let Expr::Function(function) = expr else { return false };
    let name = function.name.to_string().to_lowercase();
    ["date_trunc", "time_bucket", "date_bin", "time_bucket_gapfill", "date_part"].contains(&name.as_str())
}

/// `HAVING` may name an aggregate of the answer: the name is replaced by what it stands for, unless it is a
/// key of the groups as well.
pub(super) fn spell_out_having(select: &mut Select) {
    let keys: Vec<String> = match &select.group_by {
        GroupByExpr::Expressions(keys, _) => keys.iter().map(ToString::to_string).collect(),
        GroupByExpr::All(_) => return,
    };
    let aliases: Vec<(String, Expr)> = select
        .projection
        .iter()
        .filter_map(|item| match item {
            SelectItem::ExprWithAlias { expr: expr @ Expr::Function(_), alias }
                if !keys.contains(&alias.value) =>
            {
                Some((alias.value.clone(), expr.clone()))
            }
            _ => None,
        })
        .collect();
    if let Some(having) = &mut select.having {
        replace(having, &aliases);
    }
}

/// Replaces names that stand in comparisons. What stands in a call is a column of the table.
fn replace(expr: &mut Expr, aliases: &[(String, Expr)]) {
    match expr {
        Expr::Identifier(name) => {
            if let Some((_, meant)) = aliases.iter().find(|(alias, _)| *alias == name.value) {
                *expr = meant.clone();
            }
        }
        Expr::BinaryOp { left, right, .. } => {
            replace(left, aliases);
            replace(right, aliases);
        }
        Expr::Between { expr, low, high, .. } => {
            for part in [expr, low, high] {
                replace(part, aliases);
            }
        }
        Expr::UnaryOp { expr, .. } | Expr::Nested(expr) | Expr::IsNull(expr) | Expr::IsNotNull(expr) => {
            replace(expr, aliases);
        }
        _ => {}
    }
}

struct Names<'a> {
    wanted: &'a str,
    found: bool,
}

impl Visitor for Names<'_> {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        self.found |= matches!(expr, Expr::Identifier(name) if name.value == self.wanted);
        ControlFlow::Continue(())
    }
}
