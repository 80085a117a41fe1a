//! What happened to machines, in the table `life_events`.

use forewarn_types::LifeEvent;

use super::row::{Row, long, push_row, text};
use crate::table::ColumnType::{self, Int, Text, Time};
use crate::table::{Cell, ColumnData};

pub(super) const COLUMNS: &[(&str, ColumnType)] = &[
    ("time", Time),
    ("asset", Text),
    ("event", Text),
    ("actor", Text),
    ("comment", Text),
    ("corrects", Int),
    ("offset", Int),
];

impl Row for LifeEvent {
    fn push(&self, offset: Cell<'_>, columns: &mut [ColumnData]) {
        push_row(
            columns,
            &[
                Cell::Time(self.time),
                Cell::Text(&self.asset),
                Cell::Text(self.event.as_str()),
                text(self.actor.as_ref()),
                text(self.comment.as_ref()),
                self.corrects.map_or(Cell::Null, |of| Cell::Int(i64::try_from(of.0).unwrap_or(i64::MAX))),
                offset,
            ],
        );
    }

    fn long_bytes(&self) -> usize {
        long(self.comment.as_ref())
    }
}
