//! Which table a record of the log belongs to, and its row there.

use forewarn_types::{
    AlertTransition, CommandAction, JobRun, LifeEvent, Offset, OperatorCommand, Prediction, Quality, Record,
    Timestamp,
};

use crate::schema::{READINGS, TableSchema};
use crate::{Cell, ColumnData};

/// The table that takes `record`, if one does.
pub(crate) const fn table_of(record: &Record) -> Option<&'static str> {
    match record {
        Record::Readings(_) => Some(READINGS),
        Record::Alert(_) => Some("alert_events"),
        Record::JobRun(_) => Some("job_runs"),
        Record::Prediction(_) => Some("predictions"),
        Record::LifeEvent(_) => Some("life_events"),
        Record::Command(_) => Some("commands"),
        Record::Series(_) | Record::Tick(_) | Record::Definitions(_) => None,
    }
}

/// How many rows `record` has in its table.
pub(crate) fn rows_of(record: &Record) -> usize {
    match record {
        Record::Readings(batch) => batch.len(),
        other => usize::from(table_of(other).is_some()),
    }
}

/// About how many bytes of memory `record` takes: what may be long in it is counted, the rest is a round
/// number.
pub(crate) fn bytes_of(record: &Record) -> u64 {
    /// A series, a time, a value and flags.
    const READING: usize = 21;
    const REST: usize = 400;
    let long = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let bytes = match record {
        Record::Readings(batch) => batch.len() * READING,
        Record::Alert(alert) => alert.message.len() + long(&alert.comment) + alert.evidence.values.len() * 64,
        Record::JobRun(run) => long(&run.error) + long(&run.details),
        Record::Prediction(prediction) => prediction.contributions.len() * 40,
        Record::LifeEvent(event) => long(&event.comment),
        Record::Command(command) => long(&command.comment) + long(&command.reason),
        Record::Series(_) | Record::Tick(_) | Record::Definitions(_) => 0,
    };
    (bytes + REST) as u64
}

/// The name a quality has in the lake, by its class.
pub(crate) const QUALITIES: [Quality; 3] = [Quality::Good, Quality::Uncertain, Quality::Bad];

/// The columns of a table other than `readings`, from the records that belong to it.
pub(crate) fn columns<'a>(
    table: &TableSchema,
    records: impl Iterator<Item = (Offset, &'a Record)>,
) -> Vec<ColumnData> {
    let mut columns: Vec<ColumnData> =
        table.columns.iter().map(|column| ColumnData::empty(column.ty)).collect();
    for (offset, record) in records {
        if table_of(record) != Some(table.name.as_str()) {
            continue;
        }
        let offset = Cell::Int(i64::try_from(offset.0).unwrap_or(i64::MAX));
        match record {
            Record::Alert(alert) => push_alert(&mut columns, alert, offset),
            Record::JobRun(run) => push_run(&mut columns, run, offset),
            Record::Prediction(prediction) => push_prediction(&mut columns, prediction, offset),
            Record::LifeEvent(event) => push_life_event(&mut columns, event, offset),
            Record::Command(command) => push_command(&mut columns, command, offset),
            Record::Readings(_) | Record::Series(_) | Record::Tick(_) | Record::Definitions(_) => {}
        }
    }
    columns
}

fn push_row(columns: &mut [ColumnData], row: &[Cell<'_>]) {
    for (column, cell) in columns.iter_mut().zip(row) {
        column.push(*cell);
    }
}

fn text(text: Option<&String>) -> Cell<'_> {
    text.map_or(Cell::Null, |text| Cell::Text(text))
}

fn float(value: Option<f64>) -> Cell<'static> {
    value.map_or(Cell::Null, Cell::Float)
}

fn push_alert(columns: &mut [ColumnData], alert: &AlertTransition, offset: Cell<'_>) {
    let id = alert.alert.to_string();
    let evidence = serde_json::to_string(&alert.evidence).unwrap_or_default();
    push_row(
        columns,
        &[
            Cell::Time(alert.time),
            Cell::Text(&id),
            Cell::Text(&alert.rule),
            Cell::Text(&alert.asset),
            Cell::Text(alert.severity.as_str()),
            Cell::Text(alert.transition.as_str()),
            Cell::Text(alert.state.as_str()),
            float(alert.value),
            float(alert.score),
            Cell::Text(&alert.message),
            text(alert.actor.as_ref()),
            text(alert.comment.as_ref()),
            Cell::Time(alert.started),
            Cell::Bool(alert.unknown),
            Cell::Text(&evidence),
            offset,
        ],
    );
}

fn push_run(columns: &mut [ColumnData], run: &JobRun, offset: Cell<'_>) {
    let kind = run.kind.as_str();
    push_row(
        columns,
        &[
            Cell::Time(run.time),
            Cell::Text(&run.run),
            Cell::Text(&run.job),
            Cell::Text(kind),
            Cell::Text(run.state.as_str()),
            Cell::Time(run.from),
            Cell::Time(run.to),
            Cell::Text(&run.trigger),
            run.rows.map_or(Cell::Null, |rows| Cell::Int(i64::try_from(rows).unwrap_or(i64::MAX))),
            text(run.error.as_ref()),
            text(run.details.as_ref()),
            offset,
        ],
    );
}

fn push_prediction(columns: &mut [ColumnData], prediction: &Prediction, offset: Cell<'_>) {
    let contributions = serde_json::to_string(&prediction.contributions).unwrap_or_default();
    push_row(
        columns,
        &[
            Cell::Time(prediction.time),
            Cell::Time(prediction.made),
            Cell::Text(&prediction.asset),
            Cell::Text(&prediction.model),
            Cell::Text(&prediction.version),
            Cell::Text(&prediction.unit),
            Cell::Float(prediction.p05),
            Cell::Float(prediction.p50),
            Cell::Float(prediction.p95),
            Cell::Float(prediction.cap),
            Cell::Bool(prediction.out_of_distribution),
            Cell::Text(&contributions),
            Cell::Time(prediction.life_started),
            prediction.from.map_or(Cell::Null, Cell::Time),
            float(prediction.coverage),
            offset,
        ],
    );
}

fn push_life_event(columns: &mut [ColumnData], event: &LifeEvent, offset: Cell<'_>) {
    push_row(
        columns,
        &[
            Cell::Time(event.time),
            Cell::Text(&event.asset),
            Cell::Text(event.event.as_str()),
            text(event.actor.as_ref()),
            text(event.comment.as_ref()),
            offset,
        ],
    );
}

fn push_command(columns: &mut [ColumnData], command: &OperatorCommand, offset: Cell<'_>) {
    let id = command.alert.to_string();
    let (action, until): (&str, Option<Timestamp>) = match &command.action {
        CommandAction::Acknowledge => ("acknowledge", None),
        CommandAction::Shelve { until } => ("shelve", Some(*until)),
        CommandAction::Unshelve => ("unshelve", None),
        CommandAction::Comment => ("comment", None),
    };
    push_row(
        columns,
        &[
            Cell::Time(command.time),
            Cell::Text(&id),
            Cell::Text(action),
            until.map_or(Cell::Null, Cell::Time),
            Cell::Text(&command.actor),
            text(command.comment.as_ref()),
            text(command.reason.as_ref()),
            offset,
        ],
    );
}
