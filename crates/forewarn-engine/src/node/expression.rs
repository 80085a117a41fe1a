//! A signal that an expression over others gives.

use forewarn_spec::{Compiled, Expr};
use forewarn_types::SignalName;

use super::output::Output;
use crate::inputs::with_inputs;
use crate::slot::{Clock, NEVER, Slot};

/// The expression of a signal.
pub(crate) struct Expression {
    expr: Compiled,
    source: String,
    signals: Vec<SignalName>,
}

impl Expression {
    pub(super) fn compile(expr: &Expr) -> Self {
        Self { expr: expr.compile(), source: expr.source().to_owned(), signals: expr.signals().to_vec() }
    }

    pub(super) fn signals(&self) -> &[SignalName] {
        &self.signals
    }

    pub(super) fn source(&self) -> &str {
        &self.source
    }

    /// The value over the inputs that are known at the latest of their clocks. It is as old as the oldest of
    /// them.
    #[inline]
    pub(super) fn compute(&self, inputs: &[u32], slots: &[Slot]) -> Output {
        let clock = Clock::latest(inputs, slots);
        let at = clock.newest;
        let value = with_inputs(inputs, slots, at, None, |inputs| self.expr.eval_number(inputs));
        let (mut oldest, mut expiry) = (at, NEVER);
        for input in inputs.iter().map(|input| &slots[*input as usize]) {
            if input.is_known_at(at, None) {
                if !input.constant {
                    oldest = oldest.min(input.time);
                }
                expiry = expiry.min(input.expiry(None));
            }
        }
        Output { value: value.map(|value| (value, oldest)), expiry, clock }
    }
}
