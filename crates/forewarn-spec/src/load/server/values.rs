//! What the texts of settings stand for: numbers, sizes, variables of the environment.

use crate::diagnostics::Report;
use crate::yaml::field::{Kind, Placed, Text};
use crate::yaml::kinds::Size;

const SIZES: [(&str, u64); 7] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("B", 1),
];

/// A number, or `default` where none is given.
pub(super) fn count(number: Option<&Placed<usize>>, default: usize) -> usize {
    number.map_or(default, |number| number.value)
}

/// A number of bytes, or `default` where none is given.
pub(super) fn size(text: Option<&Text<Size>>, default: u64, report: &mut Report<'_>) -> u64 {
    let Some(text) = text else { return default };
    let trimmed = text.value.trim();
    let (digits, unit) = SIZES
        .iter()
        .find_map(|(name, unit)| trimmed.strip_suffix(name).map(|digits| (digits.trim_end(), *unit)))
        .unwrap_or((trimmed, 1));
    digits
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(unit))
        .filter(|bytes| *bytes > 0)
        .unwrap_or_else(|| {
            report.on(
                text,
                format!("'{}' is no size", text.value),
                Some("write a number of bytes, or a size such as 512MB or 10GB".to_owned()),
            );
            default
        })
}

/// A text with the values of the environment variables that it names.
pub(super) fn expand<K: Kind>(
    value: &Text<K>,
    variable: &dyn Fn(&str) -> Option<String>,
    report: &mut Report<'_>,
) -> String {
    let mut result = String::new();
    let mut rest = value.value.as_str();
    while let Some((before, after)) = rest.split_once("${") {
        result.push_str(before);
        let Some((inner, behind)) = after.split_once('}') else {
            report.on(value, "`${` has no closing `}`", None);
            return result;
        };
        let (name, default) =
            inner.split_once(":-").map_or((inner, None), |(name, default)| (name, Some(default)));
        if let Some(text) = variable(name).or_else(|| default.map(str::to_owned)) {
            result.push_str(&text);
        } else {
            let hint = Some(format!("set it, or give a default: ${{{name}:-…}}"));
            report.on(value, format!("the environment variable {name} is not set"), hint);
        }
        rest = behind;
    }
    result.push_str(rest);
    result
}
