//! Splits a body into lines that are text, not blank and not too long.

use memchr::memchr;

/// The lines of a body with their numbers from 1; a line that cannot be used comes as the reason. Blank lines
/// are skipped, and a `\r` before the line's end is cut off.
pub(crate) struct Lines<'a> {
    rest: &'a [u8],
    number: usize,
    max_bytes: usize,
    /// The whole of `rest` is known to be UTF-8, which is checked much faster at once than line by line.
    text: Option<&'a str>,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(body: &'a [u8], max_bytes: usize) -> Self {
        let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
        Self { rest: body, number: 0, max_bytes, text: std::str::from_utf8(body).ok() }
    }

    fn take(&mut self) -> (&'a [u8], Option<&'a str>) {
        let end = memchr(b'\n', self.rest).unwrap_or(self.rest.len());
        let line = &self.rest[..end];
        let next = (end + 1).min(self.rest.len());
        self.rest = &self.rest[next..];
        let text = self.text.map(|text| (text.get(..end).unwrap_or(""), text.get(next..).unwrap_or("")));
        self.text = text.map(|(_, rest)| rest);
        self.number += 1;
        (line, text.map(|(line, _)| line))
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = (usize, Result<&'a str, String>);

    fn next(&mut self) -> Option<Self::Item> {
        while !self.rest.is_empty() {
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
