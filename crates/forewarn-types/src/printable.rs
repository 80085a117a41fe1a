//! Characters that a terminal obeys instead of showing them.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Whether `c` is a control character, or one that turns the direction of what follows: a text with it may
/// show something else than it says.
#[must_use]
pub fn is_unprintable(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// `text` with such characters written out, as `\u{1b}`; ends of lines and tabs stay.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    let is_odd = |c: char| is_unprintable(c) && !matches!(c, '\n' | '\t');
    if !text.contains(is_odd) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_odd(c) {
            // Writing to a string does not fail.
            let _ = write!(shown, "\\u{{{:x}}}", u32::from(c));
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_told_nothing_by_a_text() {
        for (text, shown) in [
            ("Ärger mit Pumpe 7\n\t→ ok", "Ärger mit Pumpe 7\n\t→ ok"),
            ("\u{1b}[2Jgone", "\\u{1b}[2Jgone"),
            ("a\rb\u{7}\u{9b}31m\u{7f}", "a\\u{d}b\\u{7}\\u{9b}31m\\u{7f}"),
            ("\u{202e}txt.exe", "\\u{202e}txt.exe"),
        ] {
            assert_eq!(printable(text), shown);
        }
    }
}
