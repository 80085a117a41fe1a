//! Text to tokens, each with its span in bytes.

use std::ops::Range;

use forewarn_types::parse_duration_us;

use super::ast::BinaryOp;
use super::error::ExprError;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Number(f64),
    Duration(f64),
    Name(String),
    /// A name in backticks: a signal, whatever word it is.
    Quoted(String),
    Operator(BinaryOp),
    Not,
    Question,
    Colon,
    Open,
    Close,
    Comma,
}

const TWO: [(&str, BinaryOp); 6] = [
    ("||", BinaryOp::Or),
    ("&&", BinaryOp::And),
    ("==", BinaryOp::Equal),
    ("!=", BinaryOp::NotEqual),
    ("<=", BinaryOp::LessEqual),
    (">=", BinaryOp::GreaterEqual),
];

pub(super) fn tokens(text: &str) -> Result<Vec<(Token, Range<usize>)>, ExprError> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        if c.is_whitespace() {
            at += c.len_utf8();
            continue;
        }
        let (token, length) = token(&text[at..], c).map_err(|mut error| {
            error.span = at + error.span.start..at + error.span.end;
            error
        })?;
        found.push((token, at..at + length));
        at += length;
    }
    Ok(found)
}

fn token(rest: &str, first: char) -> Result<(Token, usize), ExprError> {
    if let Some((text, op)) = TWO.iter().find(|(text, _)| rest.starts_with(text)) {
        return Ok((Token::Operator(*op), text.len()));
    }
    let single = match first {
        '<' => Token::Operator(BinaryOp::Less),
        '>' => Token::Operator(BinaryOp::Greater),
        '+' => Token::Operator(BinaryOp::Add),
        '-' => Token::Operator(BinaryOp::Subtract),
        '*' => Token::Operator(BinaryOp::Multiply),
        '/' => Token::Operator(BinaryOp::Divide),
        '%' => Token::Operator(BinaryOp::Remainder),
        '!' => Token::Not,
        '?' => Token::Question,
        ':' => Token::Colon,
        '(' => Token::Open,
        ')' => Token::Close,
        ',' => Token::Comma,
        '`' => return quoted(rest),
        c if c.is_ascii_digit() || c == '.' => return number(rest),
        c if c.is_alphabetic() || c == '_' => {
            let end =
                rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.')).unwrap_or(rest.len());
            return Ok((Token::Name(rest[..end].to_owned()), end));
        }
        '=' => return Err(ExprError::new(0..1, "`=` is not an operator").hint("to compare, write `==`")),
        '&' => return Err(ExprError::new(0..1, "`&` is not an operator").hint("write `&&`")),
        '|' => return Err(ExprError::new(0..1, "`|` is not an operator").hint("write `||`")),
        '"' | '\'' => return Err(ExprError::new(0..1, "texts are not allowed in an expression")),
        c => {
            return Err(ExprError::new(
                0..c.len_utf8(),
                format!("unexpected character `{}`", c.escape_debug()),
            ));
        }
    };
    Ok((single, 1))
}

fn quoted(rest: &str) -> Result<(Token, usize), ExprError> {
    match rest[1..].find('`') {
        Some(end) if end > 0 => Ok((Token::Quoted(rest[1..=end].to_owned()), end + 2)),
        Some(_) => Err(ExprError::new(0..2, "a quoted name is empty")),
        None => Err(ExprError::new(0..rest.len(), "a quoted name has no closing `")),
    }
}

fn number(rest: &str) -> Result<(Token, usize), ExprError> {
    let bytes = rest.as_bytes();
    let mut end = bytes.iter().take_while(|b| b.is_ascii_digit() || **b == b'.').count();
    if bytes.get(end).is_some_and(|b| matches!(b, b'e' | b'E')) {
        let sign = usize::from(bytes.get(end + 1).is_some_and(|b| matches!(b, b'+' | b'-')));
        let digits = bytes.iter().skip(end + 1 + sign).take_while(|b| b.is_ascii_digit()).count();
        if digits > 0 {
            end += 1 + sign + digits;
        }
    }
    let word =
        end + rest[end..].find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len() - end);
    if word > end {
        let us = parse_duration_us(&rest[..word]).map_err(|_| {
            ExprError::new(0..word, format!("`{}` is neither a number nor a duration", &rest[..word]))
                .hint("a duration is a whole number and a unit: 250ms, 30s, 5m, 24h, 7d")
        })?;
        return Ok((Token::Duration(us as f64 / 1e6), word));
    }
    match rest[..end].parse::<f64>() {
        Ok(value) if value.is_finite() => Ok((Token::Number(value), end)),
        _ => Err(ExprError::new(0..end, format!("`{}` is not a number", &rest[..end]))),
    }
}
