//! What is known of an expression without its signals: enough to say that a condition can never hold.
//!
//! Each number is taken to lie in a range, or to be undefined whatever the signals are; each condition to be
//! able to hold, and to fail. The ranges may be too wide, never too narrow.

use super::ast::{BinaryOp, Function, Node};
use super::eval::{larger, smaller};

/// From the lowest to the highest value.
#[derive(Clone, Copy)]
struct Range(f64, f64);

const ANY: Range = Range(f64::NEG_INFINITY, f64::INFINITY);

impl Range {
    /// A range of these ends; any number if one of them is none.
    fn new(low: f64, high: f64) -> Self {
        if low.is_nan() || high.is_nan() { ANY } else { Self(low, high) }
    }

    /// The one value that it can have, if there is only one.
    fn constant(self) -> Option<f64> {
        (self.0 == self.1).then_some(self.0)
    }
}

/// What a condition can be, beside unknown.
#[derive(Clone, Copy)]
struct Outcomes {
    holds: bool,
    fails: bool,
}

impl Outcomes {
    const NONE: Self = Self { holds: false, fails: false };

    const fn not(self) -> Self {
        Self { holds: self.fails, fails: self.holds }
    }
}

/// Whether a condition can hold.
pub(super) fn can_hold(node: &Node) -> bool {
    outcomes(node).holds
}

/// The first part that is never a number though all that it is made of is.
pub(super) fn undefined(node: &Node) -> Option<&Node> {
    let parts: Vec<&Node> = match node {
        Node::Not(operand) | Node::Negate(operand) => vec![operand],
        Node::Binary(_, left, right) => vec![left, right],
        Node::Ternary(condition, then, otherwise) => vec![condition, then, otherwise],
        Node::Call(_, arguments) => arguments.iter().collect(),
        Node::Number(_) | Node::Bool(_) | Node::Duration(_) | Node::Signal(_) => Vec::new(),
    };
    let inner = parts.into_iter().find_map(undefined);
    inner.or_else(|| (is_number(node) && range(node).is_none()).then_some(node))
}

fn is_number(node: &Node) -> bool {
    match node {
        Node::Number(_) | Node::Duration(_) | Node::Signal(_) | Node::Negate(_) | Node::Call(..) => true,
        Node::Binary(op, ..) => op.strength() > BinaryOp::Less.strength(),
        Node::Ternary(_, then, _) => is_number(then),
        Node::Bool(_) | Node::Not(_) => false,
    }
}

fn outcomes(node: &Node) -> Outcomes {
    match node {
        Node::Bool(value) => Outcomes { holds: *value, fails: !*value },
        Node::Not(operand) => outcomes(operand).not(),
        Node::Binary(BinaryOp::And, left, right) => {
            let (left, right) = (outcomes(left), outcomes(right));
            Outcomes { holds: left.holds && right.holds, fails: left.fails || right.fails }
        }
        Node::Binary(BinaryOp::Or, left, right) => {
            let (left, right) = (outcomes(left), outcomes(right));
            Outcomes { holds: left.holds || right.holds, fails: left.fails && right.fails }
        }
        Node::Binary(op, left, right) if is_number(left) => match (range(left), range(right)) {
            (Some(left), Some(right)) => compared(*op, left, right),
            _ => Outcomes::NONE,
        },
        Node::Binary(op, left, right) => {
            let (left, right) = (outcomes(left), outcomes(right));
            let equal = Outcomes {
                holds: left.holds && right.holds || left.fails && right.fails,
                fails: left.holds && right.fails || left.fails && right.holds,
            };
            if *op == BinaryOp::Equal { equal } else { equal.not() }
        }
        Node::Ternary(condition, then, otherwise) => {
            let condition = outcomes(condition);
            let (then, otherwise) = (outcomes(then), outcomes(otherwise));
            Outcomes {
                holds: condition.holds && then.holds || condition.fails && otherwise.holds,
                fails: condition.holds && then.fails || condition.fails && otherwise.fails,
            }
        }
        Node::Number(_) | Node::Duration(_) | Node::Signal(_) | Node::Negate(_) | Node::Call(..) => {
            Outcomes::NONE
        }
    }
}

