//! Expressions of rules and derived signals as polars expressions: the batch half of "one definition, two
//! paths".
//!
//! The law is that [`forewarn_spec::Compiled`] and [`lower`] give the same answer on the same row, with null
//! for unknown. Polars differs from the streaming half in four places, and each is dealt with here:
//!
//! - A number that is not finite, be it in a column or the result of an operation, is unknown in the language
//!   and becomes null here. Polars carries it on, orders NaN above every number and holds it equal to itself.
//! - Polars takes the `otherwise` branch where a condition is null; here an unknown condition makes the
//!   result unknown.
//! - Polars' `%` takes the divisor's sign, its `round` goes to even; the language's are C's `fmod` and
//!   "halves away from zero".
//! - Polars divides by a constant by multiplying with its reciprocal, and passes over `+ 0.0`, so that last
//!   bits and signs of zero differ; here the same operations and functions of `f64` serve both halves, so
//!   that the bits agree.
//!
//! A comparison of a signal with a number, the usual case, stays native. The rest runs as closures over
//! columns. Every operand appears once (a bare signal at most twice), so the plan grows with the expression
//! and no faster.

#[cfg(test)]
mod tests;

use forewarn_spec::{BinaryOp, Expr, Function, Node};
use forewarn_types::SignalName;
use polars::prelude as pl;
use polars::prelude::{IntoColumn as _, NewChunkedArray as _};

/// The polars form of `expr`, over columns of type `f64` that have the names of [`Expr::signals`]; null
/// stands for unknown.
pub fn lower(expr: &Expr) -> pl::Expr {
    let lowered = lower_node(expr.ast(), expr.signals());
    match expr.ast() {
        // Every operation takes what is not finite for unknown; a signal by itself has none.
        Node::Signal(_) => where_finite(lowered.clone(), lowered),
        _ => lowered,
    }
}

fn lower_node(node: &Node, signals: &[SignalName]) -> pl::Expr {
    let go = |node: &Node| lower_node(node, signals);
    match node {
        Node::Number(value) | Node::Duration(value) => pl::lit(*value),
        Node::Bool(value) => pl::lit(*value),
        Node::Signal(place) => match signals.get(*place) {
            Some(name) => pl::col(name.to_string()),
            None => pl::lit(pl::NULL).cast(pl::DataType::Float64),
        },
        Node::Not(operand) => go(operand).not(),
        Node::Negate(operand) => unary(go(operand), |x| -x),
        Node::Binary(op, left, right) => match op {
            BinaryOp::And => go(left).and(go(right)),
            BinaryOp::Or => go(left).or(go(right)),
            BinaryOp::Add => binary(go(left), go(right), |x, y| x + y),
            BinaryOp::Subtract => binary(go(left), go(right), |x, y| x - y),
            BinaryOp::Multiply => binary(go(left), go(right), |x, y| x * y),
            BinaryOp::Divide => binary(go(left), go(right), |x, y| x / y),
            BinaryOp::Remainder => binary(go(left), go(right), |x, y| x % y),
            BinaryOp::Equal
            | BinaryOp::NotEqual
            | BinaryOp::Less
            | BinaryOp::LessEqual
            | BinaryOp::Greater
            | BinaryOp::GreaterEqual => compare(*op, left, right, signals),
        },
        Node::Ternary(condition, then, otherwise) => {
            choose(go(condition), go(then), go(otherwise), is_truth(then))
        }
        Node::Call(function, arguments) => call(*function, arguments.iter().map(go).collect()),
    }
}

fn compare(op: BinaryOp, left: &Node, right: &Node, signals: &[SignalName]) -> pl::Expr {
    let (a, b) = (lower_node(left, signals), lower_node(right, signals));
    if is_truth(left) {
        return if op == BinaryOp::Equal { a.eq(b) } else { a.neq(b) };
    }
    match (left, right) {
        (Node::Signal(_), Node::Number(limit) | Node::Duration(limit)) if limit.is_finite() => {
            native(op, a, b)
        }
        (Node::Number(limit) | Node::Duration(limit), Node::Signal(_)) if limit.is_finite() => {
            native(mirrored(op), b, a)
        }
        _ => binary_truth(a, b, relation(op)),
    }
}

