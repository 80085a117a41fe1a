//! Transitions of alerts, in the table `alert_events`.

use forewarn_types::AlertTransition;

use super::row::{Row, float, long, push_row, text};
use crate::table::ColumnType::{self, Bool, Float, Int, Text, Time};
use crate::table::{Cell, ColumnData};

pub(super) const COLUMNS: &[(&str, ColumnType)] = &[
    ("time", Time),
    ("alert", Text),
    ("rule", Text),
    ("asset", Text),
    ("severity", Text),
    ("transition", Text),
    ("state", Text),
    ("value", Float),
    ("score", Float),
    ("message", Text),
    ("actor", Text),
    ("comment", Text),
    ("started", Time),
    ("unknown", Bool),
    ("evidence", Text),
    ("offset", Int),
];

impl Row for AlertTransition {
    fn push(&self, offset: Cell<'_>, columns: &mut [ColumnData]) {
        let id = self.alert.to_string();
        let evidence = serde_json::to_string(&self.evidence).unwrap_or_default();
        push_row(
            columns,
            &[
                Cell::Time(self.time),
                Cell::Text(&id),
                Cell::Text(&self.rule),
                Cell::Text(&self.asset),
                Cell::Text(self.severity.as_str()),
                Cell::Text(self.transition.as_str()),
                Cell::Text(self.state.as_str()),
                float(self.value),
                float(self.score),
                Cell::Text(&self.message),
                text(self.actor.as_ref()),
                text(self.comment.as_ref()),
                Cell::Time(self.started),
                Cell::Bool(self.unknown),
                Cell::Text(&evidence),
                offset,
            ],
        );
    }

    fn long_bytes(&self) -> usize {
        self.message.len() + long(self.comment.as_ref()) + self.evidence.values.len() * 64
    }
}
