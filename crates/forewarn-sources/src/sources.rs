//! All sources of a server, as one stage.

use std::collections::BTreeSet;
use std::sync::Arc;

use forewarn_ingest::Intake;
use forewarn_spec::Source as Definition;
use forewarn_types::Clock;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::error::SourceError;
use crate::kinds;
use crate::stage::Stage;
use crate::status::SourceHandle;

/// The sources that the pipelines define, ready to run.
pub struct Sources(Vec<Stage>);

impl Sources {
    /// Prepares the sources; nothing is connected yet.
    ///
    /// # Errors
    /// [`SourceError::Setup`] if a definition cannot work.
    pub fn build<'d>(
        definitions: impl IntoIterator<Item = &'d Definition>,
        intake: &Arc<Intake>,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, SourceError> {
        let mut names = BTreeSet::new();
        let stages = definitions.into_iter().map(|definition| {
            let name = unused(definition.name(), &mut names);
            let handle = SourceHandle::new(name, definition.kind(), Arc::clone(clock));
            kinds::prepare(definition, &handle, intake)
        });
        Ok(Self(stages.collect::<Result<_, _>>()?))
    }

    /// Figures and dead letters of each source, also while they run.
    #[must_use]
    pub fn handles(&self) -> Vec<SourceHandle> {
        self.0.iter().map(Stage::handle).cloned().collect()
    }

    /// Receives until `shutdown`. If one source ends with an error, so do the others.
    ///
    /// # Errors
    /// [`SourceError::Intake`] if the log has stopped.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), SourceError> {
        let stop = shutdown.child_token();
        let mut running = JoinSet::new();
        for stage in self.0 {
            running.spawn(stage.run(stop.clone()));
        }
        let mut outcome = Ok(());
        while let Some(ended) = running.join_next().await {
            let ended = ended.unwrap_or_else(|error| Err(SourceError::BrokeOff(error.to_string())));
            if ended.is_err() {
                stop.cancel();
            }
            outcome = outcome.and(ended);
        }
        // A server without sources has this stage all the same.
        if outcome.is_ok() {
            shutdown.cancelled().await;
        }
        outcome
    }
}

/// `name`, or with a number behind it if another source has it: one client identifier may be used at two
/// brokers.
fn unused(name: &str, names: &mut BTreeSet<String>) -> String {
    let numbered = (2..).map(|number| format!("{name}-{number}"));
    let name = std::iter::once(name.to_owned())
        .chain(numbered)
        .find(|name| !names.contains(name))
        .unwrap_or_default();
    names.insert(name.clone());
    name
}
