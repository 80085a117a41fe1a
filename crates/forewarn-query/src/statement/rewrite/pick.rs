//! Functions that users know under other names, or with other arguments, than DataFusion.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause,
    FunctionArguments, Ident, ObjectName, OrderByExpr, OrderByOptions, UnaryOperator, WindowType,
};

use super::template;

/// Changes a call into what DataFusion knows.
pub(super) fn apply(function: &mut Function) -> ControlFlow<String> {
    let [part] = function.name.0.as_slice() else { return ControlFlow::Continue(()) };
    let Some(name) = part.as_ident().map(|ident| ident.value.to_lowercase()) else {
        return ControlFlow::Continue(());
    };
    let count = arguments(function).len();
    match (name.as_str(), count) {
        // TimescaleDB's: the value at the first or the last time.
        ("first", 2) => at_extreme(function, "first_value", true, false),
        ("last", 2) => at_extreme(function, "last_value", true, false),
        ("first" | "last", 1) => ordered(function, if name == "first" { "first_value" } else { "last_value" }),
        ("first_value" | "last_value" | "nth_value" | "lag" | "lead", _) => in_order(function),
        ("any_value" | "arbitrary", 1) => rename(function, "first_value"),
        // DuckDB's and Trino's: rows without a value do not count.
        ("arg_min" | "argmin" | "min_by", 2) => at_extreme(function, "first_value", true, true),
        ("arg_max" | "argmax" | "max_by", 2) => at_extreme(function, "last_value", true, true),
        ("quantile_cont" | "quantile", 2) => rename(function, "percentile_cont"),
        ("quantile_disc", 2) => rename(function, "percentile_disc"),
        ("percentile_disc" | "percentile_cont", 1) | ("mode", 0) => value_first(function),
        ("approx_quantile", _) => ControlFlow::Break(
            "there is no approx_quantile; write percentile_cont(0.95) WITHIN GROUP (ORDER BY value), which is exact".into(),
        ),
        ("locf" | "interpolate", _) => ControlFlow::Break(format!(
            "{name} fills the gaps of time_bucket_gapfill: SELECT time_bucket_gapfill('1h', time), {name}(avg(value)) … GROUP BY 1"
        )),
        ("time_bucket_gapfill", _) => ControlFlow::Break(
            "time_bucket_gapfill has to be a column of SELECT by itself, and a key of GROUP BY".into(),
        ),
        ("count_if" | "countif", 1) => count_if(function),
        ("list", 1) => rename(function, "array_agg"),
        ("every", 1) => rename(function, "bool_and"),
        ("variance", 1) => rename(function, "var_samp"),
        ("sign", 1) => rename(function, "signum"),
        ("datediff", 3) => rename(function, "date_diff"),
        ("date_trunc", 3) => rename(function, "date_trunc_in_zone"),
        ("strftime", 2) => rename(function, "to_char"),
        ("to_char", 2) => template::check(function),
        _ => ControlFlow::Continue(()),
    }
}

/// What a call is that becomes more than another call.
pub(super) fn as_expression(function: &Function) -> Option<Expr> {
    remainder(function).or_else(|| descending(function)).or_else(|| truth_in_window(function))
}

/// `percentile_cont(p) WITHIN GROUP (ORDER BY value DESC)` as the same of `-value`, with the sign turned
/// again.
fn descending(function: &Function) -> Option<Expr> {
    let name = function.name.to_string().to_lowercase();
    let [OrderByExpr { expr, options, .. }] = function.within_group.as_slice() else { return None };
    if !["percentile_cont", "percentile_disc"].contains(&name.as_str()) || options.asc != Some(false) {
        return None;
    }
    let minus =
        |expr: Expr| Expr::UnaryOp { op: UnaryOperator::Minus, expr: Box::new(Expr::Nested(Box::new(expr))) };
    let mut turned = function.clone();
    turned.within_group = vec![ascending(minus(expr.clone()), true)];
    let _ = value_first(&mut turned);
    Some(Expr::Nested(Box::new(minus(Expr::Function(turned)))))
}

/// `bool_and(x) OVER (…)` as the least of 0 and 1, as DataFusion cannot take rows out of the one again.
fn truth_in_window(function: &Function) -> Option<Expr> {
    let name = function.name.to_string().to_lowercase();
    let extreme = match name.as_str() {
        "bool_and" | "every" => "min",
        "bool_or" => "max",
        _ => return None,
    };
    function.over.as_ref()?;
    let [argument] = arguments(function) else { return None };
    let value = Expr::Nested(Box::new(expr_of(argument.clone())?));
    let mut number = function.clone();
    number.name = ObjectName::from(vec![Ident::new(extreme)]);
    if let FunctionArguments::List(list) = &mut number.args {
        let whole = DataType::BigInt(None);
        list.args = vec![FunctionArg::Unnamed(FunctionArgExpr::Expr(super::cast(value, whole)))];
    }
    Some(Expr::Nested(Box::new(super::cast(Expr::Function(number), DataType::Boolean))))
}

/// `mod(a, b)` as `a % b`.
fn remainder(function: &Function) -> Option<Expr> {
    let [part] = function.name.0.as_slice() else { return None };
    if !part.as_ident()?.value.eq_ignore_ascii_case("mod") {
        return None;
    }
    let [left, right] = arguments(function) else { return None };
    let nested = |argument: &FunctionArg| Some(Box::new(Expr::Nested(Box::new(expr_of(argument.clone())?))));
    Some(Expr::Nested(Box::new(Expr::BinaryOp {
        left: nested(left)?,
        op: BinaryOperator::Modulo,
        right: nested(right)?,
    })))
}

