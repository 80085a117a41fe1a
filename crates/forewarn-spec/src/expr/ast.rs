//! The syntax tree of an expression, after type checking.

use std::fmt;

/// The type of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// True or false.
    Bool,
    /// An `f64`.
    Number,
    /// A length of time, held in seconds.
    Duration,
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bool => "true-or-false",
            Self::Number => "number",
            Self::Duration => "duration",
        })
    }
}

/// One node; children are owned. Types have been checked.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// A number.
    Number(f64),
    /// `true` or `false`.
    Bool(bool),
    /// A duration, in seconds.
    Duration(f64),
    /// The signal at this place of [`crate::Expr::signals`].
    Signal(usize),
    /// `!x`.
    Not(Box<Node>),
    /// `-x`.
    Negate(Box<Node>),
    /// `left op right`.
    Binary(BinaryOp, Box<Node>, Box<Node>),
    /// `condition ? then : otherwise`; both branches have one type.
    Ternary(Box<Node>, Box<Node>, Box<Node>),
    /// `function(arguments)`.
    Call(Function, Vec<Node>),
}

/// An operator between two operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum BinaryOp {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    /// The remainder with the sign of the dividend, as C's `fmod`.
    Remainder,
}

impl BinaryOp {
    /// How it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Or => "||",
            Self::And => "&&",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessEqual => "<=",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
        }
    }

    /// How strongly it binds: a higher number binds more; equal ones group from the left.
    #[must_use]
    pub(super) const fn strength(self) -> u8 {
        match self {
            Self::Or => 1,
            Self::And => 2,
            Self::Equal
            | Self::NotEqual
            | Self::Less
            | Self::LessEqual
            | Self::Greater
            | Self::GreaterEqual => 3,
            Self::Add | Self::Subtract => 4,
            Self::Multiply | Self::Divide | Self::Remainder => 5,
        }
    }
}

/// A built-in function on numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Function {
    Abs,
    Min,
    Max,
    Sqrt,
    Pow,
    Floor,
    Ceil,
    /// To the nearest whole number, halves away from zero.
    Round,
    /// The natural logarithm.
    Ln,
    Exp,
    /// `clamp(x, low, high)` is `min(max(x, low), high)`.
    Clamp,
}

impl Function {
    /// All functions.
    pub const ALL: [Self; 11] = [
        Self::Abs,
        Self::Min,
        Self::Max,
        Self::Sqrt,
        Self::Pow,
        Self::Floor,
        Self::Ceil,
        Self::Round,
        Self::Ln,
        Self::Exp,
        Self::Clamp,
    ];

    /// How it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Abs => "abs",
            Self::Min => "min",
            Self::Max => "max",
            Self::Sqrt => "sqrt",
            Self::Pow => "pow",
            Self::Floor => "floor",
            Self::Ceil => "ceil",
            Self::Round => "round",
            Self::Ln => "ln",
            Self::Exp => "exp",
            Self::Clamp => "clamp",
        }
    }

    /// How many arguments it takes.
    #[must_use]
    pub const fn arity(self) -> usize {
        match self {
            Self::Min | Self::Max | Self::Pow => 2,
            Self::Clamp => 3,
            _ => 1,
        }
    }
}
