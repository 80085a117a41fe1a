//! What operators did, in the table `commands`.

use forewarn_types::{CommandAction, OperatorCommand};

use super::row::{Row, long, push_row, text};
use crate::table::ColumnType::{self, Int, Text, Time};
use crate::table::{Cell, ColumnData};

pub(super) const COLUMNS: &[(&str, ColumnType)] = &[
    ("time", Time),
    ("alert", Text),
    ("action", Text),
    ("until", Time),
    ("actor", Text),
    ("comment", Text),
    ("reason", Text),
    ("offset", Int),
];

impl Row for OperatorCommand {
    fn push(&self, offset: Cell<'_>, columns: &mut [ColumnData]) {
        let id = self.alert.to_string();
        let until = match &self.action {
            CommandAction::Shelve { until } => Cell::Time(*until),
            CommandAction::Acknowledge
            | CommandAction::Unshelve
            | CommandAction::Comment
            | CommandAction::Assign { .. } => Cell::Null,
        };
        push_row(
            columns,
            &[
                Cell::Time(self.time),
                Cell::Text(&id),
                Cell::Text(self.action.as_str()),
                until,
                Cell::Text(&self.actor),
                text(self.comment.as_ref()),
                text(self.reason.as_ref()),
                offset,
            ],
        );
    }

    fn long_bytes(&self) -> usize {
        long(self.comment.as_ref()) + long(self.reason.as_ref())
    }
}
