//! The server, put together: which parts there are, what each is given, and in which order they start and
//! stop. Reads top-down.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use forewarn_api::{Access, Api, ApiComponents, Metrics, SavedSnapshot, SharedState, State};
use forewarn_batch::{Scheduler, SchedulerHandle};
use forewarn_engine::{Engine, EngineOptions};
use forewarn_ingest::{Intake, IntakeLimits, IntakeState};
use forewarn_lake::{Branch, Lake, LakeOptions};
use forewarn_log::{Compression, LocalLog, Log, LogHealth, LogOptions};
use forewarn_models::ModelService;
use forewarn_sources::Sources;
use forewarn_spec::{LogCompression, Refused, ServerConfig};
use forewarn_types::{Clock, Journal as _, Offset, Record, SeriesTable, crash_point};
use parking_lot::RwLock;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::config::Tree;
use crate::jobs;
use crate::metrics::{self, RealTimeMetrics};
use crate::realtime::{self, LogRoom, RealTime, SnapshotParts, Snapshots};
use crate::snapshot::{Snapshot, SnapshotStore};

const READ_RECORDS: usize = 4_096;
const READ_BYTES: usize = 16 << 20;

/// A server that runs.
pub(crate) struct Server {
    /// Where it listens.
    pub(crate) address: std::net::SocketAddr,
    /// The log.
    pub(crate) log: Arc<LocalLog>,
    /// Jobs and their runs.
    pub(crate) scheduler: SchedulerHandle,
    /// The read model.
    pub(crate) state: SharedState,
    front: CancellationToken,
    back: CancellationToken,
    front_tasks: JoinSet<Result<()>>,
    back_tasks: JoinSet<Result<()>>,
}

/// Who writes the clock into the log.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Ticks {
    /// The server, this often.
    Every(Duration),
    /// Whoever moves the clock.
    ByHand,
}

/// What was folded from the log before the server starts to follow it.
pub(crate) struct Restored {
    pub(crate) engine: Engine,
    pub(crate) state: State,
    /// The definitions in force at `from`.
    pub(crate) definitions: forewarn_types::Definitions,
    /// The definitions in force at the end of the log.
    pub(crate) in_force: forewarn_types::Definitions,
    pub(crate) emitted: Option<(Offset, u32)>,
    /// The snapshot in the store that this rests on, if it rests on one there.
    pub(crate) snapshot: Option<SavedSnapshot>,
    pub(crate) from: Offset,
    /// Records that were read again.
    pub(crate) replayed: u64,
}

