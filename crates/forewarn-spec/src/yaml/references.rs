//! What `${NAME}`, `${NAME:-default}` and `${file:PATH}` in definitions stand for.
//!
//! The text of a file is recorded as it was written; only what is read of it has the values. So a secret is
//! in no log, snapshot, backup or answer. A value that a reference has given is shown in no message either:
//! the reference is shown in its place.

use super::tree::Node;
use crate::diagnostics::{Place, Report};

/// Gives the value of a reference: of the environment variable `NAME`, or for `file:PATH` the content of a
/// file; nothing if there is none.
pub type Variables<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Which references have values.
#[derive(Clone, Copy)]
pub(crate) enum Values<'a> {
    /// Those that these give; others are mistakes.
    Of(Variables<'a>),
    /// None, as whoever reads the file has no use for them: what they stand in counts as read.
    Hidden,
}

/// Puts values for the references into all texts of `node`. Mistakes go into `report`.
pub(super) fn expand_all(node: &mut Node, values: Values<'_>, report: &mut Report<'_>) {
    node.each_text(&mut |text, place| {
        if !text.contains("${") {
            return;
        }
        match values {
            Values::Hidden => *place = Place::UNKNOWN,
            Values::Of(variables) => match expand(text, variables) {
                Ok(expanded) => {
                    for (reference, value) in expanded.values {
                        report.hide(reference, value);
                    }
                    *text = expanded.text;
                }
                Err((message, hint)) => {
                    report.fault(*place, message, hint);
                    *place = Place::UNKNOWN;
                }
            },
        }
    });
}

struct Expanded {
    text: String,
    /// References and what they stand for.
    values: Vec<(String, String)>,
}

/// What is wrong, and what to do.
type Mistake = (String, Option<String>);

fn expand(text: &str, variables: Variables<'_>) -> Result<Expanded, Mistake> {
    let mut expanded = Expanded { text: String::with_capacity(text.len()), values: Vec::new() };
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        // `$${` is a `${` that stands for itself.
        if let Some(before) = before.strip_suffix('$') {
            expanded.text.push_str(before);
            expanded.text.push_str("${");
            rest = after;
            continue;
        }
        expanded.text.push_str(before);
        let Some((inner, behind)) = after.split_once('}') else {
            let hint = "close it, or write `$${` for a text that has a `${` in it";
            return Err(("`${` has no closing `}`".to_owned(), Some(hint.to_owned())));
        };
        let value = value_of(inner, variables)?;
        expanded.text.push_str(&value);
        expanded.values.push((format!("${{{inner}}}"), value));
        rest = behind;
    }
    expanded.text.push_str(rest);
    Ok(expanded)
}

fn value_of(inner: &str, variables: Variables<'_>) -> Result<String, Mistake> {
    if let Some(path) = inner.strip_prefix("file:") {
        let content = variables(inner).ok_or_else(|| {
            let hint = "create it, at most 64 KiB of UTF-8, and let the user that runs Forewarn read it";
            (format!("the file {path} cannot be read"), Some(hint.to_owned()))
        })?;
        // Editors and `echo` end a file with a line's end that is not meant.
        let content = content.strip_suffix('\n').unwrap_or(&content);
        return Ok(content.strip_suffix('\r').unwrap_or(content).to_owned());
    }
    let (name, default) =
        inner.split_once(":-").map_or((inner, None), |(name, default)| (name, Some(default)));
    let value = variables(name).or_else(|| default.map(str::to_owned));
    value.ok_or_else(|| {
        let hint = format!("set it, or give a default: ${{{name}:-…}}");
        (format!("the environment variable {name} is not set"), Some(hint))
    })
}