/// The arguments of a call that has `ORDER BY` in them.
fn has_order(function: &Function) -> bool {
    match &function.args {
        FunctionArguments::List(list) => {
            list.clauses.iter().any(|clause| matches!(clause, FunctionArgumentClause::OrderBy(_)))
        }
        _ => false,
    }
}

/// `first(value ORDER BY time)`: without an order the answer would be a matter of chance.
fn ordered(function: &mut Function, name: &str) -> ControlFlow<String> {
    if function.over.is_none() && !has_order(function) {
        let called = function.name.to_string();
        return ControlFlow::Break(format!("{called} needs to know the order: write {called}(value, time)"));
    }
    rename(function, name)?;
    in_order(function)
}

/// What picks a row by its place needs an order.
fn in_order(function: &Function) -> ControlFlow<String> {
    let without = match &function.over {
        Some(WindowType::WindowSpec(window)) => window.order_by.is_empty() && window.window_name.is_none(),
        Some(WindowType::NamedWindow(_)) => false,
        None => !has_order(function) && function.within_group.is_empty(),
    };
    if without {
        return ControlFlow::Break(format!(
            "{0} needs to know the order of the rows: write {0}(…) OVER (PARTITION BY asset, signal ORDER BY time)",
            function.name
        ));
    }
    ControlFlow::Continue(())
}

/// `percentile_disc(0.5) WITHIN GROUP (ORDER BY value)` as `percentile_disc(value, 0.5)`.
fn value_first(function: &mut Function) -> ControlFlow<String> {
    let [OrderByExpr { expr, .. }] = function.within_group.as_slice() else {
        return ControlFlow::Break(format!("write {}(…) WITHIN GROUP (ORDER BY value)", function.name));
    };
    let value = FunctionArg::Unnamed(FunctionArgExpr::Expr(expr.clone()));
    if let FunctionArguments::List(list) = &mut function.args {
        list.args.insert(0, value);
    }
    function.within_group.clear();
    ControlFlow::Continue(())
}

fn rename(function: &mut Function, name: &str) -> ControlFlow<String> {
    function.name = ObjectName::from(vec![Ident::new(name)]);
    ControlFlow::Continue(())
}

pub(super) fn arguments(function: &Function) -> &[FunctionArg] {
    match &function.args {
        FunctionArguments::List(list) => &list.args,
        _ => &[],
    }
}

pub(super) fn expr_of(argument: FunctionArg) -> Option<Expr> {
    match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
        _ => None,
    }
}

/// Takes the second of two arguments away.
fn take_second(function: &mut Function) -> Option<Expr> {
    match &mut function.args {
        FunctionArguments::List(list) if list.args.len() == 2 => list.args.pop().and_then(expr_of),
        _ => None,
    }
}

/// `name(value, key)` as the first or last value in the order of the key; rows without a key do not count,
/// and with `values_only` those without a value neither.
fn at_extreme(function: &mut Function, name: &str, asc: bool, values_only: bool) -> ControlFlow<String> {
    if function.over.is_some() {
        return ControlFlow::Break(format!(
            "{} with two arguments cannot be used with OVER; use first_value(…) OVER (ORDER BY …)",
            function.name
        ));
    }
    let called = function.name.to_string();
    let Some(key) = take_second(function) else {
        return ControlFlow::Break(format!("{called} needs two expressions: a value and what orders it"));
    };
    let value = arguments(function).first().cloned().and_then(expr_of);
    let present = |expr: &Expr| Expr::IsNotNull(Box::new(Expr::Nested(Box::new(expr.clone()))));
    let mut conditions = vec![present(&key)];
    if values_only {
        conditions.extend(value.as_ref().map(present));
    }
    conditions.extend(function.filter.take().map(Expr::Nested));
    let all = conditions.into_iter().reduce(|left, right| Expr::BinaryOp {
        left: Box::new(left),
        op: BinaryOperator::And,
        right: Box::new(right),
    });
    function.filter = all.map(Box::new);
    if let FunctionArguments::List(list) = &mut function.args {
        list.clauses.push(FunctionArgumentClause::OrderBy(vec![ascending(key, asc)]));
    }
    rename(function, name)
}

fn ascending(expr: Expr, asc: bool) -> OrderByExpr {
    OrderByExpr { expr, options: OrderByOptions { asc: Some(asc), nulls_first: None }, with_fill: None }
}

/// `count_if(condition)` as `count(*) FILTER (WHERE condition)`.
fn count_if(function: &mut Function) -> ControlFlow<String> {
    if let FunctionArguments::List(list) = &mut function.args
        && let Some(condition) = list.args.pop().and_then(expr_of)
    {
        list.args.push(FunctionArg::Unnamed(FunctionArgExpr::Wildcard));
        let condition = Expr::Nested(Box::new(condition));
        function.filter = Some(Box::new(match function.filter.take() {
            Some(filter) => Expr::BinaryOp {
                left: Box::new(Expr::Nested(filter)),
                op: BinaryOperator::And,
                right: Box::new(condition),
            },
            None => condition,
        }));
    }
    rename(function, "count")
}
