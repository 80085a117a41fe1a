//! An expression written out from its tree: one form for all ways to write it, with no more parentheses than
//! it needs.

use std::fmt::{self, Write as _};

use forewarn_types::{SignalName, format_duration};

use super::Expr;
use super::ast::Node;

/// How strongly what is not a binary operator binds.
const TERNARY: u8 = 0;
const UNARY: u8 = 6;

/// Reading the text back gives the same tree, type and signals.
impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_node(f, &self.node, &self.signals, TERNARY)
    }
}

/// Writes `node`, in parentheses if it binds less than `needed`.
fn write_node(f: &mut fmt::Formatter<'_>, node: &Node, signals: &[SignalName], needed: u8) -> fmt::Result {
    let inner = |f: &mut fmt::Formatter<'_>, node: &Node, needed: u8| write_node(f, node, signals, needed);
    let strength = match node {
        Node::Ternary(..) => TERNARY,
        Node::Binary(op, ..) => op.strength(),
        _ => UNARY,
    };
    if strength < needed {
        f.write_char('(')?;
        inner(f, node, TERNARY)?;
        return f.write_char(')');
    }
    match node {
        // The long form keeps the point of whole numbers and the exponent of large ones, and loses no digit.
        Node::Number(value) => write!(f, "{value:?}"),
        Node::Bool(value) => write!(f, "{value}"),
        Node::Duration(seconds) => f.write_str(&format_duration(microseconds(*seconds))),
        Node::Signal(place) => write_name(f, signals.get(*place).map_or("", |name| name)),
        Node::Not(operand) => {
            f.write_char('!')?;
            inner(f, operand, UNARY)
        }
        Node::Negate(operand) => {
            f.write_char('-')?;
            inner(f, operand, UNARY)
        }
        Node::Binary(op, left, right) => {
            inner(f, left, strength)?;
            write!(f, " {} ", op.as_str())?;
            inner(f, right, strength + 1)
        }
        Node::Ternary(condition, then, otherwise) => {
            inner(f, condition, TERNARY + 1)?;
            f.write_str(" ? ")?;
            inner(f, then, TERNARY)?;
            f.write_str(" : ")?;
            inner(f, otherwise, TERNARY)
        }
        Node::Call(function, arguments) => {
            write!(f, "{}(", function.as_str())?;
            for (i, argument) in arguments.iter().enumerate() {
                f.write_str(if i > 0 { ", " } else { "" })?;
                inner(f, argument, TERNARY)?;
            }
            f.write_char(')')
        }
    }
}

fn write_name(f: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result {
    let plain = name.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '.')
        && !matches!(name, "true" | "false");
    if plain { f.write_str(name) } else { write!(f, "`{name}`") }
}

/// The whole number of microseconds that reads as `seconds`. Beyond 2^53 µs the nearest one may read as a
/// neighbour of `seconds`.
fn microseconds(seconds: f64) -> i64 {
    let nearest = (seconds * 1e6).round();
    let candidates = [nearest, nearest.next_down(), nearest.next_up()];
    let exact = candidates.into_iter().find(|us| us / 1e6 == seconds).unwrap_or(nearest);
    #[expect(clippy::cast_possible_truncation, reason = "a duration was read from an i64 of µs")]
    let us = exact as i64;
    us
}
