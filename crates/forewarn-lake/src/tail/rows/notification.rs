//! What became of messages, in the table `notifications`.

use forewarn_types::Notification;

use super::row::{Row, long, push_row, text};
use crate::table::ColumnType::{self, Int, Text, Time};
use crate::table::{Cell, ColumnData};

pub(super) const COLUMNS: &[(&str, ColumnType)] = &[
    ("time", Time),
    ("key", Text),
    ("kind", Text),
    ("route", Text),
    ("contact", Text),
    ("recipient", Text),
    ("channel", Text),
    ("outcome", Text),
    ("attempts", Int),
    ("detail", Text),
    ("alert", Text),
    ("count", Int),
    ("title", Text),
    ("due", Time),
    ("offset", Int),
];

impl Row for Notification {
    fn push(&self, offset: Cell<'_>, columns: &mut [ColumnData]) {
        let alert = self.alerts.first().map(ToString::to_string);
        push_row(
            columns,
            &[
                Cell::Time(self.time),
                Cell::Text(&self.key),
                Cell::Text(self.kind.as_str()),
                Cell::Text(&self.route),
                Cell::Text(&self.contact),
                Cell::Text(&self.recipient),
                Cell::Text(&self.channel),
                Cell::Text(self.outcome.as_str()),
                Cell::Int(self.attempts.into()),
                text(self.detail.as_ref()),
                text(alert.as_ref()),
                Cell::Int(i64::try_from(self.count).unwrap_or(i64::MAX)),
                Cell::Text(&self.title),
                Cell::Time(self.due),
                offset,
            ],
        );
    }

    fn long_bytes(&self) -> usize {
        long(self.detail.as_ref()) + self.title.len() + self.alerts.len() * 16
    }
}
