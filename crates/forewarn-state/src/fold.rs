//! What a fold is, and the list of all of them.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use forewarn_types::{BoxFuture, Offset, Record};

use crate::StateError;

/// A record and where it stands in the log.
pub type Logged = (Offset, Arc<Record>);

/// The state of folds at one offset, as bytes, by the name of the fold.
pub type Parts = BTreeMap<String, Vec<u8>>;

/// A fold's part of a snapshot.
pub enum Part {
    /// Its state as bytes.
    Ready(Vec<u8>),
    /// The same, once all that it rests on is durable: the fold is ahead of what it was given.
    Durable(BoxFuture<'static, Result<Vec<u8>, StateError>>),
}

impl From<Vec<u8>> for Part {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Ready(bytes)
    }
}

/// Parts that are to come, by the name of the fold.
pub type PartsToCome = Vec<(String, BoxFuture<'static, Result<Vec<u8>, StateError>>)>;

/// What a fold that judges wants.
#[derive(Debug, Default)]
pub struct Decisions {
    /// Records to append, in this order.
    pub records: Vec<Record>,
    /// What was wrong with the records judged, for the operator.
    pub problems: Vec<String>,
}

/// State that is computed from the log record by record, kept in snapshots, and computed again after a crash.
///
/// To add one: a file in `folds/`, and a line in the list that the wiring gives (`forewarn/src/server/`).
pub trait Fold: Send {
    /// The name of its state in snapshots. It never changes.
    fn name(&self) -> &'static str;

    /// Takes in records that follow on those before, once all that was decided on them is durable.
    fn apply(&mut self, records: &[Logged]);

    /// The state as bytes, which begin with the version of their form.
    ///
    /// # Errors
    /// If it cannot be encoded.
    fn snapshot(&self) -> Result<Part, StateError>;

    /// Replaces the state by the one that [`Fold::snapshot`] gave, in this version or an earlier one.
    ///
    /// # Errors
    /// If the bytes are not of a version that this program knows.
    fn restore(&mut self, bytes: &[u8]) -> Result<(), StateError>;

    /// Goes back to the state of before any record.
    fn reset(&mut self);

    /// Sees what the log holds behind the snapshot, before the server takes anything in. For what must be
    /// known by then; [`Fold::apply`] is called with the same records later.
    ///
    /// # Errors
    /// If the records do not fit the state.
    fn preview(&mut self, _records: &[Logged]) -> Result<(), StateError> {
        Ok(())
    }

    /// Whether it decides on records, in [`Fold::judge`].
    fn judges(&self) -> bool {
        false
    }

    /// Takes in records before the folds that do not judge, and says what is to be appended because of them.
    fn judge(&mut self, _records: &[Logged], _decisions: &mut Decisions) {}
}

/// All folds.
pub struct Folds(Vec<Box<dyn Fold>>);

impl Folds {
    /// The folds of `list`.
    #[must_use]
    pub fn new(list: Vec<Box<dyn Fold>>) -> Self {
        Self(list)
    }

    /// Replaces the state of every fold by that in `parts`. A fold that is not in there did not exist when
    /// the snapshot was taken, and has the state of before any record: no record of its kind was there
    /// either.
    ///
    /// # Errors
    /// If a part cannot be used, or is that of a fold that this program does not have: its state would be
    /// lost with the next snapshot.
    pub fn restore(&mut self, parts: &Parts) -> Result<(), StateError> {
        if let Some(unknown) =
            parts.keys().find(|name| self.0.iter().all(|fold| fold.name() != name.as_str()))
        {
            let problem =
                format!("it holds the state of `{unknown}`, which this version of forewarn does not know");
            return Err(StateError::Snapshot(problem));
        }
        for fold in &mut self.0 {
            match parts.get(fold.name()) {
                Some(bytes) => fold.restore(bytes)?,
                None => fold.reset(),
            }
        }
        Ok(())
    }

    pub(crate) fn reset(&mut self) {
        self.0.iter_mut().for_each(|fold| fold.reset());
    }

    pub(crate) fn preview(&mut self, records: &[Logged]) -> Result<(), StateError> {
        self.0.iter_mut().try_for_each(|fold| fold.preview(records))
    }

    pub(crate) fn judge(&mut self, records: &[Logged]) -> Decisions {
        let mut decisions = Decisions::default();
        for fold in self.0.iter_mut().filter(|fold| fold.judges()) {
            fold.judge(records, &mut decisions);
        }
        decisions
    }

    pub(crate) fn apply(&mut self, records: &[Logged]) {
        self.0.iter_mut().for_each(|fold| fold.apply(records));
    }

    /// The state of the folds that judge. With it [`Folds::parts`] gives the state of all folds as of now
    /// even after the next records have been judged.
    pub(crate) fn judging_parts(&self) -> Result<Parts, StateError> {
        let mut parts = Parts::new();
        for fold in self.0.iter().filter(|fold| fold.judges()) {
            if let Part::Ready(bytes) = fold.snapshot()? {
                parts.insert(fold.name().to_owned(), bytes);
            }
        }
        Ok(parts)
    }

    /// The state of all folds; of those in `before` the one there. Beside it what is to come.
    pub(crate) fn parts(&self, before: Option<&Parts>) -> Result<(Parts, PartsToCome), StateError> {
        let (mut parts, mut to_come) = (before.cloned().unwrap_or_default(), PartsToCome::new());
        for fold in &self.0 {
            if parts.contains_key(fold.name()) {
                continue;
            }
            match fold.snapshot()? {
                Part::Ready(bytes) => drop(parts.insert(fold.name().to_owned(), bytes)),
                Part::Durable(bytes) => to_come.push((fold.name().to_owned(), bytes)),
            }
        }
        Ok((parts, to_come))
    }
}
