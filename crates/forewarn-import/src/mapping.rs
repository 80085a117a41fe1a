//! Which columns of a file make readings.

use forewarn_types::Timestamp;
use serde::{Deserialize, Serialize};

use crate::columns;

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
    /// Days since 1899-12-30, as spreadsheets count them; in the zone of the mapping.
    Excel,
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
    /// The delimiter of a CSV file; by default the commonest of `,`, `;`, tab and `|` in the first line.
    pub delimiter: Option<char>,
    /// What stands before the fraction of a number, `.` or `,`; by default that is seen from the numbers.
    pub decimal: Option<char>,
    /// How many lines at the beginning of a text file are no rows; by default those that have fewer cells
    /// than all that follow.
    pub skip: Option<u64>,
    /// Lines that begin with this are no rows; by default `#`, if the file begins with such a line.
    pub comment: Option<String>,
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
    /// The columns that hold the parts of the time, such as date and clock, where it is not in one.
    pub time_columns: Vec<String>,
    /// How times are written, in the words of `strftime`: `%d/%m/%Y %H:%M:%S`.
    pub time_format: Option<String>,
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
