//! Texts that must not be shown: passwords, and URLs that hold one.

use std::fmt;
use std::ops::Range;

/// What stands for a secret wherever it would be shown.
const HIDDEN: &str = "***";

/// A password, a token or the like. It shows itself as `***`, so that no log, message or debug output holds
/// it; [`Secret::reveal`] gives it to the one place that needs it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text itself.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl<T: Into<String>> From<T> for Secret {
    fn from(text: T) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

/// A URL that may hold a user and a password. It shows itself without them.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretUrl(String);

impl SecretUrl {
    /// The whole URL.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl<T: Into<String>> From<T> for SecretUrl {
    fn from(text: T) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&redact_urls(&self.0), f)
    }
}

impl fmt::Display for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&redact_urls(&self.0))
    }
}

/// `text` with `***` for the user and password of each URL in it. References such as `${NAME}` say no secret
/// and stay.
#[must_use]
pub fn redact_urls(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut from = 0;
    for range in user_parts(text) {
        shown.push_str(&text[from..range.start]);
        let mut hidden = false;
        for (part, is_reference) in parts(&text[range.clone()]) {
            if is_reference || part == ":" {
                shown.push_str(part);
                hidden = false;
            } else if !hidden {
                shown.push_str(HIDDEN);
                hidden = true;
            }
        }
        from = range.end;
    }
    shown.push_str(&text[from..]);
    shown
}

/// [`redact_urls`], with as many characters as before, so that a mark below a line still points at the same
/// one.
#[must_use]
pub fn redact_urls_in_place(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut from = 0;
    for range in user_parts(text) {
        shown.push_str(&text[from..range.start]);
        for (part, is_reference) in parts(&text[range.clone()]) {
            shown.push_str(if is_reference || part == ":" { part } else { "*" });
        }
        from = range.end;
    }
    shown.push_str(&text[from..]);
    shown
}

/// Whether a URL in `text` has a password that is written out.
#[must_use]
pub fn has_plain_password(text: &str) -> bool {
    user_parts(text).into_iter().any(|range| {
        let mut behind = parts(&text[range]).skip_while(|(part, _)| *part != ":").skip(1);
        behind.any(|(_, is_reference)| !is_reference)
    })
}

/// A user or password as it is meant, of which a URL writes some characters as `%40`; `None` if it is not
/// percent-encoded UTF-8 (RFC 3986, section 2.1).
#[must_use]
pub fn decode_user_part(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(part.get(..2)?, 16).ok()?);
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    String::from_utf8(bytes).ok()
}

/// Where the user and password of the URLs in `text` stand. A URL ends with its word, and the last `@` of it
/// counts, since people write passwords with `/`, `#` and `@` in them.
fn user_parts(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = text[at..].find("://").map(|colon| at + colon + 3) {
        let (mut end, mut last) = (start, None);
        for (part, is_reference) in parts(&text[start..]) {
            if !is_reference && part.starts_with(|c: char| c.is_whitespace() || matches!(c, '"' | '\'')) {
                break;
            }
            if part == "@" {
                last = Some(end);
            }
            end += part.len();
        }
        found.extend(last.map(|last| start..last));
        at = end;
    }
    found
}

/// The characters of `text`, and references in it as a whole; with each, whether it is a reference.
fn parts(text: &str) -> impl Iterator<Item = (&str, bool)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let reference = rest.strip_prefix("${").and_then(|_| rest.find('}')).map(|end| end + 1);
        let (part, behind) = rest.split_at(reference.unwrap_or_else(|| first.len_utf8()));
        rest = behind;
        Some((part, reference.is_some()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_and_password_of_urls_are_hidden_wherever_they_stand() {
        for (text, shown) in [
            ("mqtt://broker:1883", "mqtt://broker:1883"),
            ("mqtt://user:pass@broker:1883", "mqtt://***:***@broker:1883"),
            ("url: \"mqtt://token@broker\", topic: a", "url: \"mqtt://***@broker\", topic: a"),
            ("mqtt://u:p/s#s@w@rd@broker/x", "mqtt://***:***@broker/x"),
            (
                "mqtt://${USER}:${file:/run/s}@b and http://a:b@c",
                "mqtt://${USER}:${file:/run/s}@b and http://***:***@c",
            ),
            ("mqtt://${USER}:x${N}y@b", "mqtt://${USER}:***${N}***@b"),
            ("anna@example.com", "anna@example.com"),
            ("mqtt://${un@closed", "mqtt://***@closed"),
        ] {
            assert_eq!(redact_urls(text), shown);
            assert_eq!(redact_urls_in_place(text).chars().count(), text.chars().count(), "{text}");
        }
        assert_eq!(redact_urls_in_place("x mqtt://äb:c@d"), "x mqtt://**:*@d");
        assert_eq!(
            format!("{:?} {0}", SecretUrl::from("mqtt://u:p@h")),
            "\"mqtt://***:***@h\" mqtt://***:***@h"
        );
        assert_eq!(format!("{:?} {0}", Secret::from("p")), "*** ***");
    }

    #[test]
    fn users_and_passwords_are_decoded_or_refused() {
        for (text, meant) in [
            ("", Some("")),
            ("p%40ss%2Fw%C3%A4", Some("p@ss/wä")),
            ("100%25", Some("100%")),
            ("100%", None),
            ("%zz", None),
            ("%ff", None),
        ] {
            assert_eq!(decode_user_part(text).as_deref(), meant, "{text}");
        }
    }

    #[test]
    fn a_password_is_plain_unless_all_of_it_is_a_reference() {
        for (text, plain) in [
            ("mqtt://u:p@h", true),
            ("mqtt://${U}:p${N}@h", true),
            ("mqtt://u:${file:/x}@h", false),
            ("mqtt://u@h", false),
            ("mqtt://u:@h", false),
            ("mqtt://h:1883", false),
        ] {
            assert_eq!(has_plain_password(text), plain, "{text}");
        }
    }
}
