//! Expressions in definitions: of the right type, and over signals that are known.

use super::known::Known;
use crate::diagnostics::Report;
use crate::expr::{Expr, Type};
use crate::yaml::field::{Kind, Text};
use crate::yaml::kinds::{Formula, Truth};

/// A kind of expression.
pub(super) trait Expression: Kind {
    /// The type of its value.
    const TYPE: Type;
}

impl Expression for Formula {
    const TYPE: Type = Type::Number;
}

impl Expression for Truth {
    const TYPE: Type = Type::Bool;
}

/// Reads an expression that must be of the type that its kind says.
pub(super) fn expression<K: Expression>(
    text: &Text<K>,
    known: &Known,
    report: &mut Report<'_>,
) -> Option<Expr> {
    match Expr::parse(&text.value) {
        Ok(expr) if expr.ty() == K::TYPE => {
            known.check_expr(text, &expr, report);
            Some(expr)
        }
        Ok(expr) => {
            report.on(text, format!("this must be a {}, but it is a {}", K::TYPE, expr.ty()), None);
            None
        }
        Err(error) => {
            report.inside(text, &error);
            None
        }
    }
}
