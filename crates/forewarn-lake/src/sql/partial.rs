//! Aggregates that can be taken while the files are read.
//!
//! `SELECT asset, signal, date_trunc('hour', time), avg(value) FROM readings … GROUP BY …` needs of each
//! group only its count, sum and ends. [`groups`](super::groups) takes these straight from the files, whose
//! rows stand series by series, and polars answers the rest of the query over one row (or a few) a group
//! instead of each reading. A query whose shape is not wholly understood here goes the general way.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, GroupByExpr, Ident, Query, Select,
    SelectItem, SetExpr, TableFactor, TableWithJoins, Value, ValueWithSpan, VisitMut as _, VisitorMut,
};

use super::prune;
use super::rewrite::{bucket, name_of, origin, parse_expr};
use crate::table::{Bounds, DATE, TableSchema};
use crate::tail::READINGS;

/// The columns of the rows of groups: their names hold a blank, so that no query means them by chance.
pub(super) const BUCKET: &str = "of bucket";
pub(super) const ROWS: &str = "of rows";
pub(super) const SUM: &str = "of sum";
pub(super) const LOW: &str = "of low";
pub(super) const HIGH: &str = "of high";
pub(super) const FIRST: &str = "of first";
pub(super) const LAST: &str = "of last";
const DAY_US: i64 = 86_400_000_000;
/// Functions of single values that may stand around an aggregate.
const SCALARS: [&str; 16] = [
    "abs", "ceil", "coalesce", "concat", "exp", "floor", "greatest", "least", "ln", "log10", "lower",
    "nullif", "pow", "round", "sqrt", "upper",
];

/// A query over groups, and what the groups are.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each says whether a column is needed")]
pub(super) struct Partial {
    /// The query, to be asked of the rows of groups under the name of the table.
    pub(super) sql: String,
    /// All that the query demands of a reading.
    pub(super) bounds: Bounds,
    pub(super) by_asset: bool,
    pub(super) by_signal: bool,
    /// Groups are also parted by time: the length of a bucket and where one begins, µs.
    pub(super) bucket: Option<(i64, i64)>,
    /// Sum and ends of the values are wanted.
    pub(super) values: bool,
    /// The first and last time are wanted.
    pub(super) times: bool,
}

/// The groups that would do for the (rewritten) `query`; `None` if they would not.
pub(super) fn plan(query: &Query, schema: &TableSchema) -> Option<Partial> {
    // Somebody who knows the names of the groups' columns has the general way to himself.
    let text = query.to_string();
    if query.with.is_some() || ["\"of ", "`of "].iter().any(|name| text.contains(name)) {
        return None;
    }
    let mut query = query.clone();
    let SetExpr::Select(select) = &mut *query.body else { return None };
    let alias = only_table(select)?;
    let bounds = prune::whole_condition(select, READINGS, schema, &alias)?;
    if bounds.columns.keys().any(|column| !["asset", "signal", "time"].contains(&column.as_str())) {
        return None;
    }
    select.selection = None;
    let aliases = aliases(select, schema)?;
    let mut lowering = Lowering { alias, aliases, ..Lowering::default() };
    let lowered = query.visit(&mut lowering);
    let SetExpr::Select(select) = &mut *query.body else { return None };
    let grouped = grouped(select)?;
    // Aggregates of a column of groups would all be called after that column.
    for (place, item) in select.projection.iter_mut().enumerate() {
        if let SelectItem::UnnamedExpr(expr) = item
            && !matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_))
        {
            *item = SelectItem::ExprWithAlias {
                expr: expr.clone(),
                alias: Ident::with_quote('"', format!("of {place}")),
            };
        }
    }
    // What is not grouped by has many values in a group.
    if lowered.is_break() || !lowering.used.is_subset(&grouped) {
        return None;
    }
    let by = |name: &str| grouped.contains(name);
    let bucket = match lowering.bucket {
        // Days are made of whole buckets only if these begin at midnight.
        Some((us, origin)) if by(DATE) && (DAY_US % us != 0 || origin % us != 0) => return None,
        None if by(DATE) => Some((DAY_US, 0)),
        bucket => bucket,
    };
    let (by_asset, by_signal) = (by("asset"), by("signal"));
    Some(Partial {
        sql: query.to_string(),
        bounds,
        by_asset,
        by_signal,
        bucket,
        values: lowering.values,
        times: lowering.times,
    })
}

