//! Silences and maintenance windows, in the table `silences`.

use forewarn_types::Quiet;

use super::row::{Row, long, push_row, text};
use crate::table::ColumnType::{self, Bool, Int, Text, Time};
use crate::table::{Cell, ColumnData};

pub(super) const COLUMNS: &[(&str, ColumnType)] = &[
    ("time", Time),
    ("id", Text),
    ("kind", Text),
    ("removed", Bool),
    ("assets", Text),
    ("rules", Text),
    ("severities", Text),
    ("from_time", Time),
    ("until_time", Time),
    ("weekly", Text),
    ("actor", Text),
    ("comment", Text),
    ("offset", Int),
];

impl Row for Quiet {
    fn push(&self, offset: Cell<'_>, columns: &mut [ColumnData]) {
        let severities: Vec<&str> = self.severities.iter().map(|severity| severity.as_str()).collect();
        let weekly = self.weekly.as_ref().and_then(|weekly| serde_json::to_string(weekly).ok());
        push_row(
            columns,
            &[
                Cell::Time(self.time),
                Cell::Text(&self.id),
                Cell::Text(self.kind.as_str()),
                Cell::Bool(self.removed),
                Cell::Text(&self.assets.join(" ")),
                Cell::Text(&self.rules.join(" ")),
                Cell::Text(&severities.join(" ")),
                Cell::Time(self.from),
                self.until.map_or(Cell::Null, Cell::Time),
                text(weekly.as_ref()),
                text(self.actor.as_ref()),
                text(self.comment.as_ref()),
                offset,
            ],
        );
    }

    fn long_bytes(&self) -> usize {
        self.assets.iter().chain(&self.rules).map(String::len).sum::<usize>() + long(self.comment.as_ref())
    }
}