fn compared(op: BinaryOp, left: Range, right: Range) -> Outcomes {
    let less = Outcomes { holds: left.0 < right.1, fails: left.1 >= right.0 };
    let less_or_equal = Outcomes { holds: left.0 <= right.1, fails: left.1 > right.0 };
    let equal = Outcomes {
        holds: left.0 <= right.1 && right.0 <= left.1,
        fails: !matches!((left.constant(), right.constant()), (Some(a), Some(b)) if a == b),
    };
    match op {
        BinaryOp::Less => less,
        BinaryOp::LessEqual => less_or_equal,
        BinaryOp::Greater => less_or_equal.not(),
        BinaryOp::GreaterEqual => less.not(),
        BinaryOp::Equal => equal,
        BinaryOp::NotEqual => equal.not(),
        _ => Outcomes { holds: true, fails: true },
    }
}

/// The values that a number can have; `None` if it is never defined.
fn range(node: &Node) -> Option<Range> {
    match node {
        Node::Number(value) | Node::Duration(value) => Some(Range(*value, *value)),
        Node::Signal(_) | Node::Bool(_) | Node::Not(_) => Some(ANY),
        Node::Negate(operand) => range(operand).map(|Range(low, high)| Range(-high, -low)),
        Node::Binary(op, left, right) => arithmetic(*op, range(left)?, range(right)?),
        Node::Ternary(condition, then, otherwise) => {
            let condition = outcomes(condition);
            let then = range(then).filter(|_| condition.holds);
            let otherwise = range(otherwise).filter(|_| condition.fails);
            match (then, otherwise) {
                (Some(a), Some(b)) => Some(Range(a.0.min(b.0), a.1.max(b.1))),
                (one, other) => one.or(other),
            }
        }
        Node::Call(function, arguments) => {
            let arguments: Option<Vec<Range>> = arguments.iter().map(range).collect();
            called(*function, &arguments?)
        }
    }
}

fn arithmetic(op: BinaryOp, left: Range, right: Range) -> Option<Range> {
    let constant = |value: f64| value.is_finite().then_some(Range(value, value));
    match (op, left.constant(), right.constant()) {
        (BinaryOp::Divide | BinaryOp::Remainder, _, Some(0.0)) => None,
        (BinaryOp::Add, Some(a), Some(b)) => constant(a + b),
        (BinaryOp::Subtract, Some(a), Some(b)) => constant(a - b),
        (BinaryOp::Multiply, Some(a), Some(b)) => constant(a * b),
        (BinaryOp::Divide, Some(a), Some(b)) => constant(a / b),
        (BinaryOp::Remainder, Some(a), Some(b)) => constant(a % b),
        (BinaryOp::Add, ..) => Some(Range::new(left.0 + right.0, left.1 + right.1)),
        (BinaryOp::Subtract, ..) => Some(Range::new(left.0 - right.1, left.1 - right.0)),
        _ => Some(ANY),
    }
}

fn called(function: Function, arguments: &[Range]) -> Option<Range> {
    let argument = |i: usize| arguments.get(i).copied().unwrap_or(ANY);
    let Range(low, high) = argument(0);
    let both = |a: Range, b: Range, choose: fn(f64, f64) -> f64| Range(choose(a.0, b.0), choose(a.1, b.1));
    Some(match function {
        Function::Sqrt if high < 0.0 => return None,
        Function::Ln if high <= 0.0 => return None,
        Function::Abs if low >= 0.0 => Range(low, high),
        Function::Abs if high <= 0.0 => Range(-high, -low),
        Function::Abs => Range(0.0, high.max(-low)),
        Function::Sqrt => Range(low.max(0.0).sqrt(), high.sqrt()),
        Function::Exp => Range(0.0, high.exp()),
        Function::Ln => Range::new(low.max(0.0).ln(), high.ln()),
        Function::Min => both(argument(0), argument(1), smaller),
        Function::Max => both(argument(0), argument(1), larger),
        Function::Clamp => both(both(argument(0), argument(1), larger), argument(2), smaller),
        Function::Floor => Range(low.floor(), high.floor()),
        Function::Ceil => Range(low.ceil(), high.ceil()),
        Function::Round => Range(low.round(), high.round()),
        Function::Pow => match (argument(0).constant(), argument(1).constant()) {
            (Some(a), Some(b)) if !a.powf(b).is_finite() => return None,
            _ => ANY,
        },
    })
}
