//! What the conditions of a query say about the columns of a table: which files, and which records of the
//! tail, can matter at all.
//!
//! Only what is understood counts, and what is understood is implied by the condition, so that at worst too
//! much is read. Conditions arrive with their types settled: a literal that is compared with a time is a
//! time.

use std::collections::BTreeSet;

use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::{Between, BinaryExpr, Cast, Expr, Operator};
use forewarn_lake::{Bounds, ColumnType, Limit, MAX_TEXTS, TableSchema};

use super::DATE;

const DAY_US: i64 = 86_400_000_000;

/// What `conditions`, which all hold, say about the columns of `table`.
pub(super) fn of<'a>(conditions: impl Iterator<Item = &'a Expr>, table: &TableSchema) -> Bounds {
    let mut bounds = Bounds::default();
    for condition in conditions {
        read(condition, table, &mut bounds);
    }
    bounds
}

fn read(condition: &Expr, table: &TableSchema, bounds: &mut Bounds) {
    match condition {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => {
            read(left, table, bounds);
            read(right, table, bounds);
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
            let (mut first, mut second) = (Bounds::default(), Bounds::default());
            read(left, table, &mut first);
            read(right, table, &mut second);
            for (column, limit) in first.or(&second).columns {
                bounds.and(&column, limit);
            }
        }
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            if let (Some(column), Some(value)) = (column(left), literal(right)) {
                compare(column, *op, value, table, bounds);
            } else if let (Some(value), Some(column), Some(op)) = (literal(left), column(right), op.swap()) {
                compare(column, op, value, table, bounds);
            }
        }
        Expr::Between(Between { expr, negated: false, low, high }) => {
            if let Some(column) = column(expr) {
                for (op, end) in [(Operator::GtEq, low), (Operator::LtEq, high)] {
                    if let Some(value) = literal(end) {
                        compare(column, op, value, table, bounds);
                    }
                }
            }
        }
        Expr::InList(InList { expr, list, negated: false }) => {
            if let Some(column) = column(expr) {
                one_of(column, list, table, bounds);
            }
        }
        _ => {}
    }
}

/// The column that `expr` is, or is cast from where that keeps its order and loses nothing.
fn column(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Column(column) => Some(&column.name),
        Expr::Alias(alias) => column(&alias.expr),
        Expr::Cast(Cast { expr, field }) if field.data_type().is_string() => column(expr),
        _ => None,
    }
}

fn literal(expr: &Expr) -> Option<&ScalarValue> {
    match expr {
        Expr::Literal(value, _) if !value.is_null() => Some(value),
        _ => None,
    }
}

fn compare(name: &str, op: Operator, value: &ScalarValue, table: &TableSchema, bounds: &mut Bounds) {
    if name == DATE && table.by_date {
        // A day is compared as a whole: its first and last µs.
        if let ScalarValue::Date32(Some(day)) = value
            && let Some(first) = i64::from(*day).checked_mul(DAY_US)
        {
            let last = first.saturating_add(DAY_US - 1);
            let limit = match op {
                Operator::Eq => (first, last),
                Operator::GtEq => (first, i64::MAX),
                Operator::Gt => (last.saturating_add(1), i64::MAX),
                Operator::LtEq => (i64::MIN, last),
                Operator::Lt => (i64::MIN, first.saturating_sub(1)),
                _ => return,
            };
            bounds.and("time", Limit::Time(limit.0, limit.1));
        }
        return;
    }
    let limit = match table.column(name).map(|column| column.ty) {
        Some(ColumnType::Time) => {
            micros(value).and_then(|at| range(op, at)).map(|(low, high)| Limit::Time(low, high))
        }
        Some(ColumnType::Int) => match value {
            ScalarValue::Int64(Some(number)) => {
                range(op, (*number, *number)).map(|(low, high)| Limit::Int(low, high))
            }
            _ => None,
        },
        Some(ColumnType::Text) if op == Operator::Eq => {
            text(value).map(|text| Limit::Text(BTreeSet::from([text.to_owned()])))
        }
        _ => None,
    };
    if let Some(limit) = limit {
        bounds.and(name, limit);
    }
}

fn one_of(name: &str, list: &[Expr], table: &TableSchema, bounds: &mut Bounds) {
    let values = || list.iter().map(literal);
    match table.column(name).map(|column| column.ty) {
        Some(ColumnType::Text) if list.len() <= MAX_TEXTS => {
            let texts =
                values().map(|value| text(value?).map(str::to_owned)).collect::<Option<BTreeSet<_>>>();
            if let Some(texts) = texts {
                bounds.and(name, Limit::Text(texts));
            }
        }
        Some(ColumnType::Time) => {
            let ends: Option<Vec<(i64, i64)>> = values().map(|value| micros(value?)).collect();
            let ends = ends.unwrap_or_default();
            let (low, high) = (ends.iter().map(|end| end.0).min(), ends.iter().map(|end| end.1).max());
            if let (Some(low), Some(high)) = (low, high) {
                bounds.and(name, Limit::Time(low, high));
            }
        }
        _ => {}
    }
}

fn text(value: &ScalarValue) -> Option<&str> {
    match value {
        ScalarValue::Utf8(Some(text))
        | ScalarValue::Utf8View(Some(text))
        | ScalarValue::LargeUtf8(Some(text)) => Some(text),
        _ => None,
    }
}

/// A time as µs UTC, rounded down and up. A time without a zone is UTC.
fn micros(value: &ScalarValue) -> Option<(i64, i64)> {
    match value {
        ScalarValue::TimestampSecond(Some(s), _) => s.checked_mul(1_000_000).map(|us| (us, us)),
        ScalarValue::TimestampMillisecond(Some(ms), _) => ms.checked_mul(1_000).map(|us| (us, us)),
        ScalarValue::TimestampMicrosecond(Some(us), _) => Some((*us, *us)),
        ScalarValue::TimestampNanosecond(Some(ns), _) => {
            let down = ns.div_euclid(1_000);
            Some((down, down + i64::from(ns.rem_euclid(1_000) != 0)))
        }
        ScalarValue::Date32(Some(day)) => i64::from(*day).checked_mul(DAY_US).map(|us| (us, us)),
        _ => None,
    }
}

/// The values that may compare by `op` as wanted with a value that lies between `first` and `last`.
fn range(op: Operator, (first, last): (i64, i64)) -> Option<(i64, i64)> {
    Some(match op {
        Operator::Eq => (first, last),
        Operator::GtEq => (first, i64::MAX),
        Operator::Gt => (first.saturating_add(1), i64::MAX),
        Operator::LtEq => (i64::MIN, last),
        Operator::Lt => (i64::MIN, last.saturating_sub(1)),
        _ => return None,
    })
}
