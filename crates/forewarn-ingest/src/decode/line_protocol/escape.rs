//! What a backslash protects.

use memchr::memchr2;

/// The first `stop` from `at` that no `\` stands before, or the end.
pub(super) fn unescaped(bytes: &[u8], mut at: usize, stop: u8) -> usize {
    while let Some(found) = memchr2(stop, b'\\', bytes.get(at..).unwrap_or(&[])) {
        if bytes[at + found] == stop {
            return at + found;
        }
        at += found + 2;
    }
    bytes.len()
}
