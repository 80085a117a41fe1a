//! The pattern of `to_char`: PostgreSQL's letters, or those of `strftime` that DataFusion knows.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Value, ValueWithSpan,
};

/// PostgreSQL's patterns and what `strftime` calls them; the longer ones first.
const PATTERNS: [(&str, &str); 21] = [
    ("HH24", "%H"),
    ("HH12", "%I"),
    ("YYYY", "%Y"),
    ("IYYY", "%G"),
    ("DDD", "%j"),
    ("Month", "%B"),
    ("Mon", "%b"),
    ("Day", "%A"),
    ("HH", "%I"),
    ("MI", "%M"),
    ("SS", "%S"),
    ("MS", "%3f"),
    ("US", "%6f"),
    ("AM", "%p"),
    ("PM", "%p"),
    ("YY", "%y"),
    ("MM", "%m"),
    ("DD", "%d"),
    ("Dy", "%a"),
    ("IW", "%V"),
    ("TZ", "%Z"),
];

/// Puts the pattern of `to_char` in the form that is known; what is in neither form is refused.
pub(super) fn check(function: &mut Function) -> ControlFlow<String> {
    let FunctionArguments::List(list) = &mut function.args else { return ControlFlow::Continue(()) };
    let Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(ValueWithSpan {
        value: Value::SingleQuotedString(pattern),
        ..
    })))) = list.args.get_mut(1)
    else {
        return ControlFlow::Break(
            "the pattern of to_char has to be written in the query: 'YYYY-MM-DD HH24:MI'".into(),
        );
    };
    if pattern.contains('%') {
        return ControlFlow::Continue(());
    }
    let mut written = String::new();
    let mut rest = pattern.as_str();
    while let Some(character) = rest.chars().next() {
        if let Some((known, form)) = PATTERNS.iter().find(|(known, _)| rest.starts_with(known)) {
            written.push_str(form);
            rest = &rest[known.len()..];
        } else if character.is_alphabetic() && character != 'T' && character != 'Z' {
            return ControlFlow::Break(format!(
                "to_char does not know {rest:?} in its pattern; write such as 'YYYY-MM-DD HH24:MI:SS' or '%Y-%m-%d %H:%M:%S'"
            ));
        } else {
            written.push(character);
            rest = &rest[character.len_utf8()..];
        }
    }
    *pattern = written;
    ControlFlow::Continue(())
}
