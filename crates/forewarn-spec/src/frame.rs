//! Frames: what a job makes of the readings of several signals, side by side on a time grid.

use forewarn_types::SignalName;

use crate::expr::Expr;
use crate::glob::AssetGlob;

/// A table of one row for each asset and step of a time grid in which one of its signals has a reading.
#[derive(Debug, Clone)]
pub struct Frame {
    /// The assets it has rows of.
    pub assets: AssetGlob,
    /// Length of a step, µs. Steps are counted from 1970 on, in UTC.
    pub every_us: i64,
    /// The signals, in the order of their columns.
    pub signals: Vec<FrameSignal>,
    /// What a row holds of a signal without a value in its step.
    pub fill: Fill,
    /// Columns behind those of the signals. Each may use the signals and the numbers before it.
    pub columns: Vec<FrameColumn>,
    /// Rows of which this is not true are left out. It may use the signals and all columns that are numbers.
    pub filter: Option<Expr>,
}

/// A signal of a frame.
#[derive(Debug, Clone)]
pub struct FrameSignal {
    /// Its name, which is that of the column.
    pub name: SignalName,
    /// What becomes of several readings in one step.
    pub aggregate: Aggregate,
}

/// A column that is computed from others of its row.
#[derive(Debug, Clone)]
pub struct FrameColumn {
    /// Its name.
    pub name: SignalName,
    /// How it is computed: a number, or true or false.
    pub expr: Expr,
}

/// What becomes of the readings of one signal in one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Aggregate {
    Mean,
    Min,
    Max,
    Sum,
    Count,
    First,
    Last,
    /// Of a sample: one reading has none.
    Std,
    Median,
}

/// What a row holds of a signal that has no value in its step. Lengths of time are those between the starts
/// of steps, µs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fill {
    /// Nothing.
    None,
    /// The value of the newest step before that has one and is at most so old.
    Previous(i64),
    /// What lies on the line between the steps before and after that have a value and are at most so far
    /// apart.
    Linear(i64),
}
