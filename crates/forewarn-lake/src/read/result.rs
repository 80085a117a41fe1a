//! Rows in typed columns: what a job writes, and what the server asks for itself.

use std::io::Write as _;

use crate::error::LakeError;
use crate::table::{Cell, ColumnData, ColumnInfo};

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

    /// The answer to a query; `truncated` says that there were more rows than it was allowed.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn of_query(columns: Vec<(String, ColumnData)>, truncated: bool) -> Result<Self, LakeError> {
        Ok(Self { truncated, ..Self::new(columns)? })
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
        self.write_csv_rows(out);
    }

    /// Appends the rows as [`Self::write_csv`] does, without the header line.
    pub fn write_csv_rows(&self, out: &mut Vec<u8>) {
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
