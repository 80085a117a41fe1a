//! One life of the program: the real log, intake, engine, branch and lake, put together as the server does
//! it, but driven step by step.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use forewarn_engine::{Actions, Engine, EngineOptions, is_news};
use forewarn_ingest::{Accepted, IngestError, Intake, IntakeLimits, IntakeState, RawBatch};
use forewarn_lake::{Branch, CONSUMER, Lake, LakeError, LakeOptions, ObjectFiles};
use forewarn_log::{LocalLog, Log, LogError, LogOptions, WriterMode};
use forewarn_types::{
    AlertTransition, BoxFuture, Clock, Definitions, JournalError, Offset, Record, SeriesTable,
};
use futures::FutureExt as _;
use parking_lot::{Mutex, RwLock};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::disk::{Platter, SimDisk};
use crate::ledger::ROOT;
use crate::store::{Objects, SimStore};
use crate::world::World;

/// The log's name for the real-time path.
const STATE: &str = "state";
const SNAPSHOTS: &str = "_forewarn/snapshots";
const FOLDER: &str = "/log";

/// Why a step did not do its work.
#[derive(Debug)]
pub enum Failure {
    /// The world failed, and the program said so. That is in order.
    Passing(String),
    /// The program says something that must never be the case.
    Broken(String),
}

impl From<LogError> for Failure {
    fn from(error: LogError) -> Self {
        let text = error.to_string();
        if matches!(error, LogError::Io { .. } | LogError::Stopped(_)) {
            Self::Passing(text)
        } else {
            Self::Broken(text)
        }
    }
}

impl From<LakeError> for Failure {
    fn from(error: LakeError) -> Self {
        let text = error.to_string();
        // The lake passes the log's errors on as texts; those that must not be come out when the log is
        // opened or read by others.
        if error.is_retryable() || matches!(error, LakeError::Log(_)) {
            Self::Passing(text)
        } else {
            Self::Broken(text)
        }
    }
}

impl From<JournalError> for Failure {
    fn from(error: JournalError) -> Self {
        let text = error.to_string();
        if matches!(error, JournalError::Refused(_)) { Self::Broken(text) } else { Self::Passing(text) }
    }
}

impl From<IngestError> for Failure {
    fn from(error: IngestError) -> Self {
        match error {
            IngestError::Log(error) => error.into(),
            error => Self::Broken(error.to_string()),
        }
    }
}

/// What outlives the program.
pub struct Machine {
    /// The world.
    pub world: Arc<World>,
    /// The disk of the log.
    pub platter: Arc<Mutex<Platter>>,
    /// The store of the lake.
    pub objects: Arc<Mutex<Objects>>,
}

/// How the program is set up.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The log's segments, bytes.
    pub segment_bytes: u64,
    /// The log's bound, bytes.
    pub max_bytes: u64,
    /// The log's cache, bytes.
    pub cache_bytes: usize,
    /// The pipelines that are in force.
    pub definitions: Definitions,
}

/// A life of the program.
pub struct Server {
    /// The log.
    pub log: Arc<LocalLog>,
    /// The lake.
    pub lake: Lake,
    /// The table of series.
    pub series: Arc<RwLock<SeriesTable>>,
    intake: Arc<Intake>,
    branch: Branch,
    /// What the branch takes in next.
    taken: Offset,
    runner: Runner,
}

/// What a snapshot holds.
#[derive(Serialize, Deserialize)]
struct Snapshot {
    offset: Offset,
    emitted: Option<(Offset, u32)>,
    definitions: Definitions,
    intake: IntakeState,
    engine: Vec<u8>,
}

/// The real-time path: as in the server, but for the read model.
struct Runner {
    engine: Engine,
    definitions: Definitions,
    emitted: Option<(Offset, u32)>,
    /// What the engine takes next.
    position: Offset,
    /// Decided, and not yet in line for the log.
    unsaid: VecDeque<AlertTransition>,
    /// Resolves once what was put in line is durable.
    durable: Option<BoxFuture<'static, Result<Offset, JournalError>>>,
    /// Why the log did not take a decision. The engine is ahead of the log then, so that no snapshot may be
    /// taken of it: in the server this ends the real-time path.
    failed: Option<String>,
    saved: Option<Offset>,
}

