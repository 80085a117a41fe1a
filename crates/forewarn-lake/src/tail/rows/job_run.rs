//! Runs of jobs, in the table `job_runs`.

use forewarn_types::JobRun;

use super::row::{Row, long, push_row, text};
use crate::table::ColumnType::{self, Int, Text, Time};
use crate::table::{Cell, ColumnData};

pub(super) const COLUMNS: &[(&str, ColumnType)] = &[
    ("time", Time),
    ("run", Text),
    ("job", Text),
    ("kind", Text),
    ("state", Text),
    ("from_time", Time),
    ("to_time", Time),
    ("trigger", Text),
    ("rows", Int),
    ("error", Text),
    ("details", Text),
    ("offset", Int),
];

impl Row for JobRun {
    fn push(&self, offset: Cell<'_>, columns: &mut [ColumnData]) {
        let kind = self.kind.as_str();
        push_row(
            columns,
            &[
                Cell::Time(self.time),
                Cell::Text(&self.run),
                Cell::Text(&self.job),
                Cell::Text(kind),
                Cell::Text(self.state.as_str()),
                Cell::Time(self.from),
                Cell::Time(self.to),
                Cell::Text(&self.trigger),
                self.rows.map_or(Cell::Null, |rows| Cell::Int(i64::try_from(rows).unwrap_or(i64::MAX))),
                text(self.error.as_ref()),
                text(self.details.as_ref()),
                offset,
            ],
        );
    }

    fn long_bytes(&self) -> usize {
        long(self.error.as_ref()) + long(self.details.as_ref())
    }
}