impl Server {
    /// Starts everything; returns once requests are served.
    ///
    /// # Errors
    /// What could not be started, and why.
    pub(crate) async fn start(tree: Tree, clock: Arc<dyn Clock>, ticks: Ticks) -> Result<Self> {
        let Tree { settings, definitions, texts, refused } = tree;
        let listener = TcpListener::bind(&settings.listen)
            .await
            .with_context(|| format!("cannot listen on {}", settings.listen))?;
        let address = listener.local_addr()?;
        let Opened { log, series, intake, lake, snapshots, restored } =
            open(&settings, texts, &refused, &clock).await?;
        let dyn_log: Arc<dyn Log> = log.clone();
        let branch = Branch::build(lake.clone(), Arc::clone(&dyn_log), Arc::clone(&clock));
        let state = SharedState::new(restored.state);
        let counted = Arc::new(RealTimeMetrics {
            replayed: restored.replayed.into(),
            refused: (refused.len() as u64).into(),
            ..RealTimeMetrics::default()
        });
        let (take_snapshot, requests) = realtime::snapshot_requests();
        let real_time = RealTime {
            log: Arc::clone(&dyn_log),
            engine: restored.engine,
            state: state.clone(),
            definitions: restored.definitions,
            emitted: restored.emitted,
            snapshots: Snapshots::new(SnapshotParts {
                log: Arc::clone(&dyn_log),
                store: snapshots,
                intake: Arc::clone(&intake),
                room: room(&log),
                requests,
                saved: restored.snapshot,
                every: Duration::from_micros(settings.snapshot.every_us.unsigned_abs()),
                metrics: Arc::clone(&counted),
            }),
            from: restored.from,
            metrics: Arc::clone(&counted),
        };
        let (front, back) = (CancellationToken::new(), CancellationToken::new());
        let mut back_tasks = JoinSet::new();
        let token = back.clone();
        back_tasks.spawn(async move { branch.run(token).await.context("the branch to the lake failed") });
        back_tasks.spawn(real_time.run(back.clone()));

        let journal: Arc<dyn forewarn_types::Journal> = log.clone();
        let models = ModelService::open(
            definitions.models.clone(),
            lake.clone(),
            Arc::clone(&journal),
            Arc::clone(&series),
            Arc::clone(&clock),
        )
        .await
        .context("cannot open the models")?;
        let jobs = jobs::of(&definitions, settings.maintenance, &lake, &models);
        let (scheduler, handle) = Scheduler::build(jobs, journal, lake.clone(), Arc::clone(&clock))
            .context("cannot build the scheduler")?;
        let mut front_tasks = JoinSet::new();
        let token = front.clone();
        front_tasks.spawn(async move { scheduler.run(token).await.context("the scheduler failed") });
        let sources = definitions.pipelines.iter().flat_map(|pipeline| &pipeline.sources);
        let sources = Sources::build(sources, &intake, &clock)?;
        let source_handles = sources.handles();
        let token = front.clone();
        front_tasks.spawn(async move { sources.run(token).await.context("the sources failed") });
        if let Ticks::Every(period) = ticks {
            front_tasks.spawn(tick(Arc::clone(&dyn_log), Arc::clone(&clock), period, front.clone()));
        }
        let metrics = Arc::new(Metrics::default());
        metrics::register(&metrics, Arc::clone(&log), counted);
        let api = Api::build(ApiComponents {
            intake: Arc::clone(&intake),
            sources: source_handles,
            log: dyn_log,
            lake: lake.clone(),
            scheduler: handle.clone(),
            models,
            state: state.clone(),
            take_snapshot,
            definitions: Arc::new(definitions),
            access: Access::open(),
            clock,
            limits: settings.limits,
            influx: settings.influx,
            metrics,
            shutdown: CancellationToken::new(),
        })?;
        let token = front.clone();
        front_tasks.spawn(async move { api.run(listener, token).await.context("the HTTP API failed") });
        Ok(Self { address, log, scheduler: handle, state, front, back, front_tasks, back_tasks })
    }

    /// Waits until a part ends by itself, which none should. Once the log's disk has failed, the parts that
    /// follow or fill the log end, each with a word in the server's log. The rest goes on: what is on record
    /// can still be asked for, and the API says what is wrong.
    pub(crate) async fn failed(&mut self) -> anyhow::Error {
        loop {
            let ended = tokio::select! {
                Some(ended) = self.front_tasks.join_next() => ended,
                Some(ended) = self.back_tasks.join_next() => ended,
                else => return anyhow::anyhow!("every part of the server has ended"),
            };
            let error = match ended {
                Ok(Ok(())) => anyhow::anyhow!("a part of the server ended by itself"),
                Ok(Err(error)) => error,
                Err(error) => anyhow::anyhow!("a part of the server was cut off: {error}"),
            };
            if !matches!(self.log.health(), LogHealth::Failed(_)) {
                return error;
            }
            let error = format!("{error:#}");
            tracing::error!(
                error,
                "a part has ended since the log's disk has failed; mend the disk and restart the server"
            );
        }
    }

    /// Stops in order: first what takes in, then what works off the log, then the log. Where the log's disk
    /// is full nobody waits for room: who has not been told that a record is durable is told that it is not.
    ///
    /// # Errors
    /// The first part that failed.
    pub(crate) async fn stop(mut self) -> Result<()> {
        self.log.hurry();
        self.front.cancel();
        let front = drain(&mut self.front_tasks).await;
        self.back.cancel();
        let back = drain(&mut self.back_tasks).await;
        let log = Arc::clone(&self.log);
        tokio::task::spawn_blocking(move || log.close()).await?.context("the log did not close well")?;
        front.and(back)
    }
}

/// What is durable, opened, and what was folded from it.
struct Opened {
    log: Arc<LocalLog>,
    series: Arc<RwLock<SeriesTable>>,
    intake: Arc<Intake>,
    lake: Lake,
    snapshots: SnapshotStore,
    restored: Restored,
}

