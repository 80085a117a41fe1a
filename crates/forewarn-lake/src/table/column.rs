//! Typed columns of rows: the small, plain form in which rows stand between the log, Parquet and an answer.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray,
};
use forewarn_types::Timestamp;

use super::schema::ColumnType;

/// The values of one column; `None` is null.
#[derive(Debug, Clone, PartialEq)]
pub enum ColumnData {
    /// True or false.
    Bool(Vec<Option<bool>>),
    /// 64-bit integers.
    Int(Vec<Option<i64>>),
    /// 64-bit floats.
    Float(Vec<Option<f64>>),
    /// Texts.
    Text(Vec<Option<String>>),
    /// Points in time, UTC.
    Time(Vec<Option<Timestamp>>),
}

/// One value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cell<'a> {
    /// No value.
    Null,
    /// True or false.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A float; not finite values are possible.
    Float(f64),
    /// A text.
    Text(&'a str),
    /// A point in time, UTC.
    Time(Timestamp),
}

impl ColumnData {
    /// An empty column of that type.
    #[must_use]
    pub const fn empty(ty: ColumnType) -> Self {
        match ty {
            ColumnType::Bool => Self::Bool(Vec::new()),
            ColumnType::Int => Self::Int(Vec::new()),
            ColumnType::Float => Self::Float(Vec::new()),
            ColumnType::Text => Self::Text(Vec::new()),
            ColumnType::Time => Self::Time(Vec::new()),
        }
    }

    /// A column of that type with so many rows without a value.
    #[must_use]
    pub fn nulls(ty: ColumnType, rows: usize) -> Self {
        match ty {
            ColumnType::Bool => Self::Bool(vec![None; rows]),
            ColumnType::Int => Self::Int(vec![None; rows]),
            ColumnType::Float => Self::Float(vec![None; rows]),
            ColumnType::Text => Self::Text(vec![None; rows]),
            ColumnType::Time => Self::Time(vec![None; rows]),
        }
    }

    /// What it holds.
    #[must_use]
    pub const fn ty(&self) -> ColumnType {
        match self {
            Self::Bool(_) => ColumnType::Bool,
            Self::Int(_) => ColumnType::Int,
            Self::Float(_) => ColumnType::Float,
            Self::Text(_) => ColumnType::Text,
            Self::Time(_) => ColumnType::Time,
        }
    }

    /// How many values there are, nulls included.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Bool(v) => v.len(),
            Self::Int(v) => v.len(),
            Self::Float(v) => v.len(),
            Self::Text(v) => v.len(),
            Self::Time(v) => v.len(),
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value of `row`; null behind the end.
    #[must_use]
    pub fn cell(&self, row: usize) -> Cell<'_> {
        match self {
            Self::Bool(v) => v.get(row).copied().flatten().map_or(Cell::Null, Cell::Bool),
            Self::Int(v) => v.get(row).copied().flatten().map_or(Cell::Null, Cell::Int),
            Self::Float(v) => v.get(row).copied().flatten().map_or(Cell::Null, Cell::Float),
            Self::Text(v) => v.get(row).and_then(Option::as_deref).map_or(Cell::Null, Cell::Text),
            Self::Time(v) => v.get(row).copied().flatten().map_or(Cell::Null, Cell::Time),
        }
    }

    /// Adds `cell` at the end; one of another type than the column's becomes null.
    pub(crate) fn push(&mut self, cell: Cell<'_>) {
        match (self, cell) {
            (Self::Bool(v), cell) => v.push(if let Cell::Bool(x) = cell { Some(x) } else { None }),
            (Self::Int(v), cell) => v.push(if let Cell::Int(x) = cell { Some(x) } else { None }),
            (Self::Float(v), cell) => v.push(if let Cell::Float(x) = cell { Some(x) } else { None }),
            (Self::Text(v), cell) => v.push(if let Cell::Text(x) = cell { Some(x.to_owned()) } else { None }),
            (Self::Time(v), cell) => v.push(if let Cell::Time(x) = cell { Some(x) } else { None }),
        }
    }

    /// The same values as a column of type `ty`, if they fit: integers become floats, and a column of nulls
    /// becomes anything.
    pub(crate) fn fit(&self, ty: ColumnType) -> Option<Self> {
        if self.ty() == ty {
            return Some(self.clone());
        }
        if let (Self::Int(values), ColumnType::Float) = (self, ty) {
            return Some(Self::Float(values.iter().map(|value| value.map(|value| value as f64)).collect()));
        }
        if (0..self.len()).any(|row| self.cell(row) != Cell::Null) {
            return None;
        }
        let mut nulls = Self::empty(ty);
        (0..self.len()).for_each(|_| nulls.push(Cell::Null));
        Some(nulls)
    }

    pub(crate) fn to_arrow(&self) -> ArrayRef {
        match self {
            Self::Bool(v) => Arc::new(v.iter().copied().collect::<BooleanArray>()),
            Self::Int(v) => Arc::new(v.iter().copied().collect::<Int64Array>()),
            Self::Float(v) => Arc::new(v.iter().copied().collect::<Float64Array>()),
            Self::Text(v) => Arc::new(v.iter().map(Option::as_deref).collect::<StringArray>()),
            Self::Time(v) => Arc::new(
                v.iter()
                    .map(|time| time.map(|time| time.0))
                    .collect::<TimestampMicrosecondArray>()
                    .with_timezone("UTC"),
            ),
        }
    }
}
