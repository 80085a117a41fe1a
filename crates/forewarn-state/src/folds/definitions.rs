//! The definitions in force.

use std::sync::Arc;

use forewarn_types::{Definitions, Record};
use parking_lot::RwLock;

use super::bytes;
use crate::{Fold, Logged, Part, StateError};

const NAME: &str = "definitions";
const VERSION: u8 = 1;

/// A handle on the definitions in force; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct InForce(Arc<RwLock<Definitions>>);

impl InForce {
    /// The definitions in force.
    #[must_use]
    pub fn get(&self) -> Definitions {
        self.0.read().clone()
    }
}

/// Keeps the newest definitions. At the start they are those at the log's end.
#[derive(Debug, Default)]
pub struct DefinitionsFold(InForce);

impl DefinitionsFold {
    /// A fold that keeps `in_force` up to date.
    #[must_use]
    pub const fn new(in_force: InForce) -> Self {
        Self(in_force)
    }

    /// `definitions` as [`Fold::snapshot`] gives them.
    pub(crate) fn encode(definitions: &Definitions) -> Result<Vec<u8>, StateError> {
        bytes::encode(NAME, VERSION, definitions)
    }
}

impl Fold for DefinitionsFold {
    fn name(&self) -> &'static str {
        NAME
    }

    fn apply(&mut self, records: &[Logged]) {
        let newest = records.iter().rev().find_map(|(_, record)| match record.as_ref() {
            Record::Definitions(definitions) => Some(definitions),
            _ => None,
        });
        if let Some(definitions) = newest {
            self.0.0.write().clone_from(definitions);
        }
    }

    fn snapshot(&self) -> Result<Part, StateError> {
        Ok(Self::encode(&self.0.0.read())?.into())
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<(), StateError> {
        *self.0.0.write() = bytes::decode(NAME, VERSION, bytes)?;
        Ok(())
    }

    fn reset(&mut self) {
        *self.0.0.write() = Definitions::default();
    }

    /// A snapshot may know of newer definitions for a while. Where it is restored, the log still leads to the
    /// same ones.
    fn preview(&mut self, records: &[Logged]) -> Result<(), StateError> {
        self.apply(records);
        Ok(())
    }
}
