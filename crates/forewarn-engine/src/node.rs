//! Nodes: what computes a signal of an asset from others of the same asset.
//!
//! A node reads slots and gives what goes into the slot of its own signal; the shard knows nothing else of
//! it. A kind is a file of its own beside this list.

mod expression;
mod output;

use forewarn_spec::Signal;
use forewarn_types::SignalName;

use self::expression::Expression;
pub(crate) use self::output::Output;
use crate::slot::Slot;

/// How a signal is computed, compiled from its definition: one for all assets that have the signal.
pub(crate) enum Node {
    Expression(Expression),
}

impl Node {
    /// The node of a signal that is computed; `None` for one that a sensor sends.
    pub(crate) fn compile(signal: &Signal) -> Option<Self> {
        signal.expr.as_ref().map(|expr| Self::Expression(Expression::compile(expr)))
    }

    /// The signals it reads, in the order of its inputs.
    pub(crate) fn signals(&self) -> &[SignalName] {
        match self {
            Self::Expression(expression) => expression.signals(),
        }
    }

    /// A text in which everything stands that decides about its values.
    pub(crate) fn source(&self) -> &str {
        match self {
            Self::Expression(expression) => expression.source(),
        }
    }

    /// Computes the signal after a reading of one of its `inputs`, the slots of [`Node::signals`].
    #[inline]
    pub(crate) fn compute(&self, inputs: &[u32], slots: &[Slot]) -> Output {
        match self {
            Self::Expression(expression) => expression.compute(inputs, slots),
        }
    }
}
