//! One row of a file, whatever its form.

use crate::cell::Cell;
use crate::parquet::Column;

/// One row of a file.
#[derive(Clone, Copy)]
pub(crate) enum RowRef<'a> {
    Text(&'a csv::StringRecord),
    Columns(&'a [Column], usize),
}

impl<'a> RowRef<'a> {
    pub(crate) fn cell(self, column: usize) -> Cell<'a> {
        match self {
            RowRef::Text(record) => Cell::of_text(record.get(column).unwrap_or("")),
            RowRef::Columns(columns, row) => {
                columns.get(column).map_or(Cell::Missing, |column| column.cell(row))
            }
        }
    }
}
