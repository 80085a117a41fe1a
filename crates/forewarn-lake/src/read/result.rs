//! Answers: rows in typed columns, and their forms: JSON and CSV for people, Parquet and Arrow for programs.

use std::io::Write as _;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::error::ArrowError;
use arrow_ipc::writer::StreamWriter;
use bytes::Bytes;

use crate::error::LakeError;
use crate::table::{Cell, ColumnData, ColumnInfo, TableSchema, file_of_columns};

/// The rows a query found, or the rows a job writes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ResultSet {
    names: Vec<String>,
    data: Vec<ColumnData>,
    rows: usize,
    truncated: bool,
}

impl ResultSet {
    /// A result of named columns.
    ///
    /// # Errors
    /// [`LakeError::Query`] if the columns differ in length or two have the same name.
    pub fn new(columns: Vec<(String, ColumnData)>) -> Result<Self, LakeError> {
        let rows = columns.first().map_or(0, |(_, data)| data.len());
        let (names, data): (Vec<String>, Vec<ColumnData>) = columns.into_iter().unzip();
        for (index, name) in names.iter().enumerate() {
            if data[index].len() != rows {
                return Err(LakeError::Query(format!(
                    "column {name} has {} rows, the first column has {rows}",
                    data[index].len()
                )));
            }
            if names[..index].contains(name) {
                return Err(LakeError::Query(format!(
                    "two columns are named {name}; give one another name with AS"
                )));
            }
        }
        Ok(Self { names, data, rows, truncated: false })
    }

    /// The columns' names, in order.
    #[must_use]
    pub fn columns(&self) -> Vec<String> {
        self.names.clone()
    }

    /// The values of the column of that name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&ColumnData> {
        self.names.iter().position(|n| n == name).map(|index| &self.data[index])
    }

    /// How many rows there are.
    #[must_use]
    pub const fn row_count(&self) -> usize {
        self.rows
    }

    /// The value in `row` of the column at `column`; null where there is none.
    #[must_use]
    pub fn cell(&self, row: usize, column: usize) -> Cell<'_> {
        self.data.get(column).map_or(Cell::Null, |data| data.cell(row))
    }

    /// Whether there were more rows than the query was allowed.
    #[must_use]
    pub const fn truncated(&self) -> bool {
        self.truncated
    }

    /// The columns' names and types.
    #[must_use]
    pub fn schema(&self) -> Vec<ColumnInfo> {
        self.names
            .iter()
            .zip(&self.data)
            .map(|(name, data)| ColumnInfo { name: name.clone(), ty: data.ty() })
            .collect()
    }

    /// A result that may have rows but no columns.
    pub(crate) const fn with_rows(mut self, rows: usize) -> Self {
        self.rows = rows;
        self
    }

    /// Keeps at most `rows` rows and remembers that there were more.
    pub(crate) fn limit(&mut self, rows: usize) {
        if self.rows > rows {
            self.data.iter_mut().for_each(|data| data.truncate(rows));
            self.rows = rows;
            self.truncated = true;
        }
    }

    /// Appends `{"columns":[…],"rows":[[…],…]}`, with `"truncated":true` where rows are missing. Times are
    /// RFC 3339 with `Z`; floats that JSON cannot hold are null.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"columns\":[");
        for (index, name) in self.names.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            write_json_text(out, name);
        }
        out.extend_from_slice(b"],\"rows\":[");
        for row in 0..self.rows {
            out.extend_from_slice(if row > 0 { b",[" } else { b"[" });
            for (index, data) in self.data.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_json_cell(out, data.cell(row));
            }
            out.push(b']');
        }
        out.push(b']');
        if self.truncated {
            out.extend_from_slice(b",\"truncated\":true");
        }
        out.push(b'}');
    }

    /// The rows as a Parquet file, zstd-compressed. Times are UTC.
    ///
    /// # Errors
    /// [`LakeError::Table`] if they cannot be encoded.
    pub fn to_parquet(&self) -> Result<Bytes, LakeError> {
        Ok(file_of_columns(&self.as_table(), &self.data)?.bytes)
    }

    /// The rows as an Arrow IPC stream of one batch. Times are UTC.
    ///
    /// # Errors
    /// [`LakeError::Table`] if they cannot be encoded.
    pub fn to_arrow_stream(&self) -> Result<Bytes, LakeError> {
        let table = self.as_table();
        let failed = |error: ArrowError| LakeError::table(&table.name, error);
        let columns = self.data.iter().map(ColumnData::to_arrow).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        let batch = RecordBatch::try_new_with_options(table.to_arrow(), columns, &options).map_err(failed)?;
        let mut writer = StreamWriter::try_new(Vec::new(), &batch.schema()).map_err(failed)?;
        writer.write(&batch).map_err(failed)?;
        writer.into_inner().map(Bytes::from).map_err(failed)
    }

    fn as_table(&self) -> TableSchema {
        TableSchema { name: "of the answer".to_owned(), columns: self.schema(), by_date: false }
    }

    /// Appends CSV after RFC 4180: a header line, CRLF line ends, quotes where needed. Null is an empty
    /// field, an empty text is `""`.
    pub fn write_csv(&self, out: &mut Vec<u8>) {
        for (index, name) in self.names.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            write_csv_text(out, name);
        }
        out.extend_from_slice(b"\r\n");
        for row in 0..self.rows {
            for (index, data) in self.data.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                match data.cell(row) {
                    Cell::Null => {}
                    Cell::Text(text) => write_csv_text(out, text),
                    Cell::Bool(x) => push(out, format_args!("{x}")),
                    Cell::Int(x) => push(out, format_args!("{x}")),
                    Cell::Float(x) => push(out, format_args!("{x}")),
                    Cell::Time(x) => push(out, format_args!("{x}")),
                }
            }
            out.extend_from_slice(b"\r\n");
        }
    }
}

/// Writing into memory cannot fail.
fn push(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(text);
}

fn write_json_text(out: &mut Vec<u8>, text: &str) {
    let _ = serde_json::to_writer(out, text);
}

fn write_json_cell(out: &mut Vec<u8>, cell: Cell<'_>) {
    match cell {
        Cell::Null => out.extend_from_slice(b"null"),
        Cell::Bool(x) => push(out, format_args!("{x}")),
        Cell::Int(x) => push(out, format_args!("{x}")),
        Cell::Float(x) => {
            let _ = serde_json::to_writer(out, &x);
        }
        Cell::Text(text) => write_json_text(out, text),
        Cell::Time(time) => push(out, format_args!("\"{time}\"")),
    }
}

fn write_csv_text(out: &mut Vec<u8>, text: &str) {
    if !text.is_empty() && !text.contains([',', '"', '\r', '\n']) {
        out.extend_from_slice(text.as_bytes());
        return;
    }
    out.push(b'"');
    for byte in text.bytes() {
        if byte == b'"' {
            out.push(b'"');
        }
        out.push(byte);
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests;