/// The name by which `select` calls the table of readings, if it reads nothing else and does nothing out of
/// the common.
fn only_table(select: &Select) -> Option<String> {
    let [TableWithJoins { relation: TableFactor::Table { name, alias, .. }, joins }] = select.from.as_slice()
    else {
        return None;
    };
    let plain = select.distinct.is_none()
        && select.top.is_none()
        && select.qualify.is_none()
        && select.named_window.is_empty();
    if !plain
        || !joins.is_empty()
        || name_of(name) != READINGS
        || alias.as_ref().is_some_and(|alias| !alias.columns.is_empty())
    {
        return None;
    }
    Some(alias.as_ref().map_or_else(|| READINGS.to_owned(), |alias| alias.name.value.clone()))
}

/// The names that `select` gives its columns; `None` if one hides a column of the table.
fn aliases(select: &Select, schema: &TableSchema) -> Option<BTreeSet<String>> {
    let mut aliases = BTreeSet::new();
    for item in &select.projection {
        match item {
            SelectItem::UnnamedExpr(_) => {}
            SelectItem::ExprWithAlias { alias, .. } if schema.sql_names().all(|name| name != alias.value) => {
                aliases.insert(alias.value.clone());
            }
            _ => return None,
        }
    }
    Some(aliases)
}

/// The columns of groups that `select` groups by, by name, by place or by the name it gives them.
fn grouped(select: &Select) -> Option<BTreeSet<String>> {
    let GroupByExpr::Expressions(keys, modifiers) = &select.group_by else { return None };
    let named = |wanted: &str| {
        select.projection.iter().find_map(|item| match item {
            SelectItem::ExprWithAlias { expr, alias } if alias.value == wanted => Some(expr),
            _ => None,
        })
    };
    let at = |place: &str| match select.projection.get(place.parse::<usize>().ok()?.checked_sub(1)?)? {
        SelectItem::ExprWithAlias { expr, .. } | SelectItem::UnnamedExpr(expr) => Some(expr),
        _ => None,
    };
    let key = |key: &Expr| {
        let key = match key {
            Expr::Value(ValueWithSpan { value: Value::Number(place, _), .. }) => at(place)?,
            Expr::Identifier(ident) => named(&ident.value).unwrap_or(key),
            _ => key,
        };
        key_of(key).filter(|name| ["asset", "signal", DATE, BUCKET].contains(name)).map(str::to_owned)
    };
    (modifiers.is_empty() && !keys.is_empty()).then(|| keys.iter().map(key).collect())?
}

fn key_of(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Identifier(ident) => Some(&ident.value),
        Expr::CompoundIdentifier(parts) => parts.last().map(|ident| ident.value.as_str()),
        Expr::Nested(inner) => key_of(inner),
        _ => None,
    }
}

/// Puts columns of groups where the query has aggregates and buckets. Breaks off at what groups cannot
/// answer.
#[derive(Default)]
struct Lowering {
    /// The query itself has been met; further ones are subqueries.
    inside: bool,
    alias: String,
    aliases: BTreeSet<String>,
    /// Columns of groups that stand outside of aggregates.
    used: BTreeSet<String>,
    bucket: Option<(i64, i64)>,
    values: bool,
    times: bool,
}

impl VisitorMut for Lowering {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        // A subquery would be asked of groups too.
        let again = std::mem::replace(&mut self.inside, true);
        if again || query.fetch.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Some(found) = self.bucket_of(expr) {
            if self.bucket.is_some_and(|bucket| bucket != found) {
                return ControlFlow::Break(());
            }
            self.bucket = Some(found);
            *expr = Expr::Identifier(Ident::with_quote('"', BUCKET));
        }
        let known = match expr {
            Expr::Function(function) => match self.aggregate(function) {
                Some(lowered) => {
                    *expr = lowered;
                    true
                }
                None => is_scalar(function),
            },
            Expr::Identifier(_) | Expr::CompoundIdentifier(_) => self.is_known(expr),
            Expr::Value(_)
            | Expr::TypedString(_)
            | Expr::BinaryOp { .. }
            | Expr::UnaryOp { .. }
            | Expr::Nested(_)
            | Expr::Cast { .. }
            | Expr::Case { .. }
            | Expr::IsNull(_)
            | Expr::IsNotNull(_)
            | Expr::Between { .. }
            | Expr::InList { .. } => true,
            _ => false,
        };
        if known { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }
}

