//! The rows that records have in their tables, one file a kind of record: the columns of its table, how a
//! record becomes rows of it, and about how much memory the record takes.

mod alert;
mod audit;
mod command;
mod job_run;
mod life_event;
mod notification;
mod prediction;
mod promotion;
mod quiet;
pub(super) mod readings;
mod row;

use forewarn_types::{Offset, ReadingBatch, Record, RecordKind};

use self::row::Row;
use crate::table::{Cell, ColumnData, TableSchema};

/// What a record takes in memory beside what may be long in it, bytes.
const RECORD_BYTES: usize = 400;

/// What a record is in its table.
enum Rows<'a> {
    Many(&'a ReadingBatch),
    One(&'a dyn Row),
    None,
}

impl<'a> Rows<'a> {
    fn of(record: &'a Record) -> Self {
        match record {
            Record::Readings(batch) => Self::Many(batch),
            Record::Alert(alert) => Self::One(alert),
            Record::JobRun(run) => Self::One(run),
            Record::Prediction(prediction) => Self::One(prediction),
            Record::LifeEvent(event) => Self::One(event),
            Record::Promotion(promotion) => Self::One(promotion),
            Record::Command(command) => Self::One(command),
            Record::Audit(audit) => Self::One(audit),
            Record::Notification(notification) => Self::One(notification),
            Record::Quiet(quiet) => Self::One(quiet),
            Record::Account(_)
            | Record::Attributes(_)
            | Record::Series(_)
            | Record::Origins(_)
            | Record::Tick(_)
            | Record::Definitions(_)
            | Record::Resumed(_) => Self::None,
        }
    }
}

/// The table of the records of the kind `kind`, if they have one.
fn schema_of(kind: RecordKind) -> Option<TableSchema> {
    let columns = match kind {
        RecordKind::Readings => readings::COLUMNS,
        RecordKind::Alert => alert::COLUMNS,
        RecordKind::JobRun => job_run::COLUMNS,
        RecordKind::Prediction => prediction::COLUMNS,
        RecordKind::LifeEvent => life_event::COLUMNS,
        RecordKind::Promotion => promotion::COLUMNS,
        RecordKind::Command => command::COLUMNS,
        RecordKind::Audit => audit::COLUMNS,
        RecordKind::Notification => notification::COLUMNS,
        RecordKind::Quiet => quiet::COLUMNS,
        RecordKind::Account
        | RecordKind::Attributes
        | RecordKind::Series
        | RecordKind::Origins
        | RecordKind::Tick
        | RecordKind::Definitions
        | RecordKind::Resumed => &[],
    };
    let by_date = kind == RecordKind::Readings;
    kind.table().map(|name| TableSchema::new(name, columns, by_date))
}

/// The tables that hold the records of the log.
pub(crate) fn built_in() -> Vec<TableSchema> {
    RecordKind::ALL.iter().filter_map(|kind| schema_of(*kind)).collect()
}

/// How many rows `record` has in its table.
pub(super) fn rows_of(record: &Record) -> usize {
    match Rows::of(record) {
        Rows::Many(batch) => batch.len(),
        Rows::One(_) => 1,
        Rows::None => 0,
    }
}

/// About how many bytes of memory `record` takes.
pub(super) fn bytes_of(record: &Record) -> u64 {
    let long = match Rows::of(record) {
        Rows::Many(batch) => batch.memory_bytes(),
        Rows::One(row) => row.long_bytes(),
        Rows::None => 0,
    };
    (long + RECORD_BYTES) as u64
}

/// The columns of a table other than `readings`, from the records that belong to it.
pub(crate) fn columns<'a>(
    table: &TableSchema,
    records: impl Iterator<Item = (Offset, &'a Record)>,
) -> Vec<ColumnData> {
    let mut columns: Vec<ColumnData> =
        table.columns.iter().map(|column| ColumnData::empty(column.ty)).collect();
    for (offset, record) in records {
        if record.kind().table() != Some(table.name.as_str()) {
            continue;
        }
        if let Rows::One(row) = Rows::of(record) {
            row.push(Cell::Int(i64::try_from(offset.0).unwrap_or(i64::MAX)), &mut columns);
        }
    }
    columns
}

#[cfg(test)]
mod tests;
