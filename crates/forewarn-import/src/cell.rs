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
    /// Empty, null, or a word for "no value".
    Missing,
    Text(&'a str),
    Whole(i128),
    Number(f64),
    /// µs; `zoned` if it is known to be UTC, otherwise local time.
    Time {
        us: i64,
        zoned: bool,
    },
    /// Of a type that no reading is made of.
    Unusable,
}

/// What spreadsheets, databases and loggers write for "no value", in small letters.
const MISSING: [&str; 16] = [
    "", "-", "--", "---", "?", "na", "n/a", "n.a.", "#n/a", "#na", "nan", "-nan", "null", "none", "nil",
    "\\n",
];

impl Cell<'_> {
    /// A cell's text without blanks around it. What is written for "no value" is no value.
    pub(crate) fn of_text(text: &str) -> Cell<'_> {
        let text = text.trim();
        let missing = text.len() <= 4 && MISSING.iter().any(|word| word.eq_ignore_ascii_case(text));
        if missing { Cell::Missing } else { Cell::Text(text) }
    }
}

/// A column of a file, and what its cells seem to hold.
#[derive(Debug, Clone, Default)]
pub(crate) struct ColumnInfo {
    pub(crate) name: String,
    /// Whether it is a signal if nothing else is said.
    pub(crate) numeric: bool,
    /// How many of its cells are numbers, and how many are something else.
    pub(crate) numbers: u64,
    pub(crate) others: u64,
}
