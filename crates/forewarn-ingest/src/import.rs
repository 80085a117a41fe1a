//! Histories from files: CSV, tables whose cells are parted by blanks, and Parquet, read in bounded pieces.
//!
//! An [`ImportMapping`] says which columns make the asset, the time and the signals. [`Importer`] reads a
//! piece at a time into a [`RawBatch`]; a row or cell that cannot be used is listed there and the rest goes
//! on. Nothing is sent from here.

mod columns;
mod lives;
mod parquet;
mod plan;
mod text;
mod time;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use forewarn_types::{LifeEvent, Timestamp};
use serde::{Deserialize, Serialize};

use self::lives::LifeSpans;
use self::parquet::ParquetRows;
use self::plan::{Plan, Tally};
use self::text::TextRows;
use crate::{IngestError, RawBatch};

/// How a file is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Cells parted by a delimiter, with quotes where needed.
    Csv,
    /// Cells parted by any number of blanks.
    Table,
    /// Apache Parquet.
    Parquet,
}

/// The unit of a time column that holds numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TimeUnit {
    /// Seconds since 1970.
    S,
    /// Milliseconds since 1970.
    Ms,
    /// Microseconds since 1970.
    Us,
    /// Nanoseconds since 1970.
    Ns,
}

/// Whether the rows of an asset are one life of it, and how that ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lives {
    /// The rows say nothing about it.
    #[default]
    None,
    /// The life begins one step before the first row; the machine failed at the last one.
    Failed,
    /// The life begins one step before the first row; the machine still runs.
    Running,
}

/// Which columns of a file make readings.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ImportMapping {
    /// How the file is built; by default that is seen from its name and its first line.
    pub format: Option<Format>,
    /// The delimiter of a CSV file; by default the commonest of `,`, `;` and tab in the first line.
    pub delimiter: Option<char>,
    /// Names of the columns of a file without a header, such as `unit,cycle,setting1..3,s1..s21`.
    #[serde(deserialize_with = "columns::one_or_many")]
    pub columns: Vec<String>,
    /// Template of the asset path, with the columns' names in braces: `plant1/unit{unit}`.
    pub asset: String,
    /// The columns that are signals, each with `column=signal` where it gets another name; ranges as in
    /// `columns`. By default all numeric columns that are not used otherwise.
    #[serde(deserialize_with = "columns::one_or_many")]
    pub signals: Vec<String>,
    /// For the long form (one reading a row): the column that names the signal.
    pub signal: Option<String>,
    /// For the long form: the column that holds the value.
    pub value: Option<String>,
    /// The column that holds the time: RFC 3339, `YYYY-MM-DD HH:MM:SS`, a number with `time_unit`, or a cycle
    /// with `time_start`.
    pub time: String,
    /// The zone of times that name none, such as `Europe/Oslo`; by default UTC.
    pub timezone: Option<String>,
    /// The unit of a time column that holds numbers.
    pub time_unit: Option<TimeUnit>,
    /// The time of cycle 0, where the time column counts cycles.
    pub time_start: Option<Timestamp>,
    /// The time from a cycle to the next, such as `1h`.
    pub time_step: Option<String>,
    /// The column that holds good, uncertain or bad.
    pub quality: Option<String>,
    /// Whether the rows of an asset are one life of it.
    pub lives: Lives,
}

/// Reads a file piece by piece.
pub struct Importer {
    file: String,
    plan: Plan,
    rows: Rows,
    tally: Tally,
    bytes_total: u64,
}

enum Rows {
    Text(TextRows),
    Parquet(Box<ParquetRows>),
}

/// What a source of rows comes to next.
enum Step {
    End,
    /// A row, and its line (or row number) from 1.
    Row(u64),
    /// A row that cannot be used at all, and why.
    Bad(u64, String),
}

/// Opens a file and fits the mapping to its columns.
///
/// # Errors
/// [`IngestError::Import`] if the file cannot be read or a part of the mapping does not fit it.
pub fn open(path: &Path, mapping: &ImportMapping) -> Result<Importer, IngestError> {
    let file = path.display().to_string();
    match Importer::fit(path, mapping) {
        Ok((plan, rows, bytes_total)) => {
            let tally = Tally::new(LifeSpans::new(mapping.lives, plan.step_us()));
            Ok(Importer { file, plan, rows, tally, bytes_total })
        }
        Err(problem) => Err(IngestError::Import { file, problem }),
    }
}

