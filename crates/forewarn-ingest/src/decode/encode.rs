//! Texts as parts of names. What a name may not hold is written as `_xHEX_`, the number of the character, as
//! SQL does with names in XML (ISO 9075-14): so different texts stay different, and each can be read back.

use std::fmt::Write as _;

use forewarn_types::is_word;

/// Appends one level of an asset path that says `text`.
pub(super) fn level(text: &str, out: &mut String) {
    let dots = text == "." || text == "..";
    let last = text.chars().count().saturating_sub(1);
    encode(text, out, |index, c| {
        // A blank may stand inside a level, not at its ends.
        !dots && (is_word(c) || "_-.:@+".contains(c) || (c == ' ' && index > 0 && index < last))
    });
}

/// Appends a part of a signal's name that says `text`.
pub(super) fn signal(text: &str, out: &mut String) {
    encode(text, out, |_, c| is_word(c) || "_-.:".contains(c));
}

/// Like [`signal`] and [`level`], but without colons, so that one may stand between two parts.
pub(super) fn part(text: &str, out: &mut String) {
    encode(text, out, |_, c| is_word(c) || "_-.".contains(c));
}

/// `text` as levels of an asset path; `/` parts them.
#[must_use]
pub fn asset_levels(text: &str) -> String {
    let mut path = String::with_capacity(text.len());
    for (index, part) in text.split('/').enumerate() {
        path.push_str(if index > 0 { "/" } else { "" });
        level(part, &mut path);
    }
    path
}

/// `text` as a signal's name, in which each character is what it was or is written.
#[must_use]
pub fn signal_text(text: &str) -> String {
    let mut name = String::with_capacity(text.len());
    encode(text, &mut name, |index, c| {
        if index == 0 { c.is_alphabetic() || c == '_' } else { is_word(c) || "_-.:".contains(c) }
    });
    name
}

fn encode(text: &str, out: &mut String, keeps: impl Fn(usize, char) -> bool) {
    for (index, (at, c)) in text.char_indices().enumerate() {
        // What looks like a written character is none.
        if keeps(index, c) && !(c == '_' && is_escape(text.get(at + 1..).unwrap_or(""))) {
            out.push(c);
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "_x{:X}_", u32::from(c));
        }
    }
}

/// Whether `rest` goes on as the escape of a character does behind its first `_`.
fn is_escape(rest: &str) -> bool {
    let Some(digits) = rest.strip_prefix('x').and_then(|rest| rest.split_once('_')) else { return false };
    !digits.0.is_empty() && digits.0.len() <= 6 && digits.0.bytes().all(|byte| byte.is_ascii_hexdigit())
}
