//! Interned series: `(asset, signal)` ↔ a dense [`SeriesId`].
//!
//! Ids are given in the order of first appearance and never change. The log holds a [`crate::Record::Series`]
//! before the first batch that uses an id, so the table is a fold over the log; here is only its form in
//! memory.

use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;
use serde::{Deserialize, Serialize};

use crate::{AssetPath, SignalName, TypesError, check_asset, check_signal};

/// A dense number for one signal of one asset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SeriesId(pub u32);

impl SeriesId {
    /// As an index into a vector with one element a series.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// What a [`SeriesId`] stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeriesDef {
    /// The number.
    pub id: SeriesId,
    /// The asset's path.
    pub asset: AssetPath,
    /// The signal's name.
    pub signal: SignalName,
}

/// The table of all series, bounded in number.
#[derive(Debug)]
pub struct SeriesTable {
    defs: Vec<SeriesDef>,
    by_name: HashTable<u32>,
    hasher: RandomState,
    max_series: usize,
}

impl SeriesTable {
    /// An empty table that holds at most `max_series` series.
    #[must_use]
    pub fn new(max_series: usize) -> Self {
        Self { defs: Vec::new(), by_name: HashTable::new(), hasher: RandomState::new(), max_series }
    }

    /// The id of a known series.
    #[must_use]
    pub fn get(&self, asset: &str, signal: &str) -> Option<SeriesId> {
        let hash = self.hasher.hash_one((asset, signal));
        let same = |&index: &u32| {
            let def = &self.defs[index as usize];
            *def.asset == *asset && *def.signal == *signal
        };
        self.by_name.find(hash, same).map(|&index| SeriesId(index))
    }

    /// The id of a series, which is added if it is new; the second value says so. Names are checked only when
    /// they are new.
    ///
    /// # Errors
    /// A name that breaks the rules, or [`TypesError::TooManySeries`].
    pub fn intern(&mut self, asset: &str, signal: &str) -> Result<(SeriesId, bool), TypesError> {
        if let Some(id) = self.get(asset, signal) {
            return Ok((id, false));
        }
        check_asset(asset)?;
        check_signal(signal)?;
        if self.defs.len() >= self.max_series {
            return Err(TypesError::TooManySeries(self.max_series));
        }
        let id =
            SeriesId(u32::try_from(self.defs.len()).map_err(|_| TypesError::TooManySeries(self.max_series))?);
        self.push(SeriesDef { id, asset: asset.into(), signal: signal.into() });
        Ok((id, true))
    }

    /// Adds a definition read from the log. One that is already known is passed over.
    ///
    /// # Errors
    /// [`TypesError::Decode`] if the id leaves a hole: records are missing.
    pub fn restore(&mut self, def: SeriesDef) -> Result<(), TypesError> {
        match def.id.index() {
            i if i < self.defs.len() => Ok(()),
            i if i == self.defs.len() => {
                self.push(def);
                Ok(())
            }
            i => Err(TypesError::Decode(format!(
                "series {i} is defined, but series {} before it is not",
                self.defs.len()
            ))),
        }
    }

    /// What `id` stands for.
    #[must_use]
    pub fn def(&self, id: SeriesId) -> Option<&SeriesDef> {
        self.defs.get(id.index())
    }

    /// All definitions, by id.
    #[must_use]
    pub fn defs(&self) -> &[SeriesDef] {
        &self.defs
    }

    /// How many series there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.defs.len()
    }

    /// Whether there is no series yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.defs.is_empty()
    }

    fn push(&mut self, def: SeriesDef) {
        let Self { defs, by_name, hasher, .. } = self;
        let hash = hasher.hash_one((&*def.asset, &*def.signal));
        let index = def.id.0;
        defs.push(def);
        by_name.insert_unique(hash, index, |&other| {
            let def = &defs[other as usize];
            hasher.hash_one((&*def.asset, &*def.signal))
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_dense_stable_and_bounded() {
        let mut table = SeriesTable::new(2);
        assert_eq!(table.intern("a", "x"), Ok((SeriesId(0), true)));
        assert_eq!(table.intern("a", "y"), Ok((SeriesId(1), true)));
        assert_eq!(table.intern("a", "x"), Ok((SeriesId(0), false)));
        assert_eq!(table.intern("b", "x"), Err(TypesError::TooManySeries(2)));
        assert_eq!(table.get("a", "y"), Some(SeriesId(1)));
        assert_eq!(table.get("ay", ""), None);
    }

    #[test]
    fn restore_refuses_holes() {
        let mut table = SeriesTable::new(10);
        let def = |id| SeriesDef { id: SeriesId(id), asset: "a".into(), signal: format!("s{id}").into() };
        assert_eq!(table.restore(def(0)), Ok(()));
        assert_eq!(table.restore(def(0)), Ok(()));
        assert!(table.restore(def(2)).is_err());
        assert_eq!(table.len(), 1);
    }
}