/// A signal against a finite number; unknown where the signal is not finite.
fn native(op: BinaryOp, signal: pl::Expr, limit: pl::Expr) -> pl::Expr {
    let compared = match op {
        BinaryOp::Equal => signal.clone().eq(limit),
        BinaryOp::NotEqual => signal.clone().neq(limit),
        BinaryOp::Less => signal.clone().lt(limit),
        BinaryOp::LessEqual => signal.clone().lt_eq(limit),
        BinaryOp::GreaterEqual => signal.clone().gt_eq(limit),
        _ => signal.clone().gt(limit),
    };
    where_finite(signal, compared)
}

/// `value` where `signal` is finite, null elsewhere.
fn where_finite(signal: pl::Expr, value: pl::Expr) -> pl::Expr {
    pl::when(signal.is_finite()).then(value).otherwise(pl::lit(pl::NULL))
}

const fn mirrored(op: BinaryOp) -> BinaryOp {
    match op {
        BinaryOp::Less => BinaryOp::Greater,
        BinaryOp::LessEqual => BinaryOp::GreaterEqual,
        BinaryOp::Greater => BinaryOp::Less,
        BinaryOp::GreaterEqual => BinaryOp::LessEqual,
        same => same,
    }
}

fn relation(op: BinaryOp) -> fn(f64, f64) -> bool {
    match op {
        BinaryOp::Equal => |x, y| x == y,
        BinaryOp::NotEqual => |x, y| x != y,
        BinaryOp::Less => |x, y| x < y,
        BinaryOp::LessEqual => |x, y| x <= y,
        BinaryOp::GreaterEqual => |x, y| x >= y,
        _ => |x, y| x > y,
    }
}

/// Whether the node's type is true-or-false. Types have been checked, so one look down the `then` branches
/// decides.
fn is_truth(node: &Node) -> bool {
    match node {
        Node::Bool(_) | Node::Not(_) => true,
        Node::Binary(op, ..) => !matches!(
            op,
            BinaryOp::Add | BinaryOp::Subtract | BinaryOp::Multiply | BinaryOp::Divide | BinaryOp::Remainder
        ),
        Node::Ternary(_, then, _) => is_truth(then),
        Node::Number(_) | Node::Duration(_) | Node::Signal(_) | Node::Negate(_) | Node::Call(..) => false,
    }
}

fn call(function: Function, arguments: Vec<pl::Expr>) -> pl::Expr {
    let mut arguments = arguments.into_iter();
    let mut next = || arguments.next().unwrap_or_else(|| pl::lit(pl::NULL).cast(pl::DataType::Float64));
    let x = next();
    match function {
        Function::Abs => unary(x, f64::abs),
        Function::Sqrt => unary(x, f64::sqrt),
        Function::Floor => unary(x, f64::floor),
        Function::Ceil => unary(x, f64::ceil),
        Function::Round => unary(x, f64::round),
        Function::Ln => unary(x, f64::ln),
        Function::Exp => unary(x, f64::exp),
        Function::Pow => binary(x, next(), f64::powf),
        Function::Min => binary(x, next(), smaller),
        Function::Max => binary(x, next(), larger),
        Function::Clamp => binary(binary(x, next(), larger), next(), smaller),
    }
}

/// As in the streaming half: whichever comes first, and -0 is smaller than 0.
fn smaller(a: f64, b: f64) -> f64 {
    if b.total_cmp(&a).is_lt() { b } else { a }
}

fn larger(a: f64, b: f64) -> f64 {
    if b.total_cmp(&a).is_gt() { b } else { a }
}

fn unary(operand: pl::Expr, function: fn(f64) -> f64) -> pl::Expr {
    let apply = move |columns: &mut [pl::Column]| match columns {
        [x] => Ok(column_of_numbers(x, numbers(x, x.len())?.map(|x| x.map(function)))),
        _ => Err(miscounted()),
    };
    operand.map_many(apply, &[], |_, fields| typed(fields, pl::DataType::Float64))
}