impl Importer {
    /// What `open` needs, with the problem alone as the error.
    fn fit(path: &Path, mapping: &ImportMapping) -> Result<(Plan, Rows, u64), String> {
        let failed = |error: std::io::Error| error.to_string();
        let mut head = vec![0; 64 * 1024];
        let mut source = File::open(path).map_err(failed)?;
        let bytes_total = source.metadata().map_err(failed)?.len();
        let mut filled = 0;
        while filled < head.len() {
            match source.read(&mut head[filled..]).map_err(failed)? {
                0 => break,
                count => filled += count,
            }
        }
        head.truncate(filled);
        if head.trim_ascii().is_empty() {
            return Err("the file is empty".into());
        }
        if mapping.format == Some(Format::Parquet) || (mapping.format.is_none() && head.starts_with(b"PAR1"))
        {
            let source = File::open(path).map_err(failed)?;
            let (rows, columns) = ParquetRows::open(source, bytes_total)?;
            let plan = Plan::new(mapping, &columns)?;
            return Ok((plan, Rows::Parquet(Box::new(rows)), bytes_total));
        }
        let (rows, columns) = TextRows::open(path, &head, mapping)?;
        let plan = Plan::new(mapping, &columns)?;
        Ok((plan, Rows::Text(rows), bytes_total))
    }

    /// Reads the next rows of the file, at most `max_rows`; `None` at its end. What cannot be used stands in
    /// the batch.
    ///
    /// # Errors
    /// [`IngestError::Import`] if the file cannot be read on.
    pub fn next_batch(&mut self, max_rows: usize) -> Result<Option<RawBatch>, IngestError> {
        let mut batch =
            RawBatch::with_capacity(max_rows.saturating_mul(self.plan.readings_a_row()).min(1 << 20));
        let mut count = 0;
        while count < max_rows.max(1) {
            let step = match &mut self.rows {
                Rows::Text(rows) => rows.advance(),
                Rows::Parquet(rows) => rows.advance(self.plan.used()),
            };
            let step = step.map_err(|problem| IngestError::Import { file: self.file.clone(), problem })?;
            let (line, done) = match step {
                Step::End => break,
                Step::Bad(line, reason) => (line, Err(reason)),
                Step::Row(line) => {
                    let row = match &self.rows {
                        Rows::Text(rows) => rows.row(),
                        Rows::Parquet(rows) => rows.row(),
                    };
                    (line, self.plan.row(row, line, &mut batch, &mut self.tally))
                }
            };
            count += 1;
            if let Err(reason) = done {
                batch.reject(usize::try_from(line).unwrap_or(usize::MAX), reason);
            }
        }
        Ok((count > 0).then_some(batch))
    }

    /// How far the file is read, for a progress bar.
    pub fn bytes_read(&self) -> u64 {
        match &self.rows {
            Rows::Text(rows) => rows.bytes_read().min(self.bytes_total),
            Rows::Parquet(rows) => rows.bytes_read(),
        }
    }

    /// How large the file is.
    pub fn bytes_total(&self) -> u64 {
        self.bytes_total
    }

    /// How many cells of signals were empty or `NaN` so far: no reading, and no mistake either.
    pub fn skipped_cells(&self) -> u64 {
        self.tally.skipped
    }

    /// The beginnings and ends of lives that the rows read so far show; to be asked for at the end.
    pub fn life_events(&self) -> Vec<LifeEvent> {
        self.tally.lives.events()
    }
}

/// One cell of a row.
enum Cell<'a> {
    /// Empty, `NaN`, `NA` or null.
    Missing,
    Text(&'a str),
    Whole(i64),
    Number(f64),
    /// µs; `zoned` if it is known to be UTC, otherwise local time.
    Time {
        us: i64,
        zoned: bool,
    },
    /// Of a type that no reading is made of.
    Unusable,
}

/// One row of a file.
#[derive(Clone, Copy)]
enum RowRef<'a> {
    Text(&'a csv::StringRecord),
    Columns(&'a [parquet::Column], usize),
}

impl<'a> RowRef<'a> {
    fn cell(self, column: usize) -> Cell<'a> {
        match self {
            RowRef::Text(record) => text::cell(record.get(column).unwrap_or("")),
            RowRef::Columns(columns, row) => {
                columns.get(column).map_or(Cell::Missing, |column| column.cell(row))
            }
        }
    }
}

/// A column of a file: its name, and whether it seems to hold numbers.
struct ColumnInfo {
    name: String,
    numeric: bool,
}

#[cfg(test)]
mod tests;
