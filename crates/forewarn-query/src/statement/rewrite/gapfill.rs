//! `time_bucket_gapfill(width, time)`, with `locf(value)` and `interpolate(value)`, as TimescaleDB has
//! them: a row for every bucket, also for those without readings.
//!
//! `SELECT time_bucket_gapfill('1h', time) AS hour, asset, avg(value), locf(avg(value)) … GROUP BY 1, 2`
//! becomes
//!
//! - `__base`: the query with `time_bucket` in its place, and with the values that are filled as columns,
//! - `__grid`: for each combination of the other keys all buckets, from the first to the last,
//! - `__filled`: the grid with the values of `__base` where there are any,
//! - and, over that, the columns in their order: `locf` is the last value before, `interpolate` lies on the
//!   line between the values on both sides.
//!
//! The first and the last bucket are those of the bounds that `WHERE` puts on the time, and without a bound
//! those of the rows.
//!
//! The frame is parsed from a text that holds nothing of the query; what the query says is put in as it has
//! been parsed.

use std::collections::HashMap;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, GroupByExpr, Ident,
    ObjectName, Query, Select, SelectItem, SetExpr, Statement, Value, VisitMut as _, VisitorMut,
};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;

use super::pick::{arguments, expr_of};

const GAPFILL: &str = "time_bucket_gapfill";

/// Changes `query` if it fills gaps.
pub(super) fn spell_out(query: &mut Query) -> ControlFlow<String> {
    let SetExpr::Select(select) = query.body.as_mut() else { return ControlFlow::Continue(()) };
    let Some(place) = select.projection.iter().position(|item| bucket_of(item).is_some()) else {
        return ControlFlow::Continue(());
    };
    let plan = Gaps::read(select, place)?;
    let mut frame = plan.frame()?;
    let SetExpr::Select(outer) = frame.body.as_mut() else { return broken() };
    outer.projection = plan.items;
    let inner = Query {
        with: None,
        body: Box::new(SetExpr::Select(select.clone())),
        order_by: None,
        limit_clause: None,
        fetch: None,
        locks: Vec::new(),
        for_clause: None,
        settings: None,
        format_clause: None,
        pipe_operators: Vec::new(),
    };
    let Some(with) = frame.with.as_mut() else { return broken() };
    if let Some(base) = with.cte_tables.first_mut() {
        *base.query = inner;
    }
    // The query's own WITH comes first, so that the base can read from it.
    if let Some(own) = query.with.take() {
        with.recursive = own.recursive;
        with.cte_tables.splice(0..0, own.cte_tables);
    }
    query.with = frame.with;
    query.body = frame.body;
    ControlFlow::Continue(())
}

/// What is asked, taken apart; the query itself has become the base.
struct Gaps {
    /// The columns of the answer, over `__filled`.
    items: Vec<SelectItem>,
    keys: usize,
    values: usize,
    /// What stands for the names in the frame.
    parts: HashMap<String, Expr>,
    zone: bool,
}

