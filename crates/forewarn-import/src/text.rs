//! Rows of files that are text: CSV, and tables whose cells are parted by blanks.

use std::path::Path;

use csv::StringRecord;
use forewarn_ingest::decode::number;

use crate::cell::Step;
use crate::columns;
use crate::form::Form;
use crate::input::{Input, Line, MAX_LINE_BYTES};
use crate::mapping::ImportMapping;
use crate::split::{Broken, split};

/// Most lines of one cell in quotes.
const MOST_JOINED: usize = 200;

/// Reads rows of text one by one.
pub(super) struct TextRows {
    input: Input,
    form: Form,
    record: StringRecord,
    /// The first row, where it holds the columns' names.
    header: Option<StringRecord>,
    columns: usize,
    /// A line below the header that is no row either.
    units: Option<u64>,
    /// How often the header stands again among the rows.
    pub(super) headers_again: u64,
}

impl TextRows {
    /// Opens a file of the form `form`, and tells the names of its columns.
    pub(super) fn open(
        path: &Path,
        form: &Form,
        units: Option<u64>,
        mapping: &ImportMapping,
    ) -> Result<(Self, Vec<String>), String> {
        let (input, record) = (Input::open(path)?, StringRecord::new());
        let mut rows =
            Self { input, form: form.clone(), record, header: None, columns: 0, units, headers_again: 0 };
        let names =
            if mapping.columns.is_empty() { rows.header()? } else { columns::expand(&mapping.columns)? };
        rows.columns = names.len();
        Ok((rows, names))
    }

    /// Goes to the next row.
    pub(super) fn advance(&mut self) -> Result<Step, String> {
        while let Some(line) = self.input.next()? {
            let text = match &line.text {
                Ok(text) => text,
                Err(_) if line.number <= self.form.skip => continue,
                Err(reason) => return Ok(Step::Bad(line.number, reason.clone())),
            };
            let is_comment = self.form.comment.as_ref().is_some_and(|comment| text.starts_with(comment));
            if line.number <= self.form.skip || is_comment || text.trim().is_empty() {
                continue;
            }
            let step = match split(text, self.form.cells, &mut self.record) {
                Ok(()) => Step::Row(line.number),
                Err(Broken::Open) => self.join(&line)?,
                Err(Broken::Quote) => Step::Bad(
                    line.number,
                    "something stands behind a closing quote; write two quotes for one in a cell".into(),
                ),
            };
            if let Step::Row(number) = step {
                if self.units == Some(number) {
                    continue;
                }
                if self.header.as_ref() == Some(&self.record) {
                    self.headers_again += 1;
                    continue;
                }
                if self.columns > 0 && self.record.len() != self.columns {
                    let (cells, columns) = (self.record.len(), self.columns);
                    return Ok(Step::Bad(
                        number,
                        format!("the row has {cells} cells, but there are {columns} columns"),
                    ));
                }
            }
            return Ok(step);
        }
        Ok(Step::End)
    }

    /// The row that begins with `line`, in which a quote is open, and goes on in the lines that follow. If no
    /// quote closes it so that a row of all columns comes out, only this line is lost.
    fn join(&mut self, line: &Line) -> Result<Step, String> {
        let mut text = line.text.clone().unwrap_or_default();
        let mut ahead = Vec::new();
        while ahead.len() < MOST_JOINED && text.len() < MAX_LINE_BYTES {
            let Some(next) = self.input.next()? else { break };
            let Ok(more) = next.text.clone() else {
                ahead.push(next);
                break;
            };
            ahead.push(next);
            text.push('\n');
            text.push_str(&more);
            // Only a line with a quote can close one.
            if !more.contains('"') {
                continue;
            }
            match split(&text, self.form.cells, &mut self.record) {
                Ok(()) if self.columns == 0 || self.record.len() == self.columns => {
                    return Ok(Step::Row(line.number));
                }
                Err(Broken::Open) => {}
                _ => break,
            }
        }
        self.input.put_back(ahead);
        Ok(Step::Bad(
            line.number,
            "a quote is opened and never closed; close it, or write two for one".into(),
        ))
    }

    pub(super) const fn row(&self) -> &StringRecord {
        &self.record
    }

    pub(super) fn bytes_read(&self) -> u64 {
        self.input.bytes_read()
    }

    fn header(&mut self) -> Result<Vec<String>, String> {
        match self.advance()? {
            Step::Row(_) => {}
            Step::Bad(_, reason) => return Err(format!("the header cannot be read: {reason}")),
            Step::End => return Err("the file has no row".into()),
        }
        if self.record.iter().all(|cell| number::scan(cell.trim()).is_some()) {
            return Err(
                "the first row holds numbers, no names; give columns for a file without a header".into()
            );
        }
        self.header = Some(self.record.clone());
        Ok(self.record.iter().map(|cell| cell.trim().to_owned()).collect())
    }
}
