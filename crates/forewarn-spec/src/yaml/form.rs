//! Faults of a file's form, in the words of whoever writes the file: the YAML reader's own messages speak to
//! programmers.

use forewarn_types::did_you_mean;
use serde_saphyr::Error;
use serde_saphyr::budget::BudgetBreach;

/// The keys of [`Unsupported`](super::field::Unsupported) values: they are not offered to somebody who
/// mistyped a key.
const UNSUPPORTED_KEYS: [&str; 3] = ["views", "stuck", "sequence"];

type Said = (&'static str, &'static str);

const NESTED_TOO_DEEPLY: Said = ("lists and keys are nested too deeply here", "a bracket may not be closed");
const TOO_MUCH: Said = ("the file holds too much", "write out what its aliases stand for, or divide it");

/// Words of the YAML reader, and what to say in their place.
const SYNTAX: [(&str, Said); 8] = [
    ("recursion limit exceeded", NESTED_TOO_DEEPLY),
    ("alias replay limit exceeded", TOO_MUCH),
    ("budget breached", TOO_MUCH),
    (
        "mapping values are not allowed",
        (
            "a key with a value cannot stand here",
            "put a text with `: ` in quotes, and indent keys that belong together alike",
        ),
    ),
    ("tabs disallowed", ("a tab cannot stand here", "indent with blanks")),
    ("unclosed quote", ("a quote is not closed", "end the text with the same quote")),
    (
        "alias references unknown anchor",
        (
            "this alias stands for nothing",
            "name what it stands for with `&` before it, or put the text in quotes",
        ),
    ),
    ("recursive references", ("this alias is part of what it stands for", "write it out")),
];

/// What is wrong with the syntax of a file, and what to do.
pub(super) fn explain(error: &Error) -> (String, Option<String>) {
    let (message, hint) = match error {
        Error::Eof { .. } => empty(),
        Error::MultipleDocuments { .. } => (
            "a second document begins here",
            "a file holds one definition; put the other one in a file of its own",
        ),
        Error::Budget { breach: BudgetBreach::Depth { .. }, .. } => NESTED_TOO_DEEPLY,
        Error::Unexpected { expected: "string scalar", .. } => {
            ("a single value is expected here", "a key is a word")
        }
        Error::NullIntoString { .. } => ("a key is missing here", "write `key: value`"),
        other => {
            let text = unlocated(&other.to_string());
            match SYNTAX.iter().find(|(words, _)| text.contains(words)) {
                Some((_, said)) => *said,
                None => return (text, None),
            }
        }
    };
    (message.to_owned(), Some(hint.to_owned()))
}

/// What to say of a file in which nothing stands.
pub(super) const fn empty() -> Said {
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
