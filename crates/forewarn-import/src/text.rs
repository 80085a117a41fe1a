//! Rows of files that are text: CSV, and tables whose cells are parted by blanks.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use csv::StringRecord;
use forewarn_ingest::decode::number;

use crate::cell::{Cell, ColumnInfo, Step};
use crate::columns;
use crate::mapping::{Format, ImportMapping};

/// Rows that are read ahead to see which columns hold numbers.
const LOOK_AHEAD_ROWS: usize = 100;
/// Longest line of a table.
const MAX_LINE_BYTES: u64 = 1 << 20;

/// Reads rows of text one by one.
pub(super) struct TextRows {
    reader: Reader,
    record: StringRecord,
    /// Rows read ahead, to be given out first.
    ahead: VecDeque<(Step, StringRecord)>,
    columns: usize,
}

enum Reader {
    Csv(Box<csv::Reader<UnixLines>>),
    Table(Table),
}

struct Table {
    reader: BufReader<File>,
    buffer: Vec<u8>,
    line: u64,
    bytes: u64,
}

impl TextRows {
    /// Opens a file that begins with `head`, and tells its columns.
    pub(super) fn open(
        path: &Path,
        head: &[u8],
        mapping: &ImportMapping,
    ) -> Result<(Self, Vec<ColumnInfo>), String> {
        let file = File::open(path).map_err(|error| error.to_string())?;
        let delimiter = delimiter(head, mapping)?;
        let reader = match delimiter {
            Some(delimiter) => {
                let reader = csv::ReaderBuilder::new()
                    .delimiter(delimiter)
                    .has_headers(false)
                    .flexible(true)
                    .from_reader(UnixLines::new(file));
                Reader::Csv(Box::new(reader))
            }
            None => {
                Reader::Table(Table { reader: BufReader::new(file), buffer: Vec::new(), line: 0, bytes: 0 })
            }
        };
        let mut rows = Self { reader, record: StringRecord::new(), ahead: VecDeque::new(), columns: 0 };
        let names =
            if mapping.columns.is_empty() { rows.header()? } else { columns::expand(&mapping.columns)? };
        rows.columns = names.len();
        let numeric = rows.look_ahead()?;
        let infos =
            names.into_iter().zip(numeric).map(|(name, numeric)| ColumnInfo { name, numeric }).collect();
        Ok((rows, infos))
    }

    pub(super) fn advance(&mut self) -> Result<Step, String> {
        if let Some((step, record)) = self.ahead.pop_front() {
            self.record = record;
            return Ok(step);
        }
        let step = match &mut self.reader {
            Reader::Csv(reader) => advance_csv(reader, &mut self.record)?,
            Reader::Table(table) => table.advance(&mut self.record)?,
        };
        Ok(match step {
            Step::Row(line) if self.columns > 0 && self.record.len() != self.columns => Step::Bad(
                line,
                format!("the row has {} cells, but there are {} columns", self.record.len(), self.columns),
            ),
            step => step,
        })
    }

    pub(super) const fn row(&self) -> &StringRecord {
        &self.record
    }

    pub(super) fn bytes_read(&self) -> u64 {
        match &self.reader {
            Reader::Csv(reader) => reader.get_ref().bytes,
            Reader::Table(table) => table.bytes,
        }
    }

    fn header(&mut self) -> Result<Vec<String>, String> {
        match self.advance()? {
            Step::Row(_) => {}
            Step::Bad(_, reason) => return Err(format!("the header cannot be read: {reason}")),
            Step::End => return Err("the file is empty".into()),
        }
        if self.record.iter().all(|cell| number::scan(cell.trim()).is_some()) {
            return Err(
                "the first row holds numbers, no names; give columns for a file without a header".into()
            );
        }
        Ok(self.record.iter().map(|cell| cell.trim().to_owned()).collect())
    }

    /// Reads the first rows and tells which columns hold numbers: more of them than texts. The texts among
    /// them are refused by line then.
    fn look_ahead(&mut self) -> Result<Vec<bool>, String> {
        let mut lead = vec![0_i32; self.columns];
        let mut texts = vec![false; self.columns];
        let mut ahead = VecDeque::new();
        while ahead.len() < LOOK_AHEAD_ROWS {
            let step = self.advance()?;
            if matches!(step, Step::End) {
                break;
            }
            if matches!(step, Step::Row(_)) {
                for ((lead, texts), text) in lead.iter_mut().zip(&mut texts).zip(&self.record) {
                    let is_number = match Cell::of_text(text) {
                        Cell::Missing => continue,
                        Cell::Text(text) => text.parse::<f64>().is_ok(),
                        _ => false,
                    };
                    *lead += if is_number { 1 } else { -1 };
                    *texts |= !is_number;
                }
            }
            ahead.push_back((step, self.record.clone()));
        }
        self.ahead = ahead;
        Ok(lead.into_iter().zip(texts).map(|(lead, texts)| lead > 0 || !texts).collect())
    }
}

