//! The branch driven by its caller, step by step: what a simulation needs, since a stage that follows its own
//! timers does the same twice only by chance.

use std::sync::Arc;

use forewarn_types::Offset;

use super::{Branch, round};
use crate::error::LakeError;

impl Branch {
    /// What [`Branch::run`] does first. Where reading begins comes back.
    ///
    /// # Errors
    /// As there.
    pub async fn begin(&mut self) -> Result<Offset, LakeError> {
        self.check_log().await
    }

    /// Takes at most `max_records` of what the log holds from `from` on, where the tail ends, into the tail.
    /// Where it ends then comes back.
    ///
    /// # Errors
    /// [`LakeError::Log`] if the log cannot be read.
    pub fn take_in(&mut self, from: Offset, max_records: usize) -> Result<Offset, LakeError> {
        let records = self
            .log
            .read(from, max_records, usize::MAX)
            .map_err(|error| LakeError::Log(error.to_string()))?;
        let next = records.last().map_or(from, |(offset, _)| offset.next());
        self.writer.take_in(records, next);
        Ok(next)
    }

    /// Commits the tail as it is now. The offset up to which everything is in the lake comes back.
    ///
    /// # Errors
    /// Why it failed. [`LakeError::is_retryable`] says whether [`Branch::run`] would try again.
    pub async fn commit(&mut self) -> Result<Offset, LakeError> {
        round(&self.writer, Arc::clone(&self.log)).await
    }
}
