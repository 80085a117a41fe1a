//! Evaluation on last known values, with "unknown" as a third truth value (Kleene's logic).
//!
//! A number that is not finite is unknown as well, wherever it comes up: 0/0, the logarithm of a negative
//! number, an overflow. So no comparison is decided by a number that is none, and a formula gives the same
//! whether it stands in a condition or behind a derived signal.

use std::sync::Arc;

use super::ast::{BinaryOp, Function, Node};

/// Most signals one expression may name: the bits of [`Inputs::known`].
pub const MAX_SIGNALS: usize = 64;

/// The values of an expression's signals, in the order of [`crate::Expr::signals`], at most 64.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// The values.
    pub values: &'a [f64],
    /// Bit i is set if `values[i]` may be used.
    pub known: u64,
}

/// An expression that is ready to run. Evaluating it allocates nothing.
#[derive(Debug, Clone)]
pub struct Compiled(pub(super) Arc<Node>);

impl Compiled {
    /// The truth of a true-or-false expression; `None` if it is unknown.
    #[must_use]
    pub fn eval_bool(&self, inputs: &Inputs<'_>) -> Option<bool> {
        truth(&self.0, inputs)
    }

    /// The value of a number (or of a duration, in seconds); `None` if it is unknown.
    #[must_use]
    pub fn eval_number(&self, inputs: &Inputs<'_>) -> Option<f64> {
        number(&self.0, inputs)
    }
}

fn truth(node: &Node, inputs: &Inputs<'_>) -> Option<bool> {
    match node {
        Node::Bool(value) => Some(*value),
        Node::Not(operand) => truth(operand, inputs).map(|value| !value),
        Node::Binary(BinaryOp::And, left, right) => match truth(left, inputs) {
            Some(false) => Some(false),
            Some(true) => truth(right, inputs),
            None => truth(right, inputs).filter(|right| !right),
        },
        Node::Binary(BinaryOp::Or, left, right) => match truth(left, inputs) {
            Some(true) => Some(true),
            Some(false) => truth(right, inputs),
            None => truth(right, inputs).filter(|right| *right),
        },
        Node::Binary(op, left, right) => compare(*op, left, right, inputs),
        Node::Ternary(condition, then, otherwise) => {
            truth(if truth(condition, inputs)? { then } else { otherwise }, inputs)
        }
        Node::Number(_) | Node::Duration(_) | Node::Signal(_) | Node::Negate(_) | Node::Call(..) => None,
    }
}

#[expect(clippy::float_cmp, reason = "`==` in an expression means exactly equal")]
fn compare(op: BinaryOp, left: &Node, right: &Node, inputs: &Inputs<'_>) -> Option<bool> {
    if is_bool(left) {
        let (left, right) = (truth(left, inputs)?, truth(right, inputs)?);
        return Some((left == right) == (op == BinaryOp::Equal));
    }
    let (left, right) = (number(left, inputs)?, number(right, inputs)?);
    Some(match op {
        BinaryOp::Equal => left == right,
        BinaryOp::NotEqual => left != right,
        BinaryOp::Less => left < right,
        BinaryOp::LessEqual => left <= right,
        BinaryOp::Greater => left > right,
        BinaryOp::GreaterEqual => left >= right,
        _ => return None,
    })
}

fn is_bool(node: &Node) -> bool {
    match node {
        Node::Bool(_) | Node::Not(_) => true,
        Node::Binary(op, ..) => op.strength() <= 3,
        Node::Ternary(_, then, _) => is_bool(then),
        Node::Number(_) | Node::Duration(_) | Node::Signal(_) | Node::Negate(_) | Node::Call(..) => false,
    }
}

fn number(node: &Node, inputs: &Inputs<'_>) -> Option<f64> {
    match node {
        Node::Number(value) | Node::Duration(value) => Some(*value),
        Node::Signal(place) => (inputs.known >> place & 1 == 1)
            .then(|| inputs.values.get(*place).copied())
            .flatten()
            .and_then(defined),
        Node::Negate(operand) => number(operand, inputs).map(|value| -value),
        Node::Binary(op, left, right) => {
            let (left, right) = (number(left, inputs)?, number(right, inputs)?);
            defined(match op {
                BinaryOp::Add => left + right,
                BinaryOp::Subtract => left - right,
                BinaryOp::Multiply => left * right,
                BinaryOp::Divide => left / right,
                BinaryOp::Remainder => left % right,
                _ => return None,
            })
        }
        Node::Ternary(condition, then, otherwise) => {
            number(if truth(condition, inputs)? { then } else { otherwise }, inputs)
        }
        Node::Call(function, arguments) => call(*function, arguments, inputs),
        Node::Bool(_) | Node::Not(_) => None,
    }
}

fn call(function: Function, arguments: &[Node], inputs: &Inputs<'_>) -> Option<f64> {
    let argument = |i: usize| arguments.get(i).and_then(|node| number(node, inputs));
    let x = argument(0)?;
    defined(match function {
        Function::Abs => x.abs(),
        Function::Min => smaller(x, argument(1)?),
        Function::Max => larger(x, argument(1)?),
        Function::Sqrt => x.sqrt(),
        Function::Pow => x.powf(argument(1)?),
        Function::Floor => x.floor(),
        Function::Ceil => x.ceil(),
        Function::Round => x.round(),
        Function::Ln => x.ln(),
        Function::Exp => x.exp(),
        Function::Clamp => smaller(larger(x, argument(1)?), argument(2)?),
    })
}

/// A result that is a number; what is not finite is unknown.
fn defined(x: f64) -> Option<f64> {
    x.is_finite().then_some(x)
}

/// The smaller of two numbers, whichever comes first; -0 is smaller than 0.
pub(super) fn smaller(a: f64, b: f64) -> f64 {
    if b.total_cmp(&a).is_lt() { b } else { a }
}

/// The larger of two numbers, whichever comes first.
pub(super) fn larger(a: f64, b: f64) -> f64 {
    if b.total_cmp(&a).is_gt() { b } else { a }
}
