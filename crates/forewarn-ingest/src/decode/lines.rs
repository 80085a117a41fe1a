//! Splits a body into lines that are text, not blank and not too long.

use memchr::{memchr, memchr_iter};

/// The lines of a body with their numbers from 1; a line that cannot be used comes as the reason. Blank lines
/// are skipped, and a `\r` before the line's end is cut off.
pub(crate) struct Lines<'a> {
    body: &'a [u8],
    /// The whole of `body` is known to be UTF-8, which is checked much faster at once than line by line.
    text: Option<&'a str>,
    /// Where the current line begins, and where the next one does.
    start: usize,
    next: usize,
    /// The numbers of the first and of the last line that the current one is made of.
    first: usize,
    number: usize,
    max_bytes: usize,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(body: &'a [u8], max_bytes: usize) -> Self {
        let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
        Self { body, text: std::str::from_utf8(body).ok(), start: 0, next: 0, first: 0, number: 0, max_bytes }
    }

    /// What follows the beginning of the current line, no longer than a line may be.
    pub(crate) fn window(&self) -> &'a [u8] {
        let window = self.body.get(self.start..).unwrap_or(&[]);
        window.get(..self.max_bytes).unwrap_or(window)
    }

    /// The current line with those that follow, `bytes` in all, if that is text.
    pub(crate) fn joined(&self, bytes: usize) -> Option<&'a str> {
        let end = self.start.checked_add(bytes)?;
        match self.text {
            Some(text) => text.get(self.start..end),
            None => std::str::from_utf8(self.body.get(self.start..end)?).ok(),
        }
    }

    /// Makes the current line `bytes` long, so that the next one begins behind that.
    pub(crate) fn join(&mut self, bytes: usize) {
        let end = self.start.saturating_add(bytes).min(self.body.len());
        let ends = memchr_iter(b'\n', self.body.get(self.start..end).unwrap_or(&[])).count();
        self.number = self.first + ends;
        self.next = (end + 1).min(self.body.len());
    }

    /// Where the current line begins in the body.
    pub(crate) const fn start(&self) -> usize {
        self.start
    }

    fn take(&mut self) -> (&'a [u8], Option<&'a str>) {
        self.start = self.next;
        let rest = &self.body[self.start..];
        let end = self.start + memchr(b'\n', rest).unwrap_or(rest.len());
        self.next = (end + 1).min(self.body.len());
        self.number += 1;
        self.first = self.number;
        (&self.body[self.start..end], self.text.map(|text| text.get(self.start..end).unwrap_or("")))
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = (usize, Result<&'a str, String>);

    fn next(&mut self) -> Option<Self::Item> {
        while self.next < self.body.len() {
            let (bytes, text) = self.take();
            if bytes.len() > self.max_bytes {
                let reason = format!(
                    "the line has {} bytes, more than limits.max_line_bytes = {}; send shorter lines",
                    bytes.len(),
                    self.max_bytes
                );
                return Some((self.number, Err(reason)));
            }
            let text = match text.map_or_else(|| std::str::from_utf8(bytes), Ok) {
                Ok(text) => text.strip_suffix('\r').unwrap_or(text),
                Err(error) => {
                    let reason =
                        format!("the line is not UTF-8 text (byte {}); send UTF-8", error.valid_up_to() + 1);
                    return Some((self.number, Err(reason)));
                }
            };
            if !text.bytes().all(|byte| byte.is_ascii_whitespace()) {
                return Some((self.number, Ok(text)));
            }
        }
        None
    }
}
