//! What takes in and answers: the models, the scheduler, the sources, the clock's ticks, the API.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use forewarn_api::{Access, Api, ApiComponents, UsersParts};
use forewarn_batch::{Scheduler, SchedulerHandle};
use forewarn_log::Log;
use forewarn_models::ModelService;
use forewarn_sources::Sources;
use forewarn_spec::{AuthConfig, AuthMode, ServerConfig};
use forewarn_state::{LiveDefinitions, Metrics};
use forewarn_types::{Clock, Journal, JournalError, Offset, Record, Resumed, Timestamp};
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::back::Back;
use super::definitions::{DefinitionFolders, Owner, OwnerParts, Workers, all_sources};
use super::open::{Base, Starting};
use super::stages::Stages;
use crate::{jobs, metrics};

/// What writes the clock into the log.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Ticks {
    /// The server, this often.
    Every(Duration),
    /// What moves the clock does it.
    ByHand,
}

/// A difference between the clock and the time that passed by which the clock was set, or the machine slept.
const STEP: Duration = Duration::from_secs(2);

/// Tells when the clock is set, by time that only passes.
struct ClockSteps {
    clock: Timestamp,
    passing: Instant,
}

impl ClockSteps {
    fn new(clock: Timestamp) -> Self {
        Self { clock, passing: Instant::now() }
    }

    /// Whether the clock, which shows `now`, was set since the last call.
    fn stepped(&mut self, now: Timestamp) -> bool {
        let (former, passing) = (std::mem::replace(&mut self.clock, now), Instant::now());
        let passed = passing.duration_since(std::mem::replace(&mut self.passing, passing));
        let passed_us = i64::try_from(passed.as_micros()).unwrap_or(i64::MAX);
        let off_us = now.since_us(former).saturating_sub(passed_us).unsigned_abs();
        Duration::from_micros(off_us) > STEP
    }
}

/// The stages, and what the program itself has of them.
pub(super) struct Front {
    pub(super) stages: Stages,
    pub(super) scheduler: SchedulerHandle,
    /// Makes the first administrator, while there is none.
    pub(super) first_code: Option<String>,
}

/// Starts them; requests are served from then on.
pub(super) async fn start(
    base: &Base,
    back: &Back,
    starting: Starting,
    settings: ServerConfig,
    ticks: Ticks,
    listener: TcpListener,
) -> Result<Front> {
    let mut stages = Stages::default();
    let definitions = starting.definitions.clone();
    let journal: Arc<dyn Journal> = base.log.clone();
    let models = ModelService::open(
        definitions.models.clone(),
        base.queries.clone(),
        Arc::clone(&journal),
        Arc::clone(&base.series),
        Arc::clone(&base.clock),
    )
    .await
    .context("cannot open the models")?;

    let jobs = jobs::of(&definitions, settings.maintenance.clone(), &base.queries, &models);
    let (scheduler, handle) =
        Scheduler::build(jobs, Arc::clone(&journal), base.queries.clone(), Arc::clone(&base.clock))
            .context("cannot build the scheduler")?;
    stages.spawn("the scheduler failed", |shutdown| scheduler.run(shutdown));

    let counts = match ticks {
        Ticks::Every(_) => resume(&*base.log, &*base.clock).await.context("the log has stopped")?,
        Ticks::ByHand => true,
    };
    let sources = Sources::build(all_sources(&definitions), &base.intake, &base.clock)?;
    let source_handles = sources.handles();
    stages.spawn("the sources failed", |shutdown| sources.run(shutdown));
    if let Ticks::Every(period) = ticks {
        let (log, clock) = (base.log(), Arc::clone(&base.clock));
        stages.spawn("the log has stopped", |shutdown| tick(log, clock, period, counts, shutdown));
    }

    let workers = Workers {
        sources: source_handles.clone(),
        scheduler: handle.clone(),
        models: models.clone(),
        queries: base.queries.clone(),
        upkeep: settings.maintenance,
        intake: Arc::clone(&base.intake),
        notify: settings.notify,
    };
    let folders = DefinitionFolders { pipelines: settings.pipelines, models: settings.models };
    let live = own_definitions(base, (folders, workers), starting, &mut stages);

    let access = access(base, settings.auth, &mut stages)?;
    let first_code = access.first_code();
    let api = Api::build(ApiComponents {
        intake: Arc::clone(&base.intake),
        sources: source_handles,
        log: base.log(),
        lake: base.lake.clone(),
        queries: base.queries.clone(),
        scheduler: handle.clone(),
        models,
        state: base.known.state.clone(),
        rules: base.known.rules.clone(),
        outbox: base.known.outbox.clone(),
        contacts: back.contacts.clone(),
        tester: back.tester.clone(),
        attributes: base.known.attributes.clone(),
        take_snapshot: Arc::clone(&back.take_snapshot),
        definitions: live,
        access,
        clock: Arc::clone(&base.clock),
        http: settings.http,
        limits: settings.limits,
        influx: settings.influx,
        metrics: metrics_of(base, back),
        shutdown: CancellationToken::new(),
    })?;
    stages.spawn("the HTTP API failed", |shutdown| api.run(listener, shutdown));
    Ok(Front { stages, scheduler: handle, first_code })
}

