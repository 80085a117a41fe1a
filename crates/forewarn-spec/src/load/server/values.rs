//! What the texts of settings stand for: numbers and sizes.

use crate::diagnostics::Report;
use crate::yaml::field::{Placed, Text};
use crate::yaml::kinds::Size;

pub(super) const MINUTE_US: i64 = 60 * 1_000_000;
pub(super) const DAY_US: i64 = 24 * 60 * MINUTE_US;

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
pub(in crate::load) fn size(text: Option<&Text<Size>>, default: u64, report: &mut Report<'_>) -> u64 {
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
