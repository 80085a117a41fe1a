//! Faults of a file's form, in the words of whoever writes the file: the YAML reader's own messages speak to programmers.

use serde_saphyr::Error;

use super::field::UNSUPPORTED_KEYS;
use crate::suggest::did_you_mean;

/// What is wrong with the form of a file, and what to do.
pub(super) fn explain(error: &Error) -> (String, Option<String>) {
    let (message, hint) = match error {
        Error::SerdeUnknownField { field, expected, .. } => return unknown_key(field, expected),
        Error::SerdeMissingField { field, .. } => return (format!("the key '{field}' is missing"), None),
        Error::DuplicateMappingKey { key: Some(key), .. } => return (format!("the key '{key}' stands twice"), None),
        Error::Unexpected { expected: "sequence start", .. } => {
            ("a list is expected here", "begin each item with `- `, or write `[]` for none")
        }
        Error::Unexpected { expected: "mapping start", .. } => ("keys with values are expected here", "write `key: value`"),
        Error::Unexpected { expected: "string scalar", .. } => {
            ("a single value is expected here", "put a text with `[`, `{` or `: ` in quotes")
        }
        Error::NullIntoString { .. } => ("a value is missing here", "write one; an empty text is \"\""),
        Error::InvalidScalar { ty, .. } => return (format!("{} is expected here", scalar(ty)), None),
        Error::Eof { .. } => ("the file ends too early", "it may hold no keys at all, or a bracket or quote may not be closed"),
        Error::MultipleDocuments { .. } => {
            ("a second document begins here", "a file holds one definition; put the other one in a file of its own")
        }
        other => return (unlocated(&other.to_string()), None),
    };
    (message.to_owned(), Some(hint.to_owned()))
}

fn unknown_key(key: &str, expected: &[&'static str]) -> (String, Option<String>) {
    let keys: Vec<&str> = expected.iter().copied().filter(|key| !UNSUPPORTED_KEYS.contains(key)).collect();
    let hint = match did_you_mean(key, keys.iter().copied()) {
        Some(close) => format!("did you mean '{close}'?"),
        None => format!("the keys here are {}", keys.join(", ")),
    };
    (format!("unknown key '{key}'"), Some(hint))
}

/// What a type, as the YAML reader names it, is to a writer of YAML.
fn scalar(ty: &str) -> &'static str {
    match ty {
        "boolean" => "true or false",
        "floating point" => "a number",
        _ if ty.starts_with('u') => "a whole number, zero or above,",
        _ => "another value",
    }
}

/// The message without the place it ends with; the diagnostic states the place itself.
fn unlocated(message: &str) -> String {
    let first = message.lines().next().unwrap_or(message);
    let cut = first.rfind(" at line ").unwrap_or(first.len());
    first[..cut].trim_end_matches([',', ':', ' ']).to_owned()
}
