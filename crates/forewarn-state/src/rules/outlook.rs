//! What other definitions would do, tried out on a copy of the engine: exactly what they will do if nothing
//! comes in between.

use std::sync::Arc;

use forewarn_engine::{Actions, Engine};
use forewarn_types::{AlertTransition, Definitions, Offset, Record};
use parking_lot::RwLock;

use super::{RuleSummary, Rules};
use crate::StateError;

/// What definitions would do.
#[derive(Debug)]
pub struct RulesOutlook {
    /// How alerts would change.
    pub transitions: Vec<AlertTransition>,
    /// The rules, as they would stand.
    pub rules: Vec<RuleSummary>,
}

impl Rules {
    /// What `definitions` would do now. It blocks for as long as it takes to copy the state of all rules.
    ///
    /// # Errors
    /// If the state cannot be copied.
    pub fn would(&self, definitions: &Definitions) -> Result<RulesOutlook, StateError> {
        let bytes = self.0.read().snapshot().map_err(|error| StateError::written("engine", error))?;
        let mut engine = Engine::restore(&bytes).map_err(|error| StateError::read("engine", error))?;
        drop(bytes);
        let mut actions = Actions::default();
        engine.step(Offset(u64::MAX), &Record::Definitions(definitions.clone()), &mut actions);
        let copy = Self(Arc::new(RwLock::new(engine)));
        // Nobody else has the copy, so its rules stay the same.
        let rules = copy.all(&|_| true).unwrap_or_default();
        Ok(RulesOutlook { transitions: actions.transitions, rules })
    }
}