/// Opens the log and the lake, restores what is folded from them, and puts the definitions in force.
async fn open(
    settings: &ServerConfig,
    texts: forewarn_types::Definitions,
    refused: &[Refused],
    clock: &Arc<dyn Clock>,
) -> Result<Opened> {
    let log = open_log(settings)?;
    let dyn_log: Arc<dyn Log> = log.clone();
    let series = Arc::new(RwLock::new(SeriesTable::new(settings.limits.max_series)));
    let limits = IntakeLimits { max_future_us: settings.limits.max_future_us, ..IntakeLimits::default() };
    let intake = Arc::new(Intake::new(Arc::clone(&dyn_log), Arc::clone(&series), Arc::clone(clock), limits));
    let lake = open_lake(settings, &series, clock).await?;
    crash_point("start.lake_open");
    let snapshots = SnapshotStore::new(lake.store().clone(), log.id(), settings.data_dir.join("snapshots"));
    let restored = restore(&snapshots, &dyn_log, &intake).await?;
    crash_point("start.restored");
    check_refused(refused, &texts, &restored.in_force)?;
    put_in_force(texts, &restored.in_force, &log, settings).await?;
    Ok(Opened { log, series, intake, lake, snapshots, restored })
}

async fn drain(tasks: &mut JoinSet<Result<()>>) -> Result<()> {
    let mut result = Ok(());
    while let Some(ended) = tasks.join_next().await {
        let ended =
            ended.unwrap_or_else(|error| Err(anyhow::anyhow!("a part of the server was cut off: {error}")));
        if result.is_ok() {
            result = ended;
        }
    }
    result
}

fn open_log(settings: &ServerConfig) -> Result<Arc<LocalLog>> {
    let mut options = LogOptions::new(settings.data_dir.join("log"));
    options.max_bytes = settings.log.max_bytes;
    options.segment_bytes = settings.log.segment_bytes;
    options.group_delay = Duration::from_micros(settings.log.group_delay_us.unsigned_abs());
    options.compression = match settings.log.compression {
        LogCompression::None => Compression::None,
        LogCompression::Lz4 => Compression::Lz4,
    };
    options.consumers = vec![realtime::CONSUMER.to_owned(), forewarn_lake::CONSUMER.to_owned()];
    LocalLog::open(options).context("cannot open the log")
}

/// Passes over what no longer loads of files that are in force as they stand: the server ran with them before.
///
/// # Errors
/// All mistakes of other files, which are to be corrected.
fn check_refused(
    refused: &[Refused],
    texts: &forewarn_types::Definitions,
    in_force: &forewarn_types::Definitions,
) -> Result<()> {
    let is_in_force = |one: &&Refused| {
        let text = texts.files.iter().find(|file| file.path == one.mistake.file).map(|file| &file.text);
        text.is_some_and(|text| in_force.files.iter().any(|file| file.text == *text))
    };
    let (old, new): (Vec<&Refused>, Vec<&Refused>) = refused.iter().partition(is_in_force);
    if !new.is_empty() {
        let mistakes: Vec<String> = new.iter().map(|one| one.mistake.to_string()).collect();
        bail!("the definitions have mistakes:\n\n{}", mistakes.join("\n\n"));
    }
    for one in old {
        tracing::warn!(
            definition = %one,
            "a definition that is in force does not load in this version; correct it and restart the server"
        );
    }
    Ok(())
}

/// Appends the definitions on disk, unless they are those in force already.
async fn put_in_force(
    texts: forewarn_types::Definitions,
    in_force: &forewarn_types::Definitions,
    log: &Arc<LocalLog>,
    settings: &ServerConfig,
) -> Result<()> {
    if *in_force == texts {
        return Ok(());
    }
    if texts.files.is_empty() {
        let folder = settings.pipelines.display();
        if !settings.pipelines.exists() {
            bail!(
                "rules are in force, and the folder {folder} that they came from is not there: start the server in the folder it was \
                 started in before, or put `pipelines` right; to drop the rules, create that folder and leave it empty"
            );
        }
        tracing::warn!(%folder, "there is no pipeline in this folder: the rules that were in force are dropped");
    }
    crash_point("start.definitions.before");
    log.append(Record::Definitions(texts)).await.context("the log did not take the definitions")?;
    crash_point("start.definitions.after");
    Ok(())
}

/// How full the log is.
pub(crate) fn room(log: &Arc<LocalLog>) -> Box<dyn Fn() -> LogRoom + Send + Sync> {
    let log = Arc::clone(log);
    Box::new(move || {
        let metrics = log.metrics();
        LogRoom { used_bytes: metrics.disk_bytes, max_bytes: metrics.max_bytes }
    })
}

