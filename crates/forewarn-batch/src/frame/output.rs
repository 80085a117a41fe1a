//! Rows of a frame as the lake takes them.

use forewarn_lake::{ColumnData, ColumnInfo, ColumnType, LakeError, ResultSet};
use forewarn_spec::{Frame, Type};
use forewarn_types::Timestamp;
use polars::prelude as pl;

use super::compute::Rows;
use super::wide::CELL;

/// Rows that are written at a time.
const ROWS: usize = 500_000;

/// The columns of a frame's table.
pub(super) fn schema(frame: &Frame) -> Vec<ColumnInfo> {
    let info = |name: &str, ty| ColumnInfo { name: name.to_owned(), ty };
    let own = [info("asset", ColumnType::Text), info("time", ColumnType::Time)];
    let signals = frame.signals.iter().map(|signal| info(&signal.name, ColumnType::Float));
    let columns = frame.columns.iter().map(|column| {
        let is_truth = column.expr.ty() == Type::Bool;
        info(&column.name, if is_truth { ColumnType::Bool } else { ColumnType::Float })
    });
    own.into_iter().chain(signals).chain(columns).collect()
}

impl Rows {
    /// How many parts there are of a size that is written at a time.
    pub(super) fn parts(&self) -> usize {
        self.table.height().div_ceil(ROWS)
    }

    /// One of the parts, with the columns of [`schema`].
    pub(super) fn part(&self, number: usize, frame: &Frame) -> Result<ResultSet, String> {
        let start = i64::try_from(number.saturating_mul(ROWS)).unwrap_or(i64::MAX);
        let part = self.table.slice(start, ROWS);
        self.take_over(&part, frame).map_err(|error| format!("the rows cannot be taken from polars: {error}"))
    }

    fn take_over(&self, part: &pl::DataFrame, frame: &Frame) -> Result<ResultSet, Problem> {
        let (mut assets, mut times) = (Vec::new(), Vec::new());
        for cell in part.column(CELL)?.i64()?.iter() {
            let place = cell.and_then(|cell| self.place(cell));
            assets.push(place.map(|(asset, _)| asset.to_owned()));
            times.push(place.map(|(_, time)| Timestamp(time)));
        }
        let mut columns = vec![
            ("asset".to_owned(), ColumnData::Text(assets)),
            ("time".to_owned(), ColumnData::Time(times)),
        ];
        for info in schema(frame).into_iter().skip(columns.len()) {
            let column = part.column(&info.name)?;
            let data = match info.ty {
                ColumnType::Bool => ColumnData::Bool(column.bool()?.iter().collect()),
                _ => ColumnData::Float(column.f64()?.iter().collect()),
            };
            columns.push((info.name, data));
        }
        Ok(ResultSet::new(columns)?)
    }
}

/// Why rows cannot be taken over.
#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error(transparent)]
    Polars(#[from] pl::PolarsError),
    #[error(transparent)]
    Lake(#[from] LakeError),
}
