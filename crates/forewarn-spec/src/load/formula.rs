//! Expressions in definitions: of the right type, and over signals that are known.

use super::known::Known;
use crate::diagnostics::Report;
use crate::expr::{Expr, Node, Type};
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
            if let Some(name) = name_with_minus(&text.value) {
                let hint = format!("if '{name}' is one signal, put its name in backticks: `{name}`");
                report.warn(text, format!("'{name}' is read as a difference of two signals"), Some(hint));
            }
            Some(expr)
        }
        Ok(expr) => {
            let hint = match (K::TYPE, expr.ty()) {
                (Type::Bool, Type::Number) if matches!(expr.ast(), Node::Signal(_)) => Some(format!(
                    "a signal is a number, 1 for true and 0 for false: write `{} > 0.5`",
                    expr.source().trim()
                )),
                (Type::Bool, _) => Some("compare it with something, as in `… > 0.0`".to_owned()),
                _ => None,
            };
            report.on(text, format!("this must be a {}, but it is a {}", K::TYPE, expr.ty()), hint);
            None
        }
        Err(error) => {
            report.inside(text, &error);
            None
        }
    }
}

/// The first two names in `text` with nothing but a minus between them, outside of backticks: a name of
/// many a plant looks like that.
fn name_with_minus(text: &str) -> Option<&str> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
    let bare = text.split('`').step_by(2);
    bare.into_iter().find_map(|piece| {
        piece.match_indices('-').find_map(|(at, _)| {
            let before = piece[..at].char_indices().rev().find(|(_, c)| !is_part(*c));
            let start = before.map_or(0, |(place, c)| place + c.len_utf8());
            let after = &piece[at + 1..];
            let end = at + 1 + after.find(|c| !is_part(c)).unwrap_or(after.len());
            let begins = |text: &str| text.starts_with(|c: char| c.is_alphabetic() || c == '_');
            (begins(&piece[start..at]) && begins(after)).then(|| &piece[start..end])
        })
    })
}
