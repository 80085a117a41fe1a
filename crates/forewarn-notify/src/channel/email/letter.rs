//! A letter as it goes over the wire (RFC 5322), with a text and a page that say the same (RFC 2046).

use std::fmt::Write as _;

use forewarn_types::Timestamp;

/// The longest piece of a word of a header, bytes: encoded it may have 75 characters.
const MAX_WORD: usize = 42;
/// Bytes in a line of base64.
const LINE: usize = 57;

/// An address, and the name before it if there is one: `Anna <anna@example.com>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    name: String,
    /// The address alone.
    pub(super) address: String,
}

impl Address {
    /// Reads an address.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (name, address) = match text.strip_suffix('>').and_then(|text| text.rsplit_once('<')) {
            Some((name, address)) => (name.trim().trim_matches('"').to_owned(), address.trim()),
            None => (String::new(), text),
        };
        let complete =
            address.rsplit_once('@').is_some_and(|(user, host)| !user.is_empty() && !host.is_empty());
        if !complete || address.chars().any(|c| c.is_whitespace() || c.is_control() || "<>,;".contains(c)) {
            return Err(format!("{text:?} is no e-mail address"));
        }
        Ok(Self { name, address: address.to_owned() })
    }

    fn header(&self) -> String {
        if self.name.is_empty() {
            return self.address.clone();
        }
        format!("{} <{}>", words(&self.name), self.address)
    }
}

/// What a letter says.
pub(super) struct Letter<'a> {
    pub(super) from: &'a Address,
    pub(super) to: &'a Address,
    pub(super) subject: &'a str,
    pub(super) text: &'a str,
    pub(super) html: &'a str,
    /// Names it: the same letter has the same, so that a mail server may see that it has it already.
    pub(super) key: &'a str,
    pub(super) time: Timestamp,
}

impl Letter<'_> {
    /// As it is sent.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let boundary = format!("forewarn-{}", self.key);
        let mut out = String::new();
        let headers = [
            ("From", self.from.header()),
            ("To", self.to.header()),
            ("Subject", words(self.subject)),
            ("Date", self.time.to_utc().to_rfc2822()),
            ("Message-ID", format!("<{}@forewarn>", self.key)),
            ("MIME-Version", "1.0".to_owned()),
            ("Content-Type", format!("multipart/alternative; boundary=\"{boundary}\"")),
        ];
        // Writing to a string cannot fail, here and below.
        for (name, value) in headers {
            let _ = write!(out, "{name}: {value}\r\n");
        }
        for (kind, body) in [("plain", self.text), ("html", self.html)] {
            let _ = write!(
                out,
                "\r\n--{boundary}\r\nContent-Type: text/{kind}; charset=utf-8\r\n\
                 Content-Transfer-Encoding: base64\r\n\r\n"
            );
            for line in body.as_bytes().chunks(LINE) {
                let _ = write!(out, "{}\r\n", base64(line));
            }
        }
        let _ = write!(out, "\r\n--{boundary}--\r\n");
        out.into_bytes()
    }
}

/// A text in a header: as it is if it can be, else in encoded words (RFC 2047).
fn words(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || " -_.:,/()".contains(c);
    if text.chars().all(plain) && text.len() <= 60 {
        return text.to_owned();
    }
    let mut pieces = vec![String::new()];
    for c in text.chars().filter(|c| !c.is_control()) {
        if pieces.last().is_some_and(|piece| piece.len() + c.len_utf8() > MAX_WORD) {
            pieces.push(String::new());
        }
        if let Some(piece) = pieces.last_mut() {
            piece.push(c);
        }
    }
    let encoded = pieces.iter().map(|piece| format!("=?utf-8?B?{}?=", base64(piece.as_bytes())));
    encoded.collect::<Vec<_>>().join("\r\n ")
}

/// RFC 4648.
pub(super) fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for part in bytes.chunks(3) {
        let all =
            part.iter().chain(&[0, 0]).take(3).fold(0_usize, |all, byte| (all << 8) | usize::from(*byte));
        for place in 0..4 {
            let digit = DIGITS[(all >> (18 - 6 * place)) & 63];
            text.push(if place <= part.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_standard() {
        for (bytes, text) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }

    #[test]
    fn addresses_are_read() {
        let read = |text: &str| Address::parse(text).map(|address| (address.header(), address.address));
        assert_eq!(read("a@b").unwrap(), ("a@b".into(), "a@b".into()));
        assert_eq!(read("Anna B. <a@b>").unwrap(), ("Anna B. <a@b>".into(), "a@b".into()));
        assert_eq!(read("\u{c5}se <a@b>").unwrap().0, "=?utf-8?B?w4VzZQ==?= <a@b>");
        for bad in ["", "a", "@b", "a@", "a@b>", "a b@c", "a@b, c@d", "a@b\r\nX: y"] {
            assert!(Address::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_long_subject_is_folded_and_holds_no_line_of_its_own() {
        let subject = words(&format!("{}\r\nBcc: x@y {}", "\u{b0}".repeat(60), "z".repeat(100)));
        assert!(subject.split("\r\n").all(|line| line.len() <= 76), "{subject}");
        assert!(subject.split("\r\n").skip(1).all(|line| line.starts_with(" =?utf-8?B?")), "{subject}");
    }
}
