//! The owner of the definitions, as a stage. It watches their folders and takes requests of the API. What it
//! finds it checks as a whole, and puts in force at one offset of the log, or refuses with all mistakes while
//! the former definitions stay in force.
//!
//! The folders are looked at again and again, since notices of changes do not come from every file system.
//! A file that is being written is left alone until two looks have found it the same. What a look reads is
//! whole: half a file that happens to be valid would end alerts.

mod counts;
mod folders;
mod proposals;
mod standing;

use std::sync::Arc;
use std::time::Duration;

use forewarn_batch::SchedulerHandle;
use forewarn_ingest::Intake;
use forewarn_models::ModelService;
use forewarn_query::QueryEngine;
use forewarn_sources::SourceHandles;
use forewarn_spec::{Diagnostic, Diagnostics, MaintenanceConfig, NotifyConfig, Refused, Source};
use forewarn_state::{DefinitionsRequest, LiveDefinitions};
use forewarn_types::{Clock, DefinitionChange, Definitions, Journal, JournalError, Offset, Record};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use self::counts::Counts;
use self::folders::{Folders, Stamps};
use super::open::Starting;
use crate::config::Texts;
use crate::jobs;

/// How often the folders are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Every so many looks all files are read, though nothing seems to have changed: not every file system notes
/// every change.
const READ_EVERY: u32 = 25;

/// What works by the definitions.
pub(super) struct Workers {
    pub(super) sources: SourceHandles,
    pub(super) scheduler: SchedulerHandle,
    pub(super) models: ModelService,
    pub(super) queries: QueryEngine,
    pub(super) upkeep: MaintenanceConfig,
    /// For the check of sources.
    pub(super) intake: Arc<Intake>,
    /// For the check of routes: the contacts they may name.
    pub(super) notify: NotifyConfig,
}

/// The owner of the definitions.
pub(super) struct Owner {
    folders: Folders,
    journal: Arc<dyn Journal>,
    clock: Arc<dyn Clock>,
    live: LiveDefinitions,
    requests: mpsc::Receiver<DefinitionsRequest>,
    workers: Workers,
    /// The texts in force.
    in_force: Definitions,
    /// What of them this version does not load.
    left_out: Vec<Refused>,
    offset: Option<Offset>,
    /// What the folders held when they were judged last, and the mistakes found.
    judged: Texts,
    mistakes: Diagnostics,
    /// Why the folders are not in force, if that is no mistake in a file.
    problem: Option<String>,
    /// What the last look saw; `None`: nothing that was judged.
    stamps: Option<Stamps>,
    settled: bool,
    looks: u32,
    counts: Counts,
}

/// What the owner begins with.
pub(super) struct OwnerParts {
    pub(super) folders: Folders,
    pub(super) journal: Arc<dyn Journal>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) live: LiveDefinitions,
    pub(super) requests: mpsc::Receiver<DefinitionsRequest>,
    pub(super) workers: Workers,
}

/// Where definitions come from.
struct From {
    by: &'static str,
    actor: Option<String>,
}

impl Owner {
    /// Puts it together; `starting` is what the server has begun with.
    pub(super) fn build(parts: OwnerParts, starting: Starting) -> Self {
        let OwnerParts { folders, journal, clock, live, requests, workers } = parts;
        let owner = Self {
            folders,
            journal,
            clock,
            live,
            requests,
            workers,
            in_force: starting.in_force,
            left_out: starting.left_out,
            offset: starting.offset,
            judged: starting.on_disk,
            mistakes: starting.mistakes,
            problem: None,
            stamps: None,
            settled: false,
            looks: 0,
            counts: Counts::default(),
        };
        owner.show();
        owner
    }

