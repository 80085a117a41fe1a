//! Predictions, in the table `predictions`.

use forewarn_types::Prediction;

use super::row::{Row, float, push_row};
use crate::table::ColumnType::{self, Bool, Float, Int, Text, Time};
use crate::table::{Cell, ColumnData};

pub(super) const COLUMNS: &[(&str, ColumnType)] = &[
    ("time", Time),
    ("made", Time),
    ("asset", Text),
    ("model", Text),
    ("version", Text),
    ("unit", Text),
    ("p05", Float),
    ("p50", Float),
    ("p95", Float),
    ("cap", Float),
    ("out_of_distribution", Bool),
    ("contributions", Text),
    ("life_started", Time),
    ("from_time", Time),
    ("coverage", Float),
    ("offset", Int),
];

impl Row for Prediction {
    fn push(&self, offset: Cell<'_>, columns: &mut [ColumnData]) {
        let contributions = serde_json::to_string(&self.contributions).unwrap_or_default();
        push_row(
            columns,
            &[
                Cell::Time(self.time),
                Cell::Time(self.made),
                Cell::Text(&self.asset),
                Cell::Text(&self.model),
                Cell::Text(&self.version),
                Cell::Text(&self.unit),
                Cell::Float(self.p05),
                Cell::Float(self.p50),
                Cell::Float(self.p95),
                Cell::Float(self.cap),
                Cell::Bool(self.out_of_distribution),
                Cell::Text(&contributions),
                Cell::Time(self.life_started),
                self.from.map_or(Cell::Null, Cell::Time),
                float(self.coverage),
                offset,
            ],
        );
    }

    fn long_bytes(&self) -> usize {
        self.contributions.len() * 40
    }
}