impl Lowering {
    /// Whether a column, or a name the query gives, has one value in each group.
    fn is_known(&mut self, expr: &Expr) -> bool {
        let (table, name) = match expr {
            Expr::CompoundIdentifier(parts) => match parts.as_slice() {
                [table, column] => (Some(&table.value), &column.value),
                _ => return false,
            },
            Expr::Identifier(ident) => (None, &ident.value),
            _ => return false,
        };
        if ["asset", "signal", DATE, BUCKET].contains(&name.as_str())
            && table.is_none_or(|table| *table == self.alias)
        {
            self.used.insert(name.clone());
            return true;
        }
        table.is_none() && (self.aliases.contains(name) || is_of_group(name))
    }

    /// The length and the beginning of the buckets that `expr` parts the time into, if that is what it does.
    fn bucket_of(&self, expr: &Expr) -> Option<(i64, i64)> {
        let Expr::Cast { .. } = expr else { return None };
        let text = expr.to_string();
        let (_, length) = text.split_once(" // ")?;
        let us: i64 = length.split(')').next()?.parse().ok()?;
        let written = |time: Expr| bucket(us, &time).is_ok_and(|bucket| bucket.to_string() == text);
        let (time, alias) = (Ident::new("time"), Ident::new(&self.alias));
        let found =
            written(Expr::Identifier(time.clone())) || written(Expr::CompoundIdentifier(vec![alias, time]));
        found.then(|| (us, origin(us)))
    }

    /// An aggregate over readings as one over groups. A group has at least one reading, and none of them
    /// lacks a value.
    fn aggregate(&mut self, function: &Function) -> Option<Expr> {
        if function.over.is_some()
            || function.filter.is_some()
            || !function.within_group.is_empty()
            || function.null_treatment.is_some()
        {
            return None;
        }
        let FunctionArguments::List(list) = &function.args else { return None };
        let [FunctionArg::Unnamed(argument)] = list.args.as_slice() else { return None };
        if list.duplicate_treatment.is_some() || !list.clauses.is_empty() {
            return None;
        }
        let of = |column: &str| match argument {
            FunctionArgExpr::Expr(Expr::Identifier(ident)) => ident.value == column,
            FunctionArgExpr::Expr(Expr::CompoundIdentifier(parts)) => match parts.as_slice() {
                [table, ident] => table.value == self.alias && ident.value == column,
                _ => false,
            },
            _ => false,
        };
        let (value, time, all) = (of("value"), of("time"), matches!(argument, FunctionArgExpr::Wildcard));
        let lowered = match name_of(&function.name).to_lowercase().as_str() {
            "count" if all || value => format!("SUM(\"{ROWS}\")"),
            "sum" if value => format!("SUM(\"{SUM}\")"),
            "avg" if value => format!("(SUM(\"{SUM}\") / SUM(\"{ROWS}\"))"),
            "min" if value => format!("MIN(\"{LOW}\")"),
            "max" if value => format!("MAX(\"{HIGH}\")"),
            "min" if time => format!("MIN(\"{FIRST}\")"),
            "max" if time => format!("MAX(\"{LAST}\")"),
            _ => return None,
        };
        self.values |= value;
        self.times |= time;
        parse_expr(&lowered).ok()
    }
}

fn is_of_group(name: &str) -> bool {
    [BUCKET, ROWS, SUM, LOW, HIGH, FIRST, LAST].contains(&name)
}

/// A function of values of one group, or an aggregate that was put in place before.
fn is_scalar(function: &Function) -> bool {
    let FunctionArguments::List(list) = &function.args else { return false };
    let placed = matches!(
        list.args.as_slice(),
        [FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Identifier(ident)))] if is_of_group(&ident.value) && ident.value != BUCKET
    );
    let scalar = SCALARS.contains(&name_of(&function.name).to_lowercase().as_str());
    function.over.is_none() && function.filter.is_none() && (placed || scalar)
}

#[cfg(test)]
#[path = "partial_tests.rs"]
mod tests;