impl Machine {
    /// A machine on which the program has never run.
    #[must_use]
    pub fn new(world: Arc<World>, seed: u64) -> Self {
        // A log draws its id by chance, and every run of a seed must write the same bytes.
        let id = format!("{seed:032x}\n");
        let platter = Platter::with_file(&Path::new(FOLDER).join("id"), id.as_bytes());
        Self { world, platter: Arc::new(Mutex::new(platter)), objects: Arc::default() }
    }

    /// Starts the program.
    pub async fn start(&self, setup: &Setup) -> Result<Server, Failure> {
        let life = self.world.life();
        let disk = SimDisk::new(Arc::clone(&self.world), Arc::clone(&self.platter), life);
        let options = LogOptions {
            segment_bytes: setup.segment_bytes,
            max_bytes: setup.max_bytes,
            cache_bytes: setup.cache_bytes,
            consumers: vec![STATE.to_owned(), CONSUMER.to_owned()],
            writer: WriterMode::ByHand,
            ..LogOptions::new(PathBuf::from(FOLDER))
        };
        let log = LocalLog::open_on(options, Arc::new(disk))?;
        let store = SimStore::new(Arc::clone(&self.world), Arc::clone(&self.objects), life);
        let root =
            Url::parse(&format!("sim:///{ROOT}")).map_err(|error| Failure::Broken(error.to_string()))?;
        let files = ObjectFiles::on(Arc::new(store), root, Arc::clone(&self.world.names))?;
        let clock: Arc<dyn Clock> = Arc::clone(&self.world.clock) as Arc<dyn Clock>;
        let series = Arc::new(RwLock::new(SeriesTable::new(1000)));
        let limits = IntakeLimits { duplicate_window: 1 << 14, ..IntakeLimits::default() };
        let dyn_log: Arc<dyn Log> = Arc::clone(&log) as Arc<dyn Log>;
        let intake =
            Arc::new(Intake::new(Arc::clone(&dyn_log), Arc::clone(&series), Arc::clone(&clock), limits));
        let (runner, in_force) = restore(&files, &log, &intake).await?;
        if in_force != setup.definitions {
            let ticket = log.submit(Record::Definitions(setup.definitions.clone()))?;
            while log.write_waiting() {}
            ticket.durable.now_or_never().unwrap_or_else(|| Err(JournalError::Full("not written".into())))?;
        }
        let lake =
            Lake::open_on(LakeOptions::default(), files, Arc::clone(&series), Arc::clone(&clock)).await?;
        let mut branch = Branch::build(lake.clone(), dyn_log, clock);
        let taken = branch.begin().await?;
        Ok(Server { log, lake, series, intake, branch, taken, runner })
    }
}

/// The newest snapshot and what the log holds behind it, folded; and the definitions in force at the log's
/// end.
async fn restore(
    files: &ObjectFiles,
    log: &Arc<LocalLog>,
    intake: &Intake,
) -> Result<(Runner, Definitions), Failure> {
    let start = log.start();
    let mut runner = Runner {
        engine: Engine::new(EngineOptions::default()),
        definitions: Definitions::default(),
        emitted: None,
        position: start,
        unsaid: VecDeque::new(),
        durable: None,
        failed: None,
        saved: None,
    };
    let newest = files.list(SNAPSHOTS).await?.pop();
    match newest {
        Some(file) => {
            let bytes = files.get(&file.path).await?.unwrap_or_default();
            let snapshot: Snapshot = rmp_serde::from_slice(&bytes)
                .map_err(|error| Failure::Broken(format!("{}: {error}", file.path)))?;
            intake.restore(&snapshot.intake)?;
            runner.engine =
                Engine::restore(&snapshot.engine).map_err(|error| Failure::Broken(error.to_string()))?;
            (runner.definitions, runner.emitted) = (snapshot.definitions, snapshot.emitted);
            (runner.position, runner.saved) = (snapshot.offset, Some(snapshot.offset));
        }
        None if start > Offset(0) => {
            return Err(Failure::Broken(format!("the log begins at {start} and there is no snapshot")));
        }
        None => {}
    }
    let mut in_force = runner.definitions.clone();
    let mut next = runner.position;
    while next < log.end() {
        for (offset, record) in log.read(next, 64, 1 << 20)? {
            intake.replay(offset, &record)?;
            match record.as_ref() {
                Record::Alert(alert) => {
                    runner.emitted = runner.emitted.max(Some((alert.cause, alert.ordinal)));
                }
                Record::Definitions(definitions) => in_force.clone_from(definitions),
                _ => {}
            }
            next = offset.next();
        }
    }
    Ok((runner, in_force))
}

