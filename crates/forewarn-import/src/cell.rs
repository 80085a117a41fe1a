//! What the readers of all forms of files have in common: rows, cells and columns.

/// What a source of rows comes to next.
pub(crate) enum Step {
    End,
    /// A row, and its line (or row number) from 1.
    Row(u64),
    /// A row that cannot be used at all, and why.
    Bad(u64, String),
}

/// One cell of a row.
pub(crate) enum Cell<'a> {
    /// Empty, `NaN`, `NA` or null.
    Missing,
    Text(&'a str),
    Whole(i64),
    Number(f64),
    /// µs; `zoned` if it is known to be UTC, otherwise local time.
    Time {
        us: i64,
        zoned: bool,
    },
    /// Of a type that no reading is made of.
    Unusable,
}

impl Cell<'_> {
    /// A cell's text without blanks around it. What spreadsheets and data tools write for "no value" is no
    /// value.
    pub(crate) fn of_text(text: &str) -> Cell<'_> {
        match text.trim() {
            "" | "NaN" | "nan" | "NAN" | "NA" | "N/A" | "null" | "NULL" | "None" => Cell::Missing,
            text => Cell::Text(text),
        }
    }
}

/// A column of a file: its name, and whether it seems to hold numbers.
pub(crate) struct ColumnInfo {
    pub(crate) name: String,
    pub(crate) numeric: bool,
}
