//! What a table needs of a record that is one row of it.

use crate::table::{Cell, ColumnData};

/// A record that is one row.
pub(super) trait Row {
    /// Appends the row to `columns`, which are those of its table. The last value is `offset`.
    fn push(&self, offset: Cell<'_>, columns: &mut [ColumnData]);

    /// About how many bytes of memory it takes beyond those that every record takes: what may be long in it.
    fn long_bytes(&self) -> usize;
}

/// Appends one value to each column.
pub(super) fn push_row(columns: &mut [ColumnData], row: &[Cell<'_>]) {
    for (column, cell) in columns.iter_mut().zip(row) {
        column.push(*cell);
    }
}

/// A text that may be missing.
pub(super) fn text(text: Option<&String>) -> Cell<'_> {
    text.map_or(Cell::Null, |text| Cell::Text(text))
}

/// A number that may be missing.
pub(super) fn float(value: Option<f64>) -> Cell<'static> {
    value.map_or(Cell::Null, Cell::Float)
}

/// The length of a text that may be missing.
pub(super) fn long(text: Option<&String>) -> usize {
    text.map_or(0, String::len)
}
