//! Where PostgreSQL, or the functions that users of time-series databases know, can be said in another way
//! that DataFusion plans: the tree is changed in place.

mod gapfill;
pub(crate) mod interval;
mod keys;
mod pick;
mod template;
mod tuple;

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList,
    FunctionArguments, Ident, LimitClause, ObjectName, Query, SetExpr, Statement, Value, ValueWithSpan,
    VisitMut as _, VisitorMut,
};
use datafusion::sql::sqlparser::tokenizer::Span;

use crate::error::QueryError;

/// Changes `statement` where it is needed.
pub(super) fn apply(statement: &mut Statement) -> Result<(), QueryError> {
    match statement.visit(&mut Rewrite) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(problem) => Err(QueryError::Query(problem)),
    }
}

struct Rewrite;

impl VisitorMut for Rewrite {
    type Break = String;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<String> {
        gapfill::spell_out(query)?;
        if let SetExpr::Select(select) = query.body.as_mut() {
            keys::check(select)?;
            keys::spell_out_having(select);
            tuple::spell_out(select)?;
        }
        // FETCH FIRST n ROWS ONLY is LIMIT n.
        if let Some(fetch) = query.fetch.take() {
            let one = || number("1");
            let rows = fetch.quantity.unwrap_or_else(one);
            match &mut query.limit_clause {
                Some(LimitClause::LimitOffset { limit: limit @ None, .. }) => *limit = Some(rows),
                None => {
                    query.limit_clause = Some(LimitClause::LimitOffset {
                        limit: Some(rows),
                        offset: None,
                        limit_by: Vec::new(),
                    });
                }
                Some(_) => return ControlFlow::Break("write either LIMIT or FETCH FIRST, not both".into()),
            }
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<String> {
        match expr {
            Expr::AtTimeZone { timestamp, time_zone } => {
                let (time, zone) = ((**timestamp).clone(), (**time_zone).clone());
                *expr = call("timezone", vec![zone, time]);
            }
            Expr::InSubquery { .. } => return tuple::refuse(expr),
            Expr::Interval(interval) => interval::spell_out(interval),
            Expr::Like { pattern, escape_char, .. } | Expr::ILike { pattern, escape_char, .. } => {
                if let Some(escape) = escape_char.take() {
                    return with_backslash(pattern, &escape.value);
                }
            }
            Expr::Function(function) => {
                if let Some(expression) = pick::as_expression(function) {
                    *expr = expression;
                    return ControlFlow::Continue(());
                }
                return pick::apply(function);
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// A pattern whose escape character is another than the backslash, with the backslash.
fn with_backslash(pattern: &mut Expr, escape: &Value) -> ControlFlow<String> {
    let (
        Value::SingleQuotedString(escape),
        Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(text), .. }),
    ) = (escape, pattern)
    else {
        return ControlFlow::Break(
            "ESCAPE needs a pattern and a character that are written in the query".into(),
        );
    };
    let mut characters = escape.chars();
    let (Some(escape), None) = (characters.next(), characters.next()) else {
        return ControlFlow::Break("ESCAPE takes one character, such as ESCAPE '!'".into());
    };
    let mut written = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        if character == escape {
            written.push('\\');
            written.extend(rest.next());
        } else if character == '\\' {
            written.push_str("\\\\");
        } else {
            written.push(character);
        }
    }
    *text = written;
    ControlFlow::Continue(())
}

/// A number as it stands in a query.
fn number(digits: &str) -> Expr {
    Expr::Value(ValueWithSpan { value: Value::Number(digits.to_owned(), false), span: Span::empty() })
}

/// `CAST(expr AS to)`.
fn cast(expr: Expr, to: DataType) -> Expr {
    Expr::Cast { kind: CastKind::Cast, expr: Box::new(expr), data_type: to, array: false, format: None }
}

/// A call of a function.
fn call(name: &str, arguments: Vec<Expr>) -> Expr {
    let args = arguments.into_iter().map(|expr| FunctionArg::Unnamed(FunctionArgExpr::Expr(expr))).collect();
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args,
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}