/// What parts of the server have to say of themselves.
fn metrics_of(base: &Base, back: &Back) -> Arc<Metrics> {
    let metrics = Arc::new(Metrics::default());
    metrics::register(&metrics, Arc::clone(&base.log), Arc::clone(&back.metrics));
    metrics::register_contacts(&metrics, back.contacts.clone(), Arc::clone(&base.clock));
    metrics
}

/// Starts what owns the definitions, and gives the way to it.
fn own_definitions(
    base: &Base,
    (folders, workers): (DefinitionFolders, Workers),
    starting: Starting,
    stages: &mut Stages,
) -> LiveDefinitions {
    let (live, requests) = LiveDefinitions::new(starting.definitions.clone());
    let journal: Arc<dyn Journal> = base.log.clone();
    let clock = Arc::clone(&base.clock);
    let owner = OwnerParts { folders, journal, clock, live: live.clone(), requests, workers };
    let owner = Owner::build(owner, starting);
    stages.spawn("the log has stopped", |shutdown| owner.run(shutdown));
    live
}

/// How the server finds out who asks.
fn access(base: &Base, auth: AuthConfig, stages: &mut Stages) -> Result<Access> {
    if auth.mode == AuthMode::Off {
        return Ok(Access::open());
    }
    let parts = UsersParts {
        accounts: base.known.accounts.clone(),
        journal: base.log.clone(),
        clock: Arc::clone(&base.clock),
        random: Arc::new(|bytes| getrandom::fill(bytes).is_ok()),
        auth,
    };
    let (access, writer) =
        Access::users_of(parts).map_err(|error| anyhow!("cannot ask for users: {error}"))?;
    stages.spawn("the audit failed", |shutdown| writer.run(shutdown));
    Ok(access)
}

/// Says that the server runs again, before anything is taken in: the time since the last record is nobody's
/// silence. False: the log has no room for it.
async fn resume(log: &dyn Log, clock: &dyn Clock) -> Result<bool, JournalError> {
    if log.end() == Offset(0) {
        return Ok(true);
    }
    match log.append(Record::Resumed(Resumed { now: clock.now() })).await {
        Ok(_) => Ok(true),
        Err(JournalError::Full(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Writes the clock into the log. A tick that finds no room is left out: the next one says more. What passed
/// while there was no room, and a step of the clock, are no time in which anyone was silent; `counts` says
/// whether the time so far is.
async fn tick(
    log: Arc<dyn Log>,
    clock: Arc<dyn Clock>,
    every: Duration,
    mut counts: bool,
    shutdown: CancellationToken,
) -> Result<(), JournalError> {
    let mut pace = tokio::time::interval(every);
    pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let mut steps = ClockSteps::new(clock.now());
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            _ = pace.tick() => {
                counts &= !steps.stepped(clock.now());
                if !counts {
                    counts = resume(&*log, &*clock).await?;
                }
                match log.append(Record::Tick(clock.now())).await {
                    Ok(_) => {}
                    Err(JournalError::Full(_)) => counts = false,
                    Err(error) => return Err(error),
                }
            },
        }
    }
}
