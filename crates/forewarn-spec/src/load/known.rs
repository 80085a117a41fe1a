//! The signals that definitions may name.

use std::collections::BTreeSet;
use std::ops::Range;

use forewarn_types::{ATTRIBUTE_PREFIX, SignalName, check_signal, did_you_mean};

use crate::diagnostics::Report;
use crate::expr::{Expr, ExprError};
use crate::yaml::field::Text;
use crate::yaml::kinds::SignalText;

/// The signals that definitions may name: any, until a signal is declared that a sensor sends.
#[derive(Default)]
pub(super) struct Known {
    names: BTreeSet<String>,
    /// Those among them that are computed from others.
    derived: BTreeSet<String>,
    /// Those among them that a sensor sends.
    sent: BTreeSet<String>,
    /// Whether a sensor's signal is declared. Derived signals alone say nothing of what sensors send.
    declared: bool,
    /// Whether declarations may be missing, since a file or the name of a signal could not be read.
    incomplete: bool,
}

impl Known {
    /// Adds a signal that is declared; a `derived` one is computed from others.
    pub(super) fn add(&mut self, name: &Text<SignalText>, derived: bool) {
        self.names.insert(name.value.clone());
        let of_kind = if derived { &mut self.derived } else { &mut self.sent };
        of_kind.insert(name.value.clone());
        self.declared |= !derived;
        self.incomplete |= name.place.is_unknown();
    }

    /// Says that a pipeline could not be read: what it declares is not known.
    pub(super) const fn lose(&mut self) {
        self.incomplete = true;
    }

    /// Whether `signal` is declared as computed from others, and no sensor sends it.
    pub(super) fn is_derived(&self, signal: &str) -> bool {
        self.derived.contains(signal) && !self.sent.contains(signal)
    }

    fn is_unknown(&self, signal: &str) -> bool {
        self.declared
            && !self.incomplete
            && !self.names.contains(signal)
            && !signal.starts_with(ATTRIBUTE_PREFIX)
    }

    /// Reports every signal of `expr` that is not known, at its place in `text`.
    pub(super) fn check_expr<K>(&self, text: &Text<K>, expr: &Expr, report: &mut Report<'_>) {
        for (signal, span) in expr.signals().iter().zip(expr.signal_spans()) {
            if self.is_unknown(signal) && !report.is_full() {
                report.inside(text, &self.unknown(signal, span.clone()));
            }
        }
    }

    /// Checks the name of a signal.
    pub(super) fn check_name(&self, name: &Text<SignalText>, report: &mut Report<'_>) -> SignalName {
        if let Err(error) = check_signal(&name.value) {
            report.on(name, error.to_string(), None);
        } else if self.is_unknown(&name.value) && !report.is_full() {
            report.inside(name, &self.unknown(&name.value, 0..0));
        }
        name.value.as_str().into()
    }

    fn unknown(&self, signal: &str, span: Range<usize>) -> ExprError {
        let hint = match did_you_mean(signal, self.names.iter().map(String::as_str)) {
            Some(close) => format!("did you mean '{close}'?"),
            None => "declare it under `signals` of a pipeline".to_owned(),
        };
        ExprError { span, message: format!("unknown signal '{signal}'"), hint: Some(hint) }
    }
}