impl Server {
    /// Hands a batch to the intake; the future resolves once it is durable, or never will be.
    pub fn accept(&self, batch: RawBatch) -> BoxFuture<'static, Result<Accepted, IngestError>> {
        let intake = Arc::clone(&self.intake);
        Box::pin(async move { intake.accept(batch).await })
    }

    /// The engine takes at most `max_records`, and what it decides is put in line for the log.
    pub fn step_engine(&mut self, max_records: usize) -> Result<(), Failure> {
        let Self { runner, log, .. } = self;
        if !runner.settle(log)? {
            return Ok(());
        }
        let records = log.read(runner.position, max_records, 1 << 20)?;
        let mut actions = Actions::default();
        for (offset, record) in &records {
            if let Record::Definitions(new) = record.as_ref() {
                runner.definitions.clone_from(new);
            }
            runner.engine.step(*offset, record, &mut actions);
            runner.position = offset.next();
        }
        let Runner { emitted, .. } = runner;
        runner
            .unsaid
            .extend(actions.transitions.into_iter().filter(|transition| is_news(transition, emitted)));
        runner.settle(log).map(drop)
    }

    /// Whether the engine has taken everything and everything it decided is durable.
    pub fn is_settled(&mut self) -> Result<bool, Failure> {
        Ok(self.runner.settle(&self.log)? && self.runner.position == self.log.end())
    }

    /// The branch takes at most `max_records` into the tail.
    pub fn take_in(&mut self, max_records: usize) -> Result<bool, Failure> {
        let before = self.taken;
        self.taken = self.branch.take_in(before, max_records)?;
        Ok(self.taken > before)
    }

    /// The branch commits its tail.
    pub async fn commit(&mut self) -> Result<Offset, Failure> {
        Ok(self.branch.commit().await?)
    }

    /// Whether the log takes no more records.
    pub fn is_stopped(&self) -> bool {
        // With its writer goes the sender of the log's end.
        self.log.watch().has_changed().is_err()
    }

    /// Takes a snapshot of the real-time path, if all it rests on is durable.
    pub async fn snapshot(&mut self) -> Result<(), Failure> {
        let Self { runner, log, .. } = self;
        if !runner.settle(log)? || runner.saved == Some(runner.position) {
            return Ok(());
        }
        let Some(intake) = self.intake.state().now_or_never() else { return Ok(()) };
        let snapshot = Snapshot {
            offset: runner.position,
            emitted: runner.emitted,
            definitions: runner.definitions.clone(),
            intake: intake?,
            engine: runner.engine.snapshot().map_err(|error| Failure::Broken(error.to_string()))?,
        };
        let bytes = rmp_serde::to_vec(&snapshot).map_err(|error| Failure::Broken(error.to_string()))?;
        let store = self.lake.store();
        let path = |offset: Offset| format!("{SNAPSHOTS}/{:020}.snap", offset.0);
        store.put(&path(snapshot.offset), bytes.into(), false).await?;
        let before = runner.saved.replace(snapshot.offset);
        let kept = [Some(path(snapshot.offset)), before.map(path)];
        for old in store.list(SNAPSHOTS).await? {
            if !kept.contains(&Some(old.path.clone())) {
                store.delete(&old.path).await?;
            }
        }
        match before {
            Some(before) => Ok(log.checkpoint(STATE, before)?),
            None => Ok(()),
        }
    }
}

impl Runner {
    /// Puts in line what is not, and says whether all of it is durable.
    fn settle(&mut self, log: &LocalLog) -> Result<bool, Failure> {
        if let Some(reason) = &self.failed {
            return Err(Failure::Passing(reason.clone()));
        }
        while let Some(transition) = self.unsaid.front() {
            match log.submit(Record::Alert(transition.clone())) {
                Ok(ticket) => self.durable = Some(ticket.durable),
                Err(JournalError::Full(_)) => return Ok(false),
                Err(error) => return Err(error.into()),
            }
            self.unsaid.pop_front();
        }
        let Some(durable) = &mut self.durable else { return Ok(true) };
        match durable.now_or_never() {
            Some(outcome) => {
                self.durable = None;
                self.failed = outcome.as_ref().err().map(ToString::to_string);
                Ok(outcome.map(|_| true)?)
            }
            None => Ok(false),
        }
    }
}