impl Gaps {
    fn read(select: &mut Select, place: usize) -> ControlFlow<String, Self> {
        let Some(bucket) = bucket_of(&select.projection[place]) else { return broken() };
        let given: Option<Vec<Expr>> = arguments(bucket).iter().map(|arg| expr_of(arg.clone())).collect();
        let (width, time, zone) = match given.as_deref() {
            Some([width, time]) => (width.clone(), time.clone(), None),
            Some([width, time, zone]) => (width.clone(), time.clone(), Some(zone.clone())),
            _ => {
                return ControlFlow::Break(
                    "time_bucket_gapfill takes a width and a time, and perhaps a zone; the first and the last \
                     bucket follow from WHERE time >= … AND time < …"
                        .into(),
                );
            }
        };
        let mut bucket = bucket.clone();
        bucket.name = ObjectName::from(vec![Ident::new("time_bucket")]);
        let bucket = Expr::Function(bucket);
        let keys = keys_of(select, place, &bucket)?;
        let mut split = Split { base: Vec::new(), keys: &keys };
        split.base.push(named(bucket, "__bucket"));
        for (number, key) in (1..).zip(&keys) {
            split.base.push(named(key.clone(), &format!("__key{number}")));
        }
        let mut items = Vec::new();
        for (at, item) in select.projection.iter().enumerate() {
            let (SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) = item else {
                return ControlFlow::Break("time_bucket_gapfill needs its columns by name, not as *".into());
            };
            let alias = match item {
                SelectItem::ExprWithAlias { alias, .. } => alias.clone(),
                _ => Ident::with_quote('"', expr.to_string().replace('"', "")),
            };
            let expr = if at == place { name("__bucket") } else { split.outer(expr)? };
            items.push(SelectItem::ExprWithAlias { expr, alias });
        }
        let (low, high, closed) = bounds(select.selection.as_ref(), &time);
        let values = split.base.len() - 1 - keys.len();
        select.projection = split.base;
        let positions = (1..=keys.len() + 1).map(|number| super::number(&number.to_string())).collect();
        select.group_by = GroupByExpr::Expressions(positions, Vec::new());
        let mut parts = HashMap::from([("__width".to_owned(), width)]);
        let of_rows = |extreme: &str| match expression(&format!("(SELECT {extreme}(__bucket) FROM __base)")) {
            ControlFlow::Continue(expr) => expr,
            ControlFlow::Break(_) => name("__bucket"),
        };
        parts.insert("__low".into(), low.unwrap_or_else(|| of_rows("min")));
        let closed = closed || high.is_none();
        parts.insert("__high".into(), high.unwrap_or_else(|| of_rows("max")));
        parts.insert("__closed".into(), Expr::Value(Value::Boolean(closed).into()));
        let zoned = zone.is_some();
        if let Some(zone) = zone {
            parts.insert("__zone".into(), zone);
        }
        ControlFlow::Continue(Self { items, keys: keys.len(), values, parts, zone: zoned })
    }

    /// The query around the base.
    fn frame(&self) -> ControlFlow<String, Query> {
        let keys = |prefix: &str| numbered(self.keys, &format!(", {prefix}__key#"));
        let values = numbered(self.values, ", __base.__value#");
        let zone = if self.zone { ", __zone" } else { "" };
        let groups = if self.keys == 0 {
            String::new()
        } else {
            format!(" FROM (SELECT DISTINCT {} FROM __base) AS __keys", &keys("")[2..])
        };
        let same = numbered(self.keys, " AND __grid.__key# IS NOT DISTINCT FROM __base.__key#");
        let text = format!(
            "WITH __base AS (SELECT 1), \
             __grid AS (SELECT unnest(bucket_starts(__width, __low::timestamptz, __high::timestamptz, __closed{zone})) AS __bucket{}{groups}), \
             __filled AS (SELECT __grid.__bucket{}{values} FROM __grid LEFT JOIN __base \
             ON __grid.__bucket = __base.__bucket{same}) SELECT 1 FROM __filled",
            keys(""),
            keys("__grid.")
        );
        let mut query = parsed(&text)?;
        let _ = query.visit(&mut PutIn(&self.parts));
        ControlFlow::Continue(query)
    }
}

/// `text` for each number from 1 to `count`, which stands for `#`.
fn numbered(count: usize, text: &str) -> String {
    let each: Vec<String> = (1..=count).map(|number| text.replace('#', &number.to_string())).collect();
    each.concat()
}

/// Takes the values that are to be filled out of columns of the answer.
struct Split<'a> {
    /// The columns of the base.
    base: Vec<SelectItem>,
    keys: &'a [Expr],
}

