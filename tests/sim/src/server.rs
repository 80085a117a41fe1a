//! One life of the program: the real log, intake, folds, runner, snapshots, branch and lake, put together as
//! the server does it, but driven step by step.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use forewarn_engine::EngineOptions;
use forewarn_ingest::{Accepted, IngestError, Intake, IntakeLimits, RawBatch};
use forewarn_lake::{Branch, Lake, LakeError, LakeOptions, ObjectFiles};
use forewarn_log::{LocalLog, Log, LogError, LogOptions, WriterMode};
use forewarn_state::{
    DefinitionsFold, EngineFold, Folds, InForce, IntakeFold, LogRoom, ReadModelFold, Restored, Runner,
    RunnerMetrics, SharedState, SnapshotKeeper, SnapshotStore, State, StateError, restore,
};
use forewarn_types::{BoxFuture, Clock, Definitions, JournalError, Offset, Record, SeriesTable};
use futures::FutureExt as _;
use parking_lot::{Mutex, RwLock};
use url::Url;

use crate::disk::{Platter, SimDisk};
use crate::ledger::ROOT;
use crate::store::{Objects, SimStore};
use crate::world::World;

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
        if error.is_retryable() || matches!(error, LakeError::Log(_) | LakeError::TakenOver(_)) {
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

impl From<StateError> for Failure {
    fn from(error: StateError) -> Self {
        match error {
            StateError::Lake(error) => error.into(),
            StateError::Log(error) => error.into(),
            StateError::Journal(error) => error.into(),
            StateError::Intake(error) => error.into(),
            error => Self::Broken(error.in_full()),
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
    keeper: SnapshotKeeper,
    /// The read model.
    pub state: SharedState,
    /// Why the runner cannot go on. In the server this ends the real-time path.
    ended: Option<String>,
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
            consumers: vec![forewarn_state::CONSUMER.to_owned(), forewarn_lake::CONSUMER.to_owned()],
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
        let (state, in_force) = (SharedState::new(State::default()), InForce::default());
        let mut folds = Folds::new(vec![
            Box::new(DefinitionsFold::new(in_force.clone())),
            Box::new(EngineFold::new(EngineOptions::default())),
            Box::new(ReadModelFold::new(state.clone())),
            Box::new(IntakeFold::new(Arc::clone(&intake))),
        ]);
        files.take_over("the program", clock.now()).await?;
        let snapshots = SnapshotStore::new(files.clone(), log.id(), None);
        let restored = restore(&snapshots, &dyn_log, &mut folds).await?;
        check_newest(&files, &restored).await?;
        if in_force.get() != setup.definitions {
            let ticket = log.submit(Record::Definitions(setup.definitions.clone()))?;
            while log.write_waiting() {}
            ticket.durable.now_or_never().unwrap_or_else(|| Err(JournalError::Full("not written".into())))?;
        }
        let lake =
            Lake::open_on(LakeOptions::default(), files, Arc::clone(&series), Arc::clone(&clock)).await?;
        let mut branch = Branch::build(lake.clone(), Arc::clone(&dyn_log), clock);
        let taken = branch.begin().await?;
        let runner =
            Runner::new(Arc::clone(&dyn_log), folds, restored.from, Arc::new(RunnerMetrics::default()));
        let keeper = SnapshotKeeper::new(dyn_log, forewarn_state::CONSUMER, snapshots, restored.snapshot);
        Ok(Server { log, lake, series, intake, branch, taken, runner, keeper, state, ended: None })
    }
}

/// Nothing damages snapshots here, so the newest one must be the one that the start rests on.
async fn check_newest(files: &ObjectFiles, restored: &Restored) -> Result<(), Failure> {
    let newest = files.list(SNAPSHOTS).await?.pop().map(|file| file.path);
    let used = restored.snapshot.as_ref().map(|saved| saved.path.clone());
    if newest == used {
        return Ok(());
    }
    Err(Failure::Broken(format!("the newest snapshot is {newest:?}, and the start rests on {used:?}")))
}

impl Server {
    /// Hands a batch to the intake; the future resolves once it is durable, or never will be.
    pub fn accept(&self, batch: RawBatch) -> BoxFuture<'static, Result<Accepted, IngestError>> {
        let intake = Arc::clone(&self.intake);
        Box::pin(async move { intake.accept(batch).await })
    }

    /// The folds take at most `max_records`, and what is decided on them is put in line for the log.
    pub fn step_runner(&mut self, max_records: usize) -> Result<(), Failure> {
        if !self.settle()? {
            return Ok(());
        }
        let records = self.log.read(self.runner.position(), max_records, 1 << 20)?;
        if records.is_empty() {
            return Ok(());
        }
        let is_scarce = self.room().is_scarce(&records);
        self.runner.judge(records, is_scarce)?;
        self.settle().map(drop)
    }

    /// Whether the folds have taken in everything and everything that was decided is durable.
    pub fn is_settled(&mut self) -> Result<bool, Failure> {
        Ok(self.settle()? && self.runner.position() == self.log.end())
    }

    /// Lets the runner go on with what it has judged, and says whether that is done.
    fn settle(&mut self) -> Result<bool, Failure> {
        if let Some(reason) = &self.ended {
            return Err(Failure::Passing(reason.clone()));
        }
        let outcome = self.runner.submit().and_then(|_| self.runner.settle().now_or_never().transpose());
        match outcome {
            Ok(_) => Ok(!self.runner.is_busy()),
            Err(error) => {
                self.ended = Some(error.in_full());
                Err(error.into())
            }
        }
    }

    fn room(&self) -> LogRoom {
        let metrics = self.log.metrics();
        LogRoom { used_bytes: metrics.disk_bytes, max_bytes: metrics.max_bytes }
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

    /// Takes a snapshot, if there is anything to save and all it rests on is durable. Says of what.
    pub async fn snapshot(&mut self) -> Result<Option<Taken>, Failure> {
        if let Some(reason) = &self.ended {
            return Err(Failure::Passing(reason.clone()));
        }
        if self.runner.has_state() && !self.keeper.wants(self.runner.position(), self.room().is_pressed()) {
            return Ok(None);
        }
        let newest = self.keeper.newest().map(|saved| saved.offset);
        let (save, taken) = match self.runner.snapshot()? {
            Some((mut snapshot, to_come)) => {
                // The rest comes once it is durable.
                for (name, bytes) in to_come {
                    let Some(bytes) = bytes.now_or_never() else { return Ok(None) };
                    snapshot.parts.insert(name, bytes?);
                }
                let taken = if newest == Some(snapshot.offset) {
                    Taken::SecondTime
                } else if self.runner.is_busy() {
                    Taken::OfBefore
                } else {
                    Taken::OfNow
                };
                (self.keeper.save(snapshot, Vec::new()), taken)
            }
            None => match self.keeper.save_again() {
                Some(save) => (save, Taken::SecondTime),
                None => return Ok(None),
            },
        };
        self.keeper.note(save.await?);
        Ok(Some(taken))
    }
}

/// What a snapshot was taken of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// The state as it is.
    OfNow,
    /// The state of before the records whose decisions wait for room.
    OfBefore,
    /// The newest one was saved a second time.
    SecondTime,
}

impl Taken {
    /// What it counts as.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OfNow => "snapshots",
            Self::OfBefore => "snapshots of before a decision",
            Self::SecondTime => "second copies of snapshots",
        }
    }
}