fn advance_csv(reader: &mut csv::Reader<UnixLines>, record: &mut StringRecord) -> Result<Step, String> {
    let mut bytes = std::mem::take(record).into_byte_record();
    if !reader.read_byte_record(&mut bytes).map_err(|error| error.to_string())? {
        return Ok(Step::End);
    }
    // The reader stands behind the row, and knows no blank lines before it: count back over the line ends in
    // quotes.
    let inner = memchr::memchr_iter(b'\n', bytes.as_slice()).count() as u64;
    let line = reader.position().line().saturating_sub(1 + inner).max(1);
    match StringRecord::from_byte_record(bytes) {
        Ok(text) => {
            *record = text;
            Ok(Step::Row(line))
        }
        Err(_) => Ok(Step::Bad(line, "the row is not UTF-8 text; convert the file to UTF-8".into())),
    }
}

/// A file without carriage returns and with a line end at its end, so that rows can be told their lines.
struct UnixLines {
    file: File,
    bytes: u64,
    last: u8,
}

impl UnixLines {
    fn new(file: File) -> Self {
        Self { file, bytes: 0, last: b'\n' }
    }
}

impl Read for UnixLines {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        loop {
            let count = self.file.read(buffer)?;
            if count == 0 {
                if self.last == b'\n' || buffer.is_empty() {
                    return Ok(0);
                }
                self.last = b'\n';
                buffer[0] = b'\n';
                return Ok(1);
            }
            self.bytes += count as u64;
            let mut kept = 0;
            for index in 0..count {
                if buffer[index] != b'\r' {
                    buffer[kept] = buffer[index];
                    kept += 1;
                }
            }
            if kept > 0 {
                self.last = buffer[kept - 1];
                return Ok(kept);
            }
        }
    }
}

impl Table {
    fn advance(&mut self, record: &mut StringRecord) -> Result<Step, String> {
        loop {
            self.buffer.clear();
            let count = self
                .reader
                .by_ref()
                .take(MAX_LINE_BYTES)
                .read_until(b'\n', &mut self.buffer)
                .map_err(|error| error.to_string())?;
            if count == 0 {
                return Ok(Step::End);
            }
            self.line += 1;
            self.bytes += count as u64;
            if count as u64 == MAX_LINE_BYTES && self.buffer.last() != Some(&b'\n') {
                self.bytes += self.reader.skip_until(b'\n').map_err(|error| error.to_string())? as u64;
                return Ok(Step::Bad(self.line, format!("the line has more than {MAX_LINE_BYTES} bytes")));
            }
            let Ok(text) = std::str::from_utf8(&self.buffer) else {
                return Ok(Step::Bad(
                    self.line,
                    "the line is not UTF-8 text; convert the file to UTF-8".into(),
                ));
            };
            record.clear();
            text.split_ascii_whitespace().for_each(|cell| record.push_field(cell));
            if !record.is_empty() {
                return Ok(Step::Row(self.line));
            }
        }
    }
}

/// The delimiter of a CSV file; `None` if the file is a table parted by blanks.
fn delimiter(head: &[u8], mapping: &ImportMapping) -> Result<Option<u8>, String> {
    if let Some(delimiter) = mapping.delimiter {
        if mapping.format == Some(Format::Table) {
            return Err("a table has no delimiter; leave out delimiter, or set format to csv".into());
        }
        let byte = u8::try_from(delimiter).ok().filter(u8::is_ascii);
        return byte.map(Some).ok_or_else(|| {
            format!("delimiter {delimiter:?} is not a single-byte character; use , ; or tab")
        });
    }
    if mapping.format == Some(Format::Table) {
        return Ok(None);
    }
    let line = head.split(|byte| *byte == b'\n').find(|line| !line.trim_ascii().is_empty()).unwrap_or(head);
    let mut quoted = false;
    let mut counts = [(b',', 0), (b';', 0), (b'\t', 0)];
    for byte in line {
        quoted ^= *byte == b'"';
        if let Some((_, count)) =
            counts.iter_mut().find(|(delimiter, _)| delimiter == byte).filter(|_| !quoted)
        {
            *count += 1;
        }
    }
    // The first of equals wins, so the comma goes before the rest.
    let best = counts.iter().rev().max_by_key(|(_, count)| *count).filter(|(_, count)| *count > 0);
    let blanks = line.trim_ascii().iter().any(u8::is_ascii_whitespace);
    match best {
        Some((delimiter, _)) => Ok(Some(*delimiter)),
        None if blanks && mapping.format.is_none() => Ok(None),
        None => Ok(Some(b',')),
    }
}
