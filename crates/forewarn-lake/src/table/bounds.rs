//! What is known of the rows that are wanted of a table: which files and which rows of the tail can be left
//! out.

use std::collections::{BTreeMap, BTreeSet};

use super::file::DataFile;
use super::min_max::MinMax;

/// More texts than this are not worth comparing with each file.
pub const MAX_TEXTS: usize = 64;

/// What is known of the values a column must have.
#[derive(Debug, Clone, PartialEq)]
pub enum Limit {
    /// µs UTC, both ends included.
    Time(i64, i64),
    /// Both ends included.
    Int(i64, i64),
    /// One of these.
    Text(BTreeSet<String>),
}

/// What is known of a table's columns; one that is not named may have any value.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Bounds {
    /// By the name of the column.
    pub columns: BTreeMap<String, Limit>,
}

impl Bounds {
    /// Readings of these assets and signals, both ends of the time included.
    pub(crate) fn of_readings(
        assets: BTreeSet<String>,
        signals: BTreeSet<String>,
        first: i64,
        last: i64,
    ) -> Self {
        let names = [
            ("asset", Limit::Text(assets)),
            ("signal", Limit::Text(signals)),
            ("time", Limit::Time(first, last)),
        ];
        Self { columns: names.into_iter().map(|(name, limit)| (name.to_owned(), limit)).collect() }
    }

    /// Whether `file` may hold a row within these bounds.
    #[must_use]
    pub fn may_match(&self, file: &DataFile) -> bool {
        file.bounds.iter().all(|(name, bounds)| match (self.columns.get(name), bounds) {
            (Some(Limit::Time(low, high)), MinMax::Time(first, last))
            | (Some(Limit::Int(low, high)), MinMax::Int(first, last)) => first <= high && last >= low,
            (Some(Limit::Text(texts)), MinMax::Text(first, last)) => {
                texts.iter().any(|text| **first <= **text && **text <= **last)
            }
            _ => true,
        })
    }

    /// The first and last time that the column `column` may have, if that is limited.
    #[must_use]
    pub fn time(&self, column: &str) -> Option<(i64, i64)> {
        match self.columns.get(column) {
            Some(Limit::Time(low, high)) => Some((*low, *high)),
            _ => None,
        }
    }

    /// The smallest and largest integer that the column `column` may have, if that is limited.
    #[must_use]
    pub fn int(&self, column: &str) -> Option<(i64, i64)> {
        match self.columns.get(column) {
            Some(Limit::Int(low, high)) => Some((*low, *high)),
            _ => None,
        }
    }

    /// The texts that the column `column` may have, if that is limited.
    #[must_use]
    pub fn texts(&self, column: &str) -> Option<&BTreeSet<String>> {
        match self.columns.get(column) {
            Some(Limit::Text(texts)) => Some(texts),
            _ => None,
        }
    }

    /// Both hold.
    pub fn and(&mut self, column: &str, limit: Limit) {
        let merged = match (self.columns.remove(column), limit) {
            (Some(Limit::Time(a, b)), Limit::Time(c, d)) => Limit::Time(a.max(c), b.min(d)),
            (Some(Limit::Int(a, b)), Limit::Int(c, d)) => Limit::Int(a.max(c), b.min(d)),
            (Some(Limit::Text(a)), Limit::Text(b)) => Limit::Text(a.intersection(&b).cloned().collect()),
            (_, limit) => limit,
        };
        self.columns.insert(column.to_owned(), merged);
    }

    /// Either holds.
    #[must_use]
    pub fn or(self, other: &Self) -> Self {
        let both = self.columns.into_iter().filter_map(|(name, limit)| {
            let merged = match (limit, other.columns.get(&name)?) {
                (Limit::Time(a, b), Limit::Time(c, d)) => Limit::Time(a.min(*c), b.max(*d)),
                (Limit::Int(a, b), Limit::Int(c, d)) => Limit::Int(a.min(*c), b.max(*d)),
                (Limit::Text(a), Limit::Text(b)) => Limit::Text(a.union(b).cloned().collect()),
                _ => return None,
            };
            // Each file is compared with all of them.
            let many = matches!(&merged, Limit::Text(texts) if texts.len() > MAX_TEXTS);
            (!many).then_some((name, merged))
        });
        Self { columns: both.collect() }
    }
}