    /// Keeps the definitions until `shutdown`.
    ///
    /// # Errors
    /// [`JournalError::Stopped`] if the log takes nothing any more.
    pub(super) async fn run(mut self, shutdown: CancellationToken) -> Result<(), JournalError> {
        let mut pace = tokio::time::interval(LOOK_EVERY);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                Some(request) = self.requests.recv() => self.answer(request).await?,
                _ = pace.tick() => self.look().await?,
            }
        }
    }

    /// Looks at the folders, and judges what they hold once it has settled.
    async fn look(&mut self) -> Result<(), JournalError> {
        let stamps = match self.folders.stamps().await {
            Ok(stamps) => stamps,
            Err(error) => {
                self.settled = false;
                self.set_problem(Some(format!("{error:#}; the definitions in force stay")));
                return Ok(());
            }
        };
        self.looks += 1;
        let is_same = self.stamps.replace(stamps.clone()) == Some(stamps);
        let is_due = !self.settled || self.looks.is_multiple_of(READ_EVERY);
        if !is_same {
            self.settled = false;
            return Ok(());
        }
        if !is_due {
            return Ok(());
        }
        let texts = match self.folders.read().await {
            Ok(texts) => texts,
            Err(error) => {
                self.set_problem(Some(format!("{error:#}; the definitions in force stay")));
                return Ok(());
            }
        };
        self.settled = true;
        if texts == self.judged && self.problem.is_none() {
            return Ok(());
        }
        if texts.pipelines.is_empty() && !self.in_force.files.is_empty() {
            let folder = self.folders.pipelines.display();
            self.set_problem(Some(format!(
                "there is no pipeline in {folder} any more; those in force stay, as the folder may only be \
                 away: to drop all rules, run `forewarn apply`"
            )));
            return Ok(());
        }
        self.take(texts, From { by: "file", actor: None }).await
    }

    /// Puts what the folders hold in force, or refuses it.
    async fn take(&mut self, texts: Texts, from: From) -> Result<(), JournalError> {
        let checked = self.check(&texts);
        self.judged = texts.clone();
        self.problem = None;
        match checked {
            Ok(definitions) => {
                self.mistakes = Diagnostics::default();
                match self.put_in_force(&texts, definitions, from).await {
                    Ok(_) => {}
                    Err(error @ JournalError::Stopped(_)) => return Err(error),
                    Err(error) => {
                        // It is tried again at the next look.
                        self.settled = false;
                        self.set_problem(Some(format!("the log did not take the definitions: {error}")));
                    }
                }
            }
            Err(mistakes) => {
                self.counts.refusals += 1;
                if texts.to_record().has_texts_of(&self.in_force) {
                    // A version that is stricter than the one that put them in force.
                    self.mistakes = Diagnostics::default();
                } else {
                    tracing::error!(
                        "the definitions on disk have mistakes; those in force stay:\n\n{mistakes}"
                    );
                    self.mistakes = mistakes;
                }
            }
        }
        self.show();
        Ok(())
    }

    /// The definitions of `texts`, or all mistakes, those of sources that could not work included.
    fn check(&self, texts: &Texts) -> Result<forewarn_spec::Definitions, Diagnostics> {
        let definitions = texts.check(&self.workers.notify)?;
        for ((file, _), pipeline) in texts.pipelines.iter().zip(&definitions.pipelines) {
            if let Err(error) = forewarn_sources::check(&pipeline.sources, &self.workers.intake, &self.clock)
            {
                return Err(Diagnostics(vec![of_file(file, error.to_string())]));
            }
        }
        Ok(definitions)
    }

    /// Puts checked definitions in force, if they are not already: at one offset for the engine, and for what
    /// works by them right after. Gives the offset of the record.
    async fn put_in_force(
        &mut self,
        texts: &Texts,
        definitions: forewarn_spec::Definitions,
        from: From,
    ) -> Result<Option<Offset>, JournalError> {
        let mut record = texts.to_record();
        if record.has_texts_of(&self.in_force) && self.left_out.is_empty() {
            return Ok(None);
        }
        let files = self.in_force.changes_to(&record);
        let changed: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
        let changed = format!("{changed:?}");
        let time = self.clock.now();
        record.change = Some(DefinitionChange { time, actor: from.actor, by: from.by.to_owned(), files });
        let offset = self.journal.append(Record::Definitions(record.clone())).await?;
        tracing::info!(changed, %offset, by = from.by, "other definitions are in force");
        self.in_force = record;
        self.left_out.clear();
        self.offset = Some(offset);
        self.counts.changes += 1;
        let definitions = Arc::new(definitions);
        self.live.set(Arc::clone(&definitions));
        self.workers.update(&definitions).await;
        Ok(Some(offset))
    }

    fn set_problem(&mut self, problem: Option<String>) {
        if self.problem != problem {
            if let Some(problem) = &problem {
                tracing::error!(problem, "the definitions on disk are not in force");
            }
            self.problem = problem;
            self.show();
        }
    }
}

impl Workers {
    /// Has all work by `definitions`. What is defined as before is not touched.
    async fn update(&self, definitions: &forewarn_spec::Definitions) {
        self.models.update(definitions.models.clone()).await;
        let jobs = jobs::of(definitions, self.upkeep.clone(), &self.queries, &self.models);
        if let Err(error) = self.scheduler.update(jobs).await {
            tracing::error!(%error, "the jobs stay as they are");
        }
        self.sources.update(all_sources(definitions));
    }
}

/// The sources of all pipelines.
pub(super) fn all_sources(definitions: &forewarn_spec::Definitions) -> impl Iterator<Item = &Source> {
    definitions.pipelines.iter().flat_map(|pipeline| &pipeline.sources)
}

/// A mistake of a file as a whole.
fn of_file(file: &str, message: String) -> Diagnostic {
    Diagnostic { file: file.to_owned(), line: 0, column: 0, message, hint: None, source: String::new() }
}

pub(super) use self::folders::Folders as DefinitionFolders;
