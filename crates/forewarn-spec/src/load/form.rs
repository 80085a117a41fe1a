//! Faults of a file's form, in the words of whoever writes the file: the YAML reader's own messages speak to programmers.

use serde_saphyr::Error;
use serde_saphyr::budget::BudgetBreach;

use super::field::UNSUPPORTED_KEYS;
use crate::suggest::did_you_mean;

/// What is wrong with the syntax of a file, and what to do.
pub(super) fn explain(error: &Error) -> (String, Option<String>) {
    let (message, hint) = match error {
        Error::Eof { .. } => empty(),
        Error::MultipleDocuments { .. } => {
            ("a second document begins here", "a file holds one definition; put the other one in a file of its own")
        }
        Error::Budget { breach: BudgetBreach::Depth { .. }, .. } => nested_too_deeply(),
        Error::Unexpected { expected: "string scalar", .. } => ("a single value is expected here", "a key is a word"),
        Error::NullIntoString { .. } => ("a key is missing here", "write `key: value`"),
        other => match unlocated(&other.to_string()) {
            text if text == "recursion limit exceeded" => nested_too_deeply(),
            text if text.starts_with("alias replay limit exceeded") || text.starts_with("budget breached") => {
                ("the file holds too much", "write out what its aliases stand for, or divide it")
            }
            text => return (text, None),
        },
    };
    (message.to_owned(), Some(hint.to_owned()))
}

const fn nested_too_deeply() -> (&'static str, &'static str) {
    ("lists and keys are nested too deeply here", "a bracket may not be closed")
}

/// What to say of a file in which nothing stands.
pub(super) const fn empty() -> (&'static str, &'static str) {
    ("the file ends too early", "it may hold no keys at all, or a bracket or quote may not be closed")
}

/// What to say of a key that is none of `expected`.
pub(super) fn unknown_key(key: &str, expected: &[&str]) -> (String, String) {
    let hint = match did_you_mean(key, offered(expected)) {
        Some(close) => format!("did you mean '{close}'?"),
        None => format!("the keys here are {}", offered(expected).collect::<Vec<_>>().join(", ")),
    };
    (format!("unknown key '{key}'"), hint)
}

/// The keys among `expected` that are worth a hint.
pub(super) fn offered<'a>(expected: &'a [&'a str]) -> impl Iterator<Item = &'a str> {
    expected.iter().copied().filter(|key| !UNSUPPORTED_KEYS.contains(key))
}

/// The message without the place it ends with; the diagnostic states the place itself.
fn unlocated(message: &str) -> String {
    let first = message.lines().next().unwrap_or(message);
    let cut = first.find(" at line ").unwrap_or(first.len());
    first[..cut].trim_end_matches([',', ':', ' ']).to_owned()
}
