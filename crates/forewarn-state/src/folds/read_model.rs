//! The read model, which the API answers from.

use crate::{Fold, Logged, Part, SharedState, State, StateError};

const NAME: &str = "read_model";

/// Keeps a shared read model up to date.
pub struct ReadModelFold(SharedState);

impl ReadModelFold {
    /// A fold that keeps `state` up to date.
    #[must_use]
    pub const fn new(state: SharedState) -> Self {
        Self(state)
    }
}

impl Fold for ReadModelFold {
    fn name(&self) -> &'static str {
        NAME
    }

    fn apply(&mut self, records: &[Logged]) {
        self.0.apply(records);
    }

    fn snapshot(&self) -> Result<Part, StateError> {
        // A copy first: encoding takes longer than copying, and readers wait for a writer that waits for it.
        let state = self.0.read().clone();
        Ok(state.to_bytes()?.into())
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<(), StateError> {
        self.0.replace(State::from_bytes(bytes)?);
        Ok(())
    }

    fn reset(&mut self) {
        self.0.replace(State::default());
    }
}
