//! The expression language of rules and derived signals: a typed subset of CEL over the signals of one asset.
//!
//! `temperature > 90.0 && (vibration_rms > 4.5 || abs(flow - 120.0) > 10.0)`. Names are signals and are
//! numbers; a name with characters beyond letters, digits, `_` and `.` stands in backticks. There are no
//! implicit conversions.

mod ast;
mod error;
mod eval;
mod lex;
mod parse;
mod print;
mod range;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::Arc;

use forewarn_types::SignalName;

pub use ast::{BinaryOp, Function, Node, Type};
pub use error::ExprError;
pub use eval::{Compiled, Inputs, MAX_SIGNALS};

/// A parsed and type-checked expression.
#[derive(Debug, Clone)]
pub struct Expr {
    source: String,
    node: Arc<Node>,
    ty: Type,
    signals: Vec<SignalName>,
    spans: Vec<Range<usize>>,
}

impl Expr {
    /// Reads and checks an expression.
    ///
    /// # Errors
    /// [`ExprError`] with the place, the reason and a hint.
    pub fn parse(text: &str) -> Result<Self, ExprError> {
        let parsed = parse::parse(text)?;
        let (signals, spans) = parsed.signals.into_iter().unzip();
        Ok(Self { source: text.to_owned(), node: Arc::new(parsed.node), ty: parsed.ty, signals, spans })
    }

    /// Its type.
    #[must_use]
    pub const fn ty(&self) -> Type {
        self.ty
    }

    /// The text it was read from.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The signals it names, in order of first appearance: the order of its inputs.
    #[must_use]
    pub fn signals(&self) -> &[SignalName] {
        &self.signals
    }

    /// Where each of [`Expr::signals`] first stands, in bytes of the text.
    #[must_use]
    pub fn signal_spans(&self) -> &[Range<usize>] {
        &self.spans
    }

    /// The checked tree.
    #[must_use]
    pub fn ast(&self) -> &Node {
        &self.node
    }

    /// Why the condition can never hold, whatever its signals are; `None` if it can.
    #[must_use]
    pub fn never_holds(&self) -> Option<String> {
        if self.ty != Type::Bool || range::can_hold(&self.node) {
            return None;
        }
        let part = range::undefined(&self.node).map(|node| self.part(node));
        Some(part.map_or_else(
            || "whatever the signals are, it is false or unknown".to_owned(),
            |part| format!("`{part}` is never a number, and a comparison with it is unknown"),
        ))
    }

    /// A part of it as an expression of its own, to be printed.
    fn part(&self, node: &Node) -> Self {
        Self { node: Arc::new(node.clone()), ..self.clone() }
    }

    /// The form that runs.
    #[must_use]
    pub fn compile(&self) -> Compiled {
        Compiled(Arc::clone(&self.node))
    }
}
