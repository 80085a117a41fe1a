//! Names a sender chooses: asset paths and signal names. Checked once, at the border, so that everything
//! behind it may trust them.

use std::sync::Arc;

use unicode_normalization::char::is_combining_mark;

use crate::TypesError;

/// A checked asset path, such as `plant1/line3/pump7`; cheap to clone.
pub type AssetPath = Arc<str>;
/// A checked signal name, such as `vibration_rms`; cheap to clone.
pub type SignalName = Arc<str>;

/// Longest asset path, in bytes.
pub const MAX_ASSET_BYTES: usize = 256;
/// Deepest asset path, in levels.
pub const MAX_ASSET_LEVELS: usize = 16;
/// Longest signal name, in bytes.
pub const MAX_SIGNAL_BYTES: usize = 128;

/// Checks an asset path: 1 to 16 levels joined by `/`, none empty, `.` or `..`, at most 256 bytes; a level
/// holds letters, marks and digits of any script, `_`, `-`, `.`, `:`, `@`, `+` and inner blanks.
///
/// # Errors
/// [`TypesError::Asset`] with the rule that is broken.
pub fn check_asset(path: &str) -> Result<(), TypesError> {
    asset_problem(path).map_or(Ok(()), |problem| Err(TypesError::Asset { name: shorten(path), problem }))
}

/// Checks a signal name: 1 to 128 bytes of letters, marks and digits of any script, `_`, `-`, `.`, `:`,
/// beginning with a letter or `_`.
///
/// # Errors
/// [`TypesError::Signal`] with the rule that is broken.
pub fn check_signal(name: &str) -> Result<(), TypesError> {
    signal_problem(name).map_or(Ok(()), |problem| Err(TypesError::Signal { name: shorten(name), problem }))
}

fn asset_problem(path: &str) -> Option<&'static str> {
    if path.is_empty() {
        return Some("is empty");
    }
    if path.len() > MAX_ASSET_BYTES {
        return Some("is longer than 256 bytes");
    }
    let mut levels = 0;
    for level in path.split('/') {
        levels += 1;
        if level.is_empty() {
            return Some("has an empty level");
        }
        if level == "." || level == ".." {
            return Some("has a level . or ..");
        }
        if level.starts_with(' ') || level.ends_with(' ') {
            return Some("has a level that begins or ends with a blank");
        }
        if !level.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
            && !level.chars().all(|c| is_word(c) || "_-.:@+ ".contains(c))
        {
            return Some("has a character other than letters, digits and _-.:@+");
        }
    }
    (levels > MAX_ASSET_LEVELS).then_some("has more than 16 levels")
}

fn signal_problem(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        return Some("is empty");
    }
    if name.len() > MAX_SIGNAL_BYTES {
        return Some("is longer than 128 bytes");
    }
    if !name.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_') {
        return Some("does not begin with a letter or _");
    }
    (!name.chars().all(|c| is_word(c) || "_-.:".contains(c)))
        .then_some("has a character other than letters, digits and _-.:")
}

/// Whether `c` is a letter, a digit or a mark of any script. A mark is part of the letter before it, such as
/// the dots of a `ü` that was taken apart, or a tone in Thai.
#[must_use]
pub fn is_word(c: char) -> bool {
    c.is_alphanumeric() || is_combining_mark(c)
}

fn shorten(name: &str) -> String {
    name.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        for good in ["pump7", "plant1/line3/pump7", "Werk Süd/Pumpe-1", "a/b.c:d@e"] {
            assert_eq!(check_asset(good), Ok(()), "{good}");
        }
        for bad in ["", "/a", "a/", "a//b", "a/../b", "a b /c", "a\nb", "a\u{0}b", "a*"] {
            assert!(check_asset(bad).is_err(), "{bad:?} must be refused");
        }
        assert!(check_asset(&"x/".repeat(17)).is_err());
        assert!(check_asset(&"x".repeat(257)).is_err());
        for good in ["temperature", "_x", "usage.idle", "s-1"] {
            assert_eq!(check_signal(good), Ok(()), "{good}");
        }
        // A mark belongs to the letter before it: as macOS writes an umlaut, and in Thai and Hindi.
        for good in ["Su\u{308}d", "ปั๊มน้ำ", "पंप", "é"] {
            assert_eq!((check_asset(good), check_signal(good)), (Ok(()), Ok(())), "{good}");
        }
        for bad in ["", "1a", "a b", "a/b", "a\"b"] {
            assert!(check_signal(bad).is_err(), "{bad:?} must be refused");
        }
    }
}