impl Split<'_> {
    /// `expr` over the filled rows.
    fn outer(&mut self, expr: &Expr) -> ControlFlow<String, Expr> {
        if let Some(place) = self.keys.iter().position(|key| key == expr) {
            return ControlFlow::Continue(name(&format!("__key{}", place + 1)));
        }
        if let Some(call) = call_of(expr, &["locf", "interpolate"]) {
            let [argument] = arguments(call) else {
                return ControlFlow::Break(format!("{} takes one value: locf(avg(value))", call.name));
            };
            let Some(argument) = expr_of(argument.clone()) else { return broken() };
            let value = self.value(&argument);
            let locf = call.name.to_string().eq_ignore_ascii_case("locf");
            return filled(&value, self.keys.len(), locf);
        }
        if let Some(call) = call_of(expr, &["coalesce", "round"]) {
            let mut call = call.clone();
            if let FunctionArguments::List(list) = &mut call.args {
                for argument in &mut list.args {
                    if let FunctionArg::Unnamed(FunctionArgExpr::Expr(inner)) = argument {
                        *inner = self.outer(inner)?;
                    }
                }
            }
            return ControlFlow::Continue(Expr::Function(call));
        }
        ControlFlow::Continue(match expr {
            Expr::Value(_) | Expr::TypedString(_) | Expr::Interval(_) => expr.clone(),
            Expr::Nested(inner) => Expr::Nested(Box::new(self.outer(inner)?)),
            Expr::BinaryOp { left, op, right } => Expr::BinaryOp {
                left: Box::new(self.outer(left)?),
                op: op.clone(),
                right: Box::new(self.outer(right)?),
            },
            other => name(&self.value(other)),
        })
    }

    /// The name of `expr` as a column of the base.
    fn value(&mut self, expr: &Expr) -> String {
        let number = self.base.len() - self.keys.len();
        let column = format!("__value{number}");
        self.base.push(named(expr.clone(), &column));
        column
    }
}

/// The value of a column with its gaps filled.
fn filled(value: &str, keys: usize, locf: bool) -> ControlFlow<String, Expr> {
    let names: Vec<String> = (1..=keys).map(|key| format!("__key{key}")).collect();
    let partition = if keys == 0 { String::new() } else { format!("PARTITION BY {} ", names.join(", ")) };
    let before =
        format!("OVER ({partition}ORDER BY __bucket ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)");
    let behind =
        format!("OVER ({partition}ORDER BY __bucket ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING)");
    if locf {
        return expression(&format!("last_value({value}) IGNORE NULLS {before}"));
    }
    let at = format!("CASE WHEN {value} IS NOT NULL THEN date_part('epoch', __bucket) END");
    let (low, high) = (
        format!("last_value({value}) IGNORE NULLS {before}"),
        format!("first_value({value}) IGNORE NULLS {behind}"),
    );
    let (from, to) = (
        format!("last_value({at}) IGNORE NULLS {before}"),
        format!("first_value({at}) IGNORE NULLS {behind}"),
    );
    expression(&format!(
        "CASE WHEN {value} IS NOT NULL THEN {value}::double \
         ELSE {low} + ({high} - {low}) * ((date_part('epoch', __bucket) - {from}) / ({to} - {from})) END"
    ))
}

/// The keys of the groups beside the bucket, as expressions over the rows.
fn keys_of(select: &Select, place: usize, bucket: &Expr) -> ControlFlow<String, Vec<Expr>> {
    let GroupByExpr::Expressions(written, _) = &select.group_by else {
        return ControlFlow::Break(
            "time_bucket_gapfill needs its keys by name or place: GROUP BY 1, 2".into(),
        );
    };
    let mut keys = Vec::new();
    let mut by_bucket = false;
    for key in written {
        let item = select.projection.iter().enumerate().find(|(at, item)| match key {
            Expr::Value(value) => {
                matches!(&value.value, Value::Number(digits, _) if *digits == (at + 1).to_string())
            }
            Expr::Identifier(wanted) => {
                matches!(item, SelectItem::ExprWithAlias { alias, .. } if alias.value == wanted.value)
            }
            _ => expr_in(item) == Some(key),
        });
        match item {
            Some((at, _)) if at == place => by_bucket = true,
            Some((_, item)) => keys.extend(expr_in(item).cloned()),
            None if key == bucket => by_bucket = true,
            None => keys.push(key.clone()),
        }
    }
    if by_bucket {
        return ControlFlow::Continue(keys);
    }
    ControlFlow::Break(
        "time_bucket_gapfill has to be a key of GROUP BY; write its place, as in GROUP BY 1".into(),
    )
}

