//! Acts and refusals, in the table `audit`.

use forewarn_types::Audit;

use super::row::{Row, long, push_row, text};
use crate::table::ColumnType::{self, Int, Text, Time};
use crate::table::{Cell, ColumnData};

pub(super) const COLUMNS: &[(&str, ColumnType)] = &[
    ("time", Time),
    ("principal", Text),
    ("role", Text),
    ("address", Text),
    ("route", Text),
    ("path", Text),
    ("outcome", Text),
    ("status", Int),
    ("count", Int),
    ("offset", Int),
];

impl Row for Audit {
    fn push(&self, offset: Cell<'_>, columns: &mut [ColumnData]) {
        push_row(
            columns,
            &[
                Cell::Time(self.time),
                text(self.principal.as_ref()),
                text(self.role.as_ref()),
                text(self.address.as_ref()),
                Cell::Text(&self.route),
                text(self.path.as_ref()),
                Cell::Text(&self.outcome),
                Cell::Int(i64::from(self.status)),
                Cell::Int(i64::try_from(self.count).unwrap_or(i64::MAX)),
                offset,
            ],
        );
    }

    fn long_bytes(&self) -> usize {
        self.route.len() + long(self.path.as_ref())
    }
}