fn binary(left: pl::Expr, right: pl::Expr, function: fn(f64, f64) -> f64) -> pl::Expr {
    let apply = move |columns: &mut [pl::Column]| match columns {
        [x, y] => {
            let rows = common_length([x, y]);
            let pairs = numbers(x, rows)?.zip(numbers(y, rows)?);
            Ok(column_of_numbers(x, pairs.map(|(x, y)| Some(function(x?, y?)))))
        }
        _ => Err(miscounted()),
    };
    left.map_many(apply, &[right], |_, fields| typed(fields, pl::DataType::Float64))
}

fn binary_truth(left: pl::Expr, right: pl::Expr, relation: fn(f64, f64) -> bool) -> pl::Expr {
    let apply = move |columns: &mut [pl::Column]| match columns {
        [x, y] => {
            let rows = common_length([x, y]);
            let pairs = numbers(x, rows)?.zip(numbers(y, rows)?);
            Ok(column_of_truths(x, pairs.map(|(x, y)| Some(relation(x?, y?)))))
        }
        _ => Err(miscounted()),
    };
    left.map_many(apply, &[right], |_, fields| typed(fields, pl::DataType::Boolean))
}

/// `condition ? then : otherwise`, unknown where the condition is. Not `when().then()`: that takes
/// `otherwise` for null, and to guard against it the condition would have to stand there twice, which doubles
/// the plan with every level of nesting.
fn choose(condition: pl::Expr, then: pl::Expr, otherwise: pl::Expr, truth: bool) -> pl::Expr {
    let apply = move |columns: &mut [pl::Column]| match columns {
        [c, x, y] => {
            let rows = common_length([c, x, y]);
            let choices = truths(c, rows)?;
            if truth {
                let rows = choices.zip(truths(x, rows)?.zip(truths(y, rows)?));
                Ok(column_of_truths(c, rows.map(|(c, (x, y))| if c? { x } else { y })))
            } else {
                let rows = choices.zip(numbers(x, rows)?.zip(numbers(y, rows)?));
                Ok(column_of_numbers(c, rows.map(|(c, (x, y))| if c? { x } else { y })))
            }
        }
        _ => Err(miscounted()),
    };
    let ty = if truth { pl::DataType::Boolean } else { pl::DataType::Float64 };
    condition.map_many(apply, &[then, otherwise], move |_, fields| typed(fields, ty.clone()))
}

type Values<'a, T> = Box<dyn Iterator<Item = Option<T>> + 'a>;

/// The numbers of `column` that are finite; a single one is repeated `rows` times, as polars does with
/// literals.
fn numbers(column: &pl::Column, rows: usize) -> pl::PolarsResult<Values<'_, f64>> {
    let values = column.f64()?;
    Ok(if values.len() == 1 {
        Box::new(std::iter::repeat_n(values.get(0).and_then(defined), rows))
    } else {
        Box::new(values.iter().map(|value| value.and_then(defined)))
    })
}

/// What is not finite is unknown.
fn defined(x: f64) -> Option<f64> {
    x.is_finite().then_some(x)
}

fn truths(column: &pl::Column, rows: usize) -> pl::PolarsResult<Values<'_, bool>> {
    let values = column.bool()?;
    Ok(if values.len() == 1 {
        Box::new(std::iter::repeat_n(values.get(0), rows))
    } else {
        Box::new(values.iter())
    })
}

/// How many rows columns have of which some may be single values; none if one has none.
fn common_length<const N: usize>(columns: [&pl::Column; N]) -> usize {
    columns.iter().map(|column| column.len()).find(|rows| *rows != 1).unwrap_or(1)
}

fn column_of_numbers(named: &pl::Column, values: impl Iterator<Item = Option<f64>>) -> pl::Column {
    let values = values.map(|value| value.and_then(defined));
    pl::Float64Chunked::from_iter_options(named.name().clone(), values).into_column()
}

fn column_of_truths(named: &pl::Column, values: impl Iterator<Item = Option<bool>>) -> pl::Column {
    pl::BooleanChunked::from_iter_options(named.name().clone(), values).into_column()
}

/// A result has the name of the first operand, as polars' own operators have it.
fn typed(fields: &[pl::Field], ty: pl::DataType) -> pl::PolarsResult<pl::Field> {
    fields.first().map(|field| pl::Field::new(field.name().clone(), ty)).ok_or_else(miscounted)
}

fn miscounted() -> pl::PolarsError {
    pl::PolarsError::ComputeError("an expression was lowered with the wrong number of operands".into())
}