/// The bounds that all rows keep to, and whether the upper one belongs to them.
fn bounds(condition: Option<&Expr>, time: &Expr) -> (Option<Expr>, Option<Expr>, bool) {
    let mut found = (None, None, false);
    let mut open: Vec<&Expr> = condition.into_iter().collect();
    while let Some(condition) = open.pop() {
        match condition {
            Expr::BinaryOp { left, op: BinaryOperator::And, right } => open.extend([&**left, &**right]),
            Expr::Nested(inner) => open.push(inner),
            Expr::Between { expr, negated: false, low, high } if **expr == *time => {
                found = (Some((**low).clone()), Some((**high).clone()), true);
            }
            Expr::BinaryOp { left, op, right } => {
                let (op, bound) = if **left == *time {
                    (op.clone(), right)
                } else if **right == *time {
                    let turned = match op {
                        BinaryOperator::Gt => BinaryOperator::Lt,
                        BinaryOperator::GtEq => BinaryOperator::LtEq,
                        BinaryOperator::Lt => BinaryOperator::Gt,
                        BinaryOperator::LtEq => BinaryOperator::GtEq,
                        other => other.clone(),
                    };
                    (turned, left)
                } else {
                    continue;
                };
                match op {
                    BinaryOperator::Gt | BinaryOperator::GtEq => found.0 = Some((**bound).clone()),
                    BinaryOperator::Lt => (found.1, found.2) = (Some((**bound).clone()), false),
                    BinaryOperator::LtEq => (found.1, found.2) = (Some((**bound).clone()), true),
                    _ => {}
                }
            }
            _ => {}
        }
    }
    found
}

fn expr_in(item: &SelectItem) -> Option<&Expr> {
    match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => Some(expr),
        _ => None,
    }
}

fn bucket_of(item: &SelectItem) -> Option<&Function> {
    call_of(expr_in(item)?, &[GAPFILL])
}

/// The call that `expr` is, if it is one of these functions.
fn call_of<'a>(expr: &'a Expr, names: &[&str]) -> Option<&'a Function> {
    match expr {
        Expr::Function(function)
            if names.iter().any(|name| function.name.to_string().eq_ignore_ascii_case(name)) =>
        {
            Some(function)
        }
        _ => None,
    }
}

fn name(name: &str) -> Expr {
    Expr::Identifier(Ident::new(name))
}

fn named(expr: Expr, name: &str) -> SelectItem {
    SelectItem::ExprWithAlias { expr, alias: Ident::new(name) }
}

/// A text of ours as a query.
fn parsed(text: &str) -> ControlFlow<String, Query> {
    match Parser::parse_sql(&PostgreSqlDialect {}, text).map(|mut statements| statements.pop()) {
        Ok(Some(Statement::Query(query))) => ControlFlow::Continue(*query),
        _ => broken(),
    }
}

/// A text of ours as an expression.
fn expression(text: &str) -> ControlFlow<String, Expr> {
    let query = parsed(&format!("SELECT {text}"))?;
    match *query.body {
        SetExpr::Select(mut select) => match select.projection.pop() {
            Some(SelectItem::UnnamedExpr(expr)) => ControlFlow::Continue(expr),
            _ => broken(),
        },
        _ => broken(),
    }
}

fn broken<T>() -> ControlFlow<String, T> {
    ControlFlow::Break(
        "time_bucket_gapfill cannot stand here; write it as a column of SELECT … GROUP BY".into(),
    )
}

/// Puts what the query says in the place of names.
struct PutIn<'a>(&'a HashMap<String, Expr>);

impl VisitorMut for PutIn<'_> {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Identifier(name) = expr
            && let Some(part) = self.0.get(&name.value)
        {
            *expr = part.clone();
        }
        ControlFlow::Continue(())
    }
}
