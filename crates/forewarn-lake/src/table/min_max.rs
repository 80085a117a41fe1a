//! The smallest and largest value of a column in a file: what lets a query skip the file.

use std::sync::Arc;

/// The smallest and largest value of a column in one file.
#[derive(Debug, Clone, PartialEq)]
pub enum MinMax {
    /// Integers.
    Int(i64, i64),
    /// Texts, in the order of their bytes.
    Text(Arc<str>, Arc<str>),
    /// µs UTC.
    Time(i64, i64),
    /// Finite, and of a column that has no NaN: readers differ in where they put it.
    Float(f64, f64),
}

impl MinMax {
    /// The bounds of both together. Those of different types have none.
    pub(crate) fn merge(&self, other: &Self) -> Option<Self> {
        match (self, other) {
            (Self::Int(a, b), Self::Int(c, d)) => Some(Self::Int(*a.min(c), *b.max(d))),
            (Self::Time(a, b), Self::Time(c, d)) => Some(Self::Time(*a.min(c), *b.max(d))),
            (Self::Float(a, b), Self::Float(c, d)) => Some(Self::Float(a.min(*c), b.max(*d))),
            (Self::Text(a, b), Self::Text(c, d)) => {
                Some(Self::Text(Arc::clone(a.min(c)), Arc::clone(b.max(d))))
            }
            _ => None,
        }
    }
}

/// The smallest and largest of some integers; without any, a pair that merges with others as none.
pub(crate) fn ends(values: impl Iterator<Item = i64>) -> (i64, i64) {
    values.fold((i64::MAX, i64::MIN), |(low, high), value| (low.min(value), high.max(value)))
}
