//! Promotions of models, in the table `promotions`.

use forewarn_types::Promotion;

use super::row::{Row, long, push_row, text};
use crate::table::ColumnType::{self, Int, Text, Time};
use crate::table::{Cell, ColumnData};

pub(super) const COLUMNS: &[(&str, ColumnType)] = &[
    ("time", Time),
    ("model", Text),
    ("version", Text),
    ("from_version", Text),
    ("actor", Text),
    ("reason", Text),
    ("offset", Int),
];

impl Row for Promotion {
    fn push(&self, offset: Cell<'_>, columns: &mut [ColumnData]) {
        push_row(
            columns,
            &[
                Cell::Time(self.time),
                Cell::Text(&self.model),
                Cell::Text(&self.version),
                text(self.from.as_ref()),
                text(self.actor.as_ref()),
                text(self.reason.as_ref()),
                offset,
            ],
        );
    }

    fn long_bytes(&self) -> usize {
        long(self.reason.as_ref())
    }
}
