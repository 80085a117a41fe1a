//! Lines of a text file: unpacked, without a mark of its encoding, whatever ends them.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::MultiGzDecoder;

/// Longest line of a file.
pub(super) const MAX_LINE_BYTES: usize = 1 << 20;
/// How much of a file is looked at to see what it is.
const HEAD_BYTES: usize = 64 * 1024;

/// A file that is read line by line.
pub(super) struct Input {
    reader: Box<dyn BufRead + Send>,
    /// Bytes of the file that were read, packed as they are there.
    read: Arc<AtomicU64>,
    /// What ends a line. A file without line feeds has carriage returns alone, as old Macs and some loggers
    /// write.
    end: u8,
    head: Vec<u8>,
    line: u64,
    /// Lines that were read ahead and go out again.
    again: VecDeque<Line>,
}

/// One line of a file, with its number from 1.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) number: u64,
    /// Its text, or why it has none.
    pub(super) text: Result<String, String>,
}

impl Input {
    /// Opens a file, which may be packed with gzip or zstd.
    pub(super) fn open(path: &Path) -> Result<Self, String> {
        let failed = |error: std::io::Error| error.to_string();
        let read = Arc::new(AtomicU64::new(0));
        let mut raw = BufReader::with_capacity(
            HEAD_BYTES,
            Counted(File::open(path).map_err(failed)?, Arc::clone(&read)),
        );
        let packed = raw.fill_buf().map_err(failed)?;
        let mut reader: Box<dyn Read + Send> = if packed.starts_with(&[0x1f, 0x8b]) {
            Box::new(MultiGzDecoder::new(raw))
        } else if packed.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
            Box::new(zstd::stream::read::Decoder::with_buffer(raw).map_err(failed)?)
        } else {
            Box::new(raw)
        };
        let mut head = vec![0; HEAD_BYTES];
        let mut filled = 0;
        while filled < head.len() {
            match reader.read(&mut head[filled..]).map_err(failed)? {
                0 => break,
                count => filled += count,
            }
        }
        head.truncate(filled);
        if head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]) {
            return Err("the file is UTF-16 text; save it as UTF-8 (in Excel: CSV UTF-8)".into());
        }
        if head.starts_with(b"\xef\xbb\xbf") {
            head.drain(..3);
        }
        if head.trim_ascii().is_empty() {
            return Err("the file is empty".into());
        }
        let end = if head.contains(&b'\r') && !head.contains(&b'\n') { b'\r' } else { b'\n' };
        let reader = Box::new(BufReader::new(std::io::Cursor::new(head.clone()).chain(reader)));
        Ok(Self { reader, read, end, head, line: 0, again: VecDeque::new() })
    }

    /// The first bytes of the text.
    pub(super) fn head(&self) -> &[u8] {
        &self.head
    }

    /// How much of the file is read.
    pub(super) fn bytes_read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// The next line, without its end.
    pub(super) fn next(&mut self) -> Result<Option<Line>, String> {
        if let Some(line) = self.again.pop_front() {
            return Ok(Some(line));
        }
        let mut bytes = Vec::new();
        let limit = MAX_LINE_BYTES as u64;
        let count = self.reader.by_ref().take(limit).read_until(self.end, &mut bytes);
        if count.map_err(|error| error.to_string())? == 0 {
            return Ok(None);
        }
        self.line += 1;
        if bytes.len() == MAX_LINE_BYTES && bytes.last() != Some(&self.end) {
            self.reader.skip_until(self.end).map_err(|error| error.to_string())?;
            let text = Err(format!("the line has more than {MAX_LINE_BYTES} bytes"));
            return Ok(Some(Line { number: self.line, text }));
        }
        if bytes.last() == Some(&self.end) {
            bytes.pop();
        }
        let text = String::from_utf8(bytes)
            .map(|text| if text.contains('\r') { text.replace('\r', "") } else { text })
            .map_err(|_| "the line is not UTF-8 text; convert the file to UTF-8".to_owned());
        Ok(Some(Line { number: self.line, text }))
    }

    /// Gives lines out again, in this order, before all others.
    pub(super) fn put_back(&mut self, lines: Vec<Line>) {
        for line in lines.into_iter().rev() {
            self.again.push_front(line);
        }
    }
}

/// Counts what is read.
struct Counted(File, Arc<AtomicU64>);

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.0.read(buffer)?;
        self.1.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}
