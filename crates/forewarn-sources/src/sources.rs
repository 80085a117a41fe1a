//! All sources of a server, as one stage. Which there are can change while it runs: those whose definition
//! stays the same keep their connection; of the others the old one ends, having acknowledged what became
//! durable, before the new one begins. So no two connections have the same name at the other side, which
//! keeps what is not acknowledged.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use forewarn_ingest::Intake;
use forewarn_spec::Source as Definition;
use forewarn_types::Clock;
use parking_lot::RwLock;
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::error::SourceError;
use crate::kinds;
use crate::stage::Stage;
use crate::status::SourceHandle;

/// The sources that the pipelines define, ready to run.
pub struct Sources {
    intake: Arc<Intake>,
    clock: Arc<dyn Clock>,
    shared: SourceHandles,
    /// What is to run, in the order of the pipelines.
    wanted: Vec<Wanted>,
    changes: mpsc::UnboundedReceiver<Vec<Definition>>,
    /// What ends each that has begun and not ended.
    running: BTreeMap<String, CancellationToken>,
    tasks: JoinSet<Ended>,
}

/// Which source has ended, and how.
type Ended = (String, Result<(), SourceError>);

/// A source that is to run.
struct Wanted {
    name: String,
    definition: Definition,
    /// It has not begun.
    stage: Option<Stage>,
    handle: SourceHandle,
}

/// The sources of a server, for those who look at them or change which there are. Cheap to clone.
#[derive(Clone)]
pub struct SourceHandles {
    handles: Arc<RwLock<Vec<SourceHandle>>>,
    changes: mpsc::UnboundedSender<Vec<Definition>>,
}

impl SourceHandles {
    /// Figures and dead letters of each source, in the order of the pipelines.
    #[must_use]
    pub fn list(&self) -> Vec<SourceHandle> {
        self.handles.read().clone()
    }

    /// Has the sources be those of `definitions`, which [`check`] has found in order.
    pub fn update<'d>(&self, definitions: impl IntoIterator<Item = &'d Definition>) {
        // After the end of the stage nothing is there to be changed.
        let _sent = self.changes.send(definitions.into_iter().cloned().collect());
    }

    /// Handles that nothing stands behind, for tests of those who look at them.
    #[must_use]
    pub fn of(handles: Vec<SourceHandle>) -> Self {
        Self { handles: Arc::new(RwLock::new(handles)), changes: mpsc::unbounded_channel().0 }
    }
}

/// Says whether all of `definitions` can work.
///
/// # Errors
/// [`SourceError::Setup`] for the first one that cannot.
pub fn check<'d>(
    definitions: impl IntoIterator<Item = &'d Definition>,
    intake: &Arc<Intake>,
    clock: &Arc<dyn Clock>,
) -> Result<(), SourceError> {
    named(definitions).into_iter().try_for_each(|(name, definition)| {
        let handle = SourceHandle::new(name, definition.kind(), Arc::clone(clock));
        kinds::prepare(definition, &handle, intake).map(drop)
    })
}

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
        let (sender, changes) = mpsc::unbounded_channel();
        let mut sources = Self {
            intake: Arc::clone(intake),
            clock: Arc::clone(clock),
            shared: SourceHandles { handles: Arc::default(), changes: sender },
            wanted: Vec::new(),
            changes,
            running: BTreeMap::new(),
            tasks: JoinSet::new(),
        };
        let definitions: Vec<Definition> = definitions.into_iter().cloned().collect();
        sources.want(&definitions)?;
        Ok(sources)
    }

    /// The sources, also while they run.
    #[must_use]
    pub fn handles(&self) -> SourceHandles {
        self.shared.clone()
    }

    /// Receives until `shutdown`. If one source ends with an error, so do the others.
    ///
    /// # Errors
    /// [`SourceError::Intake`] if the log has stopped.
    pub async fn run(mut self, shutdown: CancellationToken) -> Result<(), SourceError> {
        let stop = shutdown.child_token();
        let mut outcome = Ok(());
        self.begin(&stop);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                Some(definitions) = self.changes.recv() => {
                    if let Err(error) = self.want(&definitions) {
                        tracing::error!(%error, "the sources stay as they are");
                    }
                    self.begin(&stop);
                }
                Some(ended) = self.tasks.join_next() => {
                    outcome = self.ended(ended);
                    if outcome.is_err() {
                        stop.cancel();
                    }
                    self.begin(&stop);
                }
            }
        }
        while let Some(ended) = self.tasks.join_next().await {
            let ended = self.ended(ended);
            outcome = outcome.and(ended);
        }
        outcome
    }

    /// Has the sources be those of `definitions`. Those that are there already stay; others are asked to end.
    pub(crate) fn want(&mut self, definitions: &[Definition]) -> Result<(), SourceError> {
        let is_there = |one: &Wanted, name: &str, definition: &Definition| {
            one.name == name && one.definition == *definition
        };
        // All new ones are prepared before anything changes.
        let mut new = Vec::new();
        for (name, definition) in named(definitions) {
            if !self.wanted.iter().any(|one| is_there(one, &name, definition)) {
                let handle = SourceHandle::new(name.clone(), definition.kind(), Arc::clone(&self.clock));
                let stage = Some(kinds::prepare(definition, &handle, &self.intake)?);
                new.push(Wanted { name, definition: definition.clone(), stage, handle });
            }
        }
        let names: BTreeSet<String> = new.iter().map(|one| one.name.clone()).collect();
        let mut all = std::mem::take(&mut self.wanted);
        all.retain(|one| !names.contains(&one.name));
        all.append(&mut new);
        for (name, definition) in named(definitions) {
            if let Some(place) = all.iter().position(|one| is_there(one, &name, definition)) {
                self.wanted.push(all.swap_remove(place));
            }
        }
        let is_kept = |name: &str| !names.contains(name) && self.wanted.iter().any(|one| one.name == name);
        self.running.iter().filter(|(name, _)| !is_kept(name)).for_each(|(_, stop)| stop.cancel());
        *self.shared.handles.write() = self.wanted.iter().map(|one| one.handle.clone()).collect();
        Ok(())
    }

    /// Begins with what is to run and has not begun, unless one of the same name has still to end.
    fn begin(&mut self, stop: &CancellationToken) {
        for one in &mut self.wanted {
            if self.running.contains_key(&one.name) {
                continue;
            }
            let Some(stage) = one.stage.take() else { continue };
            let (name, stop) = (one.name.clone(), stop.child_token());
            self.running.insert(name.clone(), stop.clone());
            self.tasks.spawn(async move { (name, stage.run(stop).await) });
        }
    }

    fn ended(&mut self, ended: Result<Ended, JoinError>) -> Result<(), SourceError> {
        let (name, outcome) = ended.map_err(|error| SourceError::BrokeOff(error.to_string()))?;
        self.running.remove(&name);
        outcome
    }
}

/// Each of `definitions` with a name that no other one has.
fn named<'d>(definitions: impl IntoIterator<Item = &'d Definition>) -> Vec<(String, &'d Definition)> {
    let mut names = BTreeSet::new();
    definitions.into_iter().map(|definition| (unused(definition.name(), &mut names), definition)).collect()
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
