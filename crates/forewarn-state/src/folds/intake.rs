//! The intake's memory: all series, their newest times, recent readings.

use std::sync::Arc;

use forewarn_ingest::{Intake, IntakeState};

use super::bytes;
use crate::{Fold, Logged, Part, Parts, StateError};

const NAME: &str = "intake";
const VERSION: u8 = 1;

/// The memory of an intake, which keeps it up to date itself once the start is over: it knows of readings
/// before they are durable.
pub struct IntakeFold(Arc<Intake>);

impl IntakeFold {
    /// The memory of `intake`.
    #[must_use]
    pub const fn new(intake: Arc<Intake>) -> Self {
        Self(intake)
    }

    /// The intake's memory in the parts of a snapshot. It may be newer than the snapshot's offset.
    ///
    /// # Errors
    /// If there is none that this program can read.
    pub fn memory_in(parts: &Parts) -> Result<IntakeState, StateError> {
        bytes::decode(NAME, VERSION, parts.get(NAME).map_or(&[], Vec::as_slice))
    }

    /// `state` as [`Fold::snapshot`] gives it.
    pub(crate) fn encode(state: &IntakeState) -> Result<Vec<u8>, StateError> {
        bytes::encode(NAME, VERSION, state)
    }
}

impl Fold for IntakeFold {
    fn name(&self) -> &'static str {
        NAME
    }

    fn apply(&mut self, _records: &[Logged]) {}

    fn snapshot(&self) -> Result<Part, StateError> {
        let intake = Arc::clone(&self.0);
        Ok(Part::Durable(Box::pin(async move { Self::encode(&intake.state().await?) })))
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<(), StateError> {
        Ok(self.0.restore(&bytes::decode(NAME, VERSION, bytes)?)?)
    }

    fn reset(&mut self) {
        self.0.reset();
    }

    fn preview(&mut self, records: &[Logged]) -> Result<(), StateError> {
        Ok(records.iter().try_for_each(|(offset, record)| self.0.replay(*offset, record))?)
    }
}