async fn open_lake(
    settings: &ServerConfig,
    series: &Arc<RwLock<SeriesTable>>,
    clock: &Arc<dyn Clock>,
) -> Result<Lake> {
    let options = LakeOptions {
        url: settings.lake.clone(),
        commit_rows: settings.branch.commit_rows,
        commit_every_us: settings.branch.commit_every_us,
        commit_bytes: settings.branch.commit_bytes,
        file_bytes: settings.maintenance.file_bytes,
        tail_max_rows: settings.branch.max_tail_rows,
        tail_max_bytes: settings.branch.max_tail_bytes,
        sql_max_rows: settings.limits.max_sql_rows,
        sql_timeout: Duration::from_micros(settings.limits.max_sql_us.unsigned_abs()),
        sql_memory_bytes: settings.limits.max_sql_memory_bytes,
    };
    let lake = Lake::open(options, Arc::clone(series), Arc::clone(clock)).await;
    lake.with_context(|| format!("cannot open the lake {}", settings.lake))
}

/// Loads the newest snapshot that can be used and folds in what the log holds behind it.
pub(crate) async fn restore(
    snapshots: &SnapshotStore,
    log: &Arc<dyn Log>,
    intake: &Intake,
) -> Result<Restored> {
    let start = log.start();
    let newest = snapshots
        .newest(|snapshot| from_snapshot(snapshot, start))
        .await
        .context("cannot read the snapshots")?;
    let mut restored = match newest {
        Some(((restored, memory), snapshot)) => {
            intake.restore(&memory).context("cannot restore the intake from the snapshot")?;
            Restored { snapshot, ..restored }
        }
        None if start > Offset(0) => bail!(
            "none of the snapshots in {} can be used (see the warnings), and the log begins at offset {start}, so the state cannot be \
             folded from it: put the folder back from a copy, or run the version of forewarn that wrote the snapshots; to begin anew, give \
             the server another data_dir and another lake (the old lake stays readable)",
            snapshots.place()
        ),
        None => Restored {
            engine: Engine::new(EngineOptions::default()),
            state: State::default(),
            definitions: forewarn_types::Definitions::default(),
            in_force: forewarn_types::Definitions::default(),
            emitted: None,
            snapshot: None,
            from: start,
            replayed: 0,
        },
    };
    let mut next = restored.from;
    while next < log.end() {
        for (offset, record) in log.read(next, READ_RECORDS, READ_BYTES).context("cannot read the log")? {
            intake.replay(offset, &record).context("the log does not fit the snapshot")?;
            match record.as_ref() {
                Record::Alert(alert) => {
                    restored.emitted = restored.emitted.max(Some((alert.cause, alert.ordinal)))
                }
                Record::Definitions(definitions) => restored.in_force.clone_from(definitions),
                _ => {}
            }
            restored.replayed += 1;
            next = offset.next();
        }
    }
    Ok(restored)
}

/// What a snapshot holds, for a log that begins at `start`; the intake's part beside it, since restoring that
/// touches the intake.
fn from_snapshot(snapshot: Snapshot, start: Offset) -> Result<(Restored, IntakeState)> {
    if snapshot.offset < start {
        bail!("the log behind it has been trimmed up to offset {start}");
    }
    let restored = Restored {
        engine: Engine::restore(&snapshot.engine).context("cannot restore the engine from it")?,
        state: State::from_bytes(&snapshot.state).context("cannot restore the read model from it")?,
        in_force: snapshot.definitions.clone(),
        definitions: snapshot.definitions,
        emitted: snapshot.emitted,
        snapshot: None,
        from: snapshot.offset,
        replayed: 0,
    };
    Ok((restored, snapshot.intake))
}

/// Writes the clock into the log. A tick that finds no room is left out: the next one says more.
async fn tick(
    log: Arc<dyn Log>,
    clock: Arc<dyn Clock>,
    every: Duration,
    shutdown: CancellationToken,
) -> Result<()> {
    let mut pace = tokio::time::interval(every);
    pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            _ = pace.tick() => match log.append(Record::Tick(clock.now())).await {
                Ok(_) | Err(forewarn_types::JournalError::Full(_)) => {}
                Err(error) => return Err(error).context("the log has stopped"),
            },
        }
    }
}
