//! Runs one seed: lives of the program, one after the other, in a world that fails, and after each what must
//! hold.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use forewarn_ingest::{Accepted, IngestError, RawBatch};
use forewarn_lake::{Bounds, ColumnData, CompactOptions, READINGS, ResultSet};
use forewarn_log::Log as _;
use forewarn_types::{BoxFuture, CommandAction, JournalError, Offset, OperatorCommand, Record, Timestamp};

use crate::model::{Model, Reading};
use crate::plan::{Act, Plan, SAFETY_US, Sent, pick};
use crate::server::{Failure, Machine, Server};
use crate::world::{Weather, World};

/// Where the job's rows go, and what it is called.
const JOB_TABLE: &str = "health";
/// The tables that are looked after, the larger ones more often.
const TABLES: [&str; 5] = ["readings", "readings", "readings", "alert_events", "commands"];
/// Starts that may fail in a row before the weather clears up.
const MAX_FAILED_STARTS: usize = 4;

/// How a seed ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// What did not hold; empty if all is well.
    pub broken: Vec<String>,
    /// The hash of all operations and their outcomes.
    pub trace: u64,
    /// Operations on disk and store.
    pub operations: u64,
    /// How often what has happened.
    pub tally: BTreeMap<&'static str, u64>,
}

/// Something that was sent and is not answered yet.
struct Waiting {
    readings: Vec<Sent>,
    answer: BoxFuture<'static, Result<Accepted, IngestError>>,
}

/// A command that is not answered yet.
type WaitingCommand = BoxFuture<'static, Result<Offset, JournalError>>;

struct Driver {
    world: Arc<World>,
    machine: Machine,
    plan: Plan,
    model: Model,
    waiting: Vec<Waiting>,
    commands: Vec<WaitingCommand>,
    /// Not acknowledged, to be sent again.
    unsure: Vec<Vec<Sent>>,
    /// Everything ever sent.
    said: Vec<Sent>,
    /// A life that is paused.
    paused: Option<Paused>,
    /// Runs of the job whose rows are known to be in its table.
    job_runs: i64,
}

/// A life of the program that stands still.
struct Paused {
    life: u64,
    server: Server,
    /// How many commits had been deleted from the Delta logs when it was paused.
    deleted_commits: u64,
}

/// What comes after an act.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    GoOn,
    Stop,
    Pause,
}

/// Runs `seed` to its end; a `loud` run tells what happens.
pub async fn run(seed: u64, loud: bool) -> Report {
    let world = World::new(seed, loud);
    let plan = Plan::new(seed);
    let model = Model::new(plan.names.clone());
    let machine = Machine::new(Arc::clone(&world), seed);
    {
        let ledger = &mut machine.objects.lock().ledger;
        (ledger.safety_us, ledger.log_retention_us) = (SAFETY_US, plan.log_retention_us);
    }
    let mut driver = Driver {
        world: Arc::clone(&world),
        machine,
        plan,
        model,
        waiting: Vec::new(),
        commands: Vec::new(),
        unsure: Vec::new(),
        said: Vec::new(),
        paused: None,
        job_runs: 0,
    };
    let outcome = driver.live_on().await;
    let outcome = match outcome {
        Ok(()) => driver.settle(seed).await,
        broken => broken,
    };
    if let Err(Failure::Broken(problem) | Failure::Passing(problem)) = outcome {
        world.accuse(problem);
    }
    world.count("alert transitions", driver.model.logged_alerts().len() as u64);
    Report {
        broken: world.broken(),
        trace: world.trace(),
        operations: world.operations(),
        tally: world.tally(),
    }
}

impl Driver {
    /// Lives, until all acts are done. Only what must not be comes back.
    async fn live_on(&mut self) -> Result<(), Failure> {
        let weather = self.plan.weather();
        self.world.set_weather(weather);
        let mut acts = self.plan.acts;
        while acts > 0 {
            let mut server = self.start().await?;
            let mut next = Next::GoOn;
            while acts > 0 && !self.world.is_dead() {
                acts -= 1;
                let act = self.plan.act();
                self.world.note(&format_args!("--- {act:?}"));
                let start = server.log.start();
                let outcome = self.act(&mut server, act).await;
                self.world.count("times the log was trimmed", u64::from(server.log.start() > start));
                if let Err(Failure::Passing(reason)) = &outcome {
                    self.world.note(&format_args!("    {reason}"));
                }
                next = tolerate(outcome)?.unwrap_or(Next::GoOn);
                if next != Next::GoOn {
                    break;
                }
                // What is broken stays broken: an operator sees it and starts the program again.
                if server.is_stopped() && self.plan.chance.u8(0..4) == 0 {
                    self.world.count("logs stopped", 1);
                    break;
                }
            }
            self.end_life(server, next == Next::Pause);
        }
        Ok(())
    }

    /// Starts the program, if need be several times, and checks what it finds.
    async fn start(&mut self) -> Result<Server, Failure> {
        let mut failed = 0;
        loop {
            self.world.begin_life();
            if failed >= MAX_FAILED_STARTS {
                self.world.set_weather(Weather::default());
            } else if self.plan.chance.u8(0..6) == 0 {
                self.world.die_in(self.plan.chance.u64(0..150));
            }
            self.world.note(&format_args!("--- start"));
            let outcome = match self.machine.start(&self.plan.setup).await {
                Ok(server) => self.check_start(server).await,
                Err(failure) => Err(failure),
            };
            if let Err(Failure::Passing(reason)) = &outcome {
                self.world.note(&format_args!("    {reason}"));
            }
            match outcome {
                Ok(server) => return Ok(server),
                Err(Failure::Passing(reason)) if failed >= MAX_FAILED_STARTS => {
                    return Err(Failure::Broken(format!("it does not start, although all works: {reason}")));
                }
                Err(Failure::Passing(_)) => {}
                Err(broken) => return Err(broken),
            }
            failed += 1;
            self.fall();
        }
    }

    async fn check_start(&mut self, mut server: Server) -> Result<Server, Failure> {
        self.model.read(server.log.as_ref(), true)?;
        if self.plan.chance.bool() {
            while server.take_in(64)? {}
            self.model.check_readings(&server, None).await?;
        }
        Ok(server)
    }

    /// The program ends, in order or not, or is `paused`; who waits for an answer gets none.
    fn end_life(&mut self, server: Server, paused: bool) {
        if !self.world.is_dead() {
            self.world.die();
        }
        if paused {
            self.world.count("lives paused", 1);
            let deleted_commits = self.machine.objects.lock().ledger.deleted_commits;
            self.paused = Some(Paused { life: self.world.life(), server, deleted_commits });
        }
        self.fall();
    }

    /// A life that was paused does one thing more, as if it were the only one.
    async fn resume(&mut self) -> Result<(), Failure> {
        let Some(Paused { life, mut server, deleted_commits }) = self.paused.take() else { return Ok(()) };
        // Delta takes it that no writer stands still for longer than commits are kept: it could commit in the
        // place of a deleted one.
        if self.machine.objects.lock().ledger.deleted_commits != deleted_commits {
            return Ok(());
        }
        self.world.linger(Some(life));
        let outcome =
            match pick(&mut self.plan.chance, &[Act::Commit, Act::Commit, Act::Compact, Act::Vacuum]) {
                Act::Commit => server.commit().await.map(drop),
                act => self.maintain(&server, *act).await,
            };
        self.world.linger(None);
        self.world.count("lives resumed", u64::from(outcome.is_ok()));
        outcome
    }

    fn fall(&mut self) {
        self.world.die();
        self.world.count("lives", 1);
        self.unsure.extend(self.waiting.drain(..).map(|waiting| waiting.readings));
        self.commands.clear();
        if self.plan.chance.bool() {
            self.world.note(&format_args!("--- power cut"));
            self.world.count("power cuts", 1);
            self.machine.platter.lock().cut_power(&mut self.world.chance("power"));
        }
    }

    async fn act(&mut self, server: &mut Server, act: Act) -> Result<Next, Failure> {
        match act {
            Act::Send => self.send(server, None)?,
            Act::Resend => {
                if let Some(readings) = self.unsure.pop() {
                    self.send(server, Some(readings))?;
                }
            }
            Act::Write => self.write(server)?,
            Act::Engine => {
                let most = 1 + self.plan.chance.usize(0..40);
                server.step_runner(most)?;
            }
            Act::TakeIn => drop(server.take_in(1 + self.plan.chance.usize(0..40))?),
            Act::Commit => {
                if self.plan.chance.bool() {
                    server.take_in(64)?;
                }
                self.commit(server).await?;
            }
            Act::Snapshot => {
                // It waits until all it rests on is durable.
                self.write(server)?;
                server.step_runner(64)?;
                self.write(server)?;
                self.snapshot(server).await?;
            }
            Act::Compact | Act::Retain | Act::Vacuum | Act::Checkpoint => self.maintain(server, act).await?,
            Act::Query => self.query(server).await?,
            Act::Tick => self.tick(server)?,
            Act::Command => self.command(server)?,
            Act::Job => self.job(server).await?,
            Act::Pause => return Ok(Next::Pause),
            Act::Resume => self.resume().await?,
            Act::Others => {
                let table = *pick(&mut self.plan.chance, &TABLES);
                let done = self.machine.objects.lock().rewrite_one(table, &mut self.plan.chance, &self.world);
                self.world.count("files rewritten by others", u64::from(done));
            }
            Act::Refresh => server.lake.refresh().await?,
            Act::Outage => self.world.take_store_away(self.plan.chance.u64(1..60)),
            Act::Die => self.world.die_in(self.plan.chance.u64(0..40)),
            Act::Restart => {
                let closed = server.log.close();
                self.listen(server.log.end(), false)?;
                closed?;
                return Ok(Next::Stop);
            }
        }
        Ok(Next::GoOn)
    }

    async fn snapshot(&mut self, server: &mut Server) -> Result<(), Failure> {
        if let Some(taken) = server.snapshot().await? {
            self.world.count(taken.name(), 1);
        }
        Ok(())
    }

    /// The branch commits. One that breaks off may have committed some tables, and queries must not see their
    /// rows twice.
    async fn commit(&mut self, server: &mut Server) -> Result<(), Failure> {
        let outcome = server.commit().await;
        if outcome.is_err() && !self.world.is_dead() {
            tolerate(self.query(server).await)?;
        }
        self.world.count("commits of the branch", u64::from(outcome.is_ok()));
        outcome.map(drop)
    }

    /// A job appends the rows of its next run.
    async fn job(&mut self, server: &Server) -> Result<(), Failure> {
        let run = self.job_runs + 1;
        let rows = ResultSet::new(vec![("offset".to_owned(), ColumnData::Int(vec![Some(run)]))])?;
        let append = || server.lake.append_rows(JOB_TABLE, &rows, JOB_TABLE, run);
        // A job that does not know whether its rows are there appends them again.
        if append().await.is_err() {
            append().await?;
        }
        self.job_runs = run;
        self.world.count("runs of a job", 1);
        Ok(())
    }

    async fn maintain(&mut self, server: &Server, act: Act) -> Result<(), Failure> {
        let table = *pick(&mut self.plan.chance, &TABLES);
        let chance = &mut self.plan.chance;
        match act {
            Act::Compact => {
                let options = CompactOptions {
                    target_bytes: *pick(chance, &[3_000, 1 << 20]),
                    min_files: 2,
                    max_files: 8,
                };
                let done = server.lake.compact(table, options).await?;
                self.world.count("files merged", done.files_before as u64);
            }
            Act::Retain => {
                let before = self.plan.now - chance.i64(0..172_800_000_000);
                self.model.retained_from = self.model.retained_from.max(before);
                let done = server.lake.retain("readings", Timestamp(before)).await?;
                self.world.count("files retired", done.files as u64);
            }
            Act::Vacuum => {
                let done = server.lake.vacuum(table, SAFETY_US, self.plan.log_retention_us).await?;
                self.world.count("files vacuumed", done.files as u64);
                self.world.count("commits vacuumed", done.log_entries as u64);
            }
            _ => {
                server.lake.checkpoint(table).await?;
                self.world.count("checkpoints", 1);
            }
        }
        Ok(())
    }

    /// Hands readings to the intake: new ones, or those that were sent before.
    fn send(&mut self, server: &Server, again: Option<Vec<Sent>>) -> Result<(), Failure> {
        let readings = again.unwrap_or_else(|| self.plan.readings(&self.said));
        let mut batch = RawBatch::with_capacity(readings.len());
        for (line, &(series, time, value, quality)) in (1..).zip(&readings) {
            let (asset, signal) = &self.plan.names[series];
            batch.push(asset, signal, time, value, quality, line);
        }
        self.model.send(&keys(&readings));
        self.said.extend(&readings);
        self.set_clock(self.plan.now - self.plan.behind);
        self.waiting.push(Waiting { readings, answer: server.accept(batch) });
        self.listen(server.log.end(), server.is_stopped())
    }

    /// The log writes, and waiting senders get their answer.
    fn write(&mut self, server: &Server) -> Result<(), Failure> {
        server.log.write_waiting();
        self.listen(server.log.end(), false)?;
        self.model.read(server.log.as_ref(), false)
    }

    /// Asks for the answers to what was sent to a log that ends at `end`. One that had stopped before must
    /// acknowledge nothing new.
    fn listen(&mut self, end: Offset, stopped: bool) -> Result<(), Failure> {
        let mut context = Context::from_waker(Waker::noop());
        for mut waiting in std::mem::take(&mut self.waiting) {
            match waiting.answer.as_mut().poll(&mut context) {
                Poll::Pending => self.waiting.push(waiting),
                Poll::Ready(Ok(accepted)) => {
                    if stopped && accepted.accepted > 0 {
                        return Err(Failure::Broken("a log that has stopped acknowledges".to_owned()));
                    }
                    let rows = accepted.accepted + accepted.duplicates;
                    if rows != waiting.readings.len() as u64 {
                        return Err(Failure::Broken(format!(
                            "{accepted:?} for {} readings",
                            waiting.readings.len()
                        )));
                    }
                    self.world.count("readings acknowledged", rows);
                    self.model.acknowledge(&keys(&waiting.readings));
                }
                Poll::Ready(Err(error)) => {
                    self.world.count("sends refused", 1);
                    self.unsure.push(waiting.readings);
                    tolerate::<()>(Err(error.into()))?;
                }
            }
        }
        for mut durable in std::mem::take(&mut self.commands) {
            match durable.as_mut().poll(&mut context) {
                Poll::Pending => self.commands.push(durable),
                Poll::Ready(Ok(offset)) if offset >= end => {
                    return Err(Failure::Broken(format!(
                        "the record {offset} was acknowledged, and the log ends at {end}"
                    )));
                }
                Poll::Ready(_) => {}
            }
        }
        Ok(())
    }

    fn set_clock(&self, now: i64) {
        self.world.clock.set(Timestamp(now));
        self.machine.objects.lock().hear(now);
    }

    fn tick(&mut self, server: &Server) -> Result<(), Failure> {
        let now = Timestamp(self.plan.tick());
        self.set_clock(now.0);
        let ticket = server.log.submit(Record::Tick(now))?;
        self.commands.push(ticket.durable);
        Ok(())
    }

    fn command(&mut self, server: &Server) -> Result<(), Failure> {
        let alerts = self.model.logged_alerts();
        if alerts.is_empty() {
            return Ok(());
        }
        let alert = pick(&mut self.plan.chance, alerts).alert;
        let now = Timestamp(self.plan.now);
        let until = now.plus_us(self.plan.chance.i64(0..120_000_000));
        let action = pick(
            &mut self.plan.chance,
            &[CommandAction::Acknowledge, CommandAction::Shelve { until }, CommandAction::Comment],
        )
        .clone();
        let command = OperatorCommand {
            alert,
            action,
            actor: "kim".to_owned(),
            comment: None,
            reason: None,
            time: now,
        };
        let ticket = server.log.submit(Record::Command(command))?;
        self.commands.push(ticket.durable);
        Ok(())
    }

    /// A query sees all that is durable, so the branch takes it in first.
    async fn query(&mut self, server: &mut Server) -> Result<(), Failure> {
        while server.take_in(64)? {}
        self.model.read(server.log.as_ref(), false)?;
        let only = if self.plan.chance.bool() {
            None
        } else {
            Some(self.plan.chance.usize(0..self.plan.names.len()))
        };
        self.model.check_readings(server, only).await
    }

    /// The weather clears up: all that was put off is done, and then everything must be there.
    async fn settle(&mut self, seed: u64) -> Result<(), Failure> {
        self.world.set_weather(Weather::default());
        self.paused = None;
        // Power is cut while the program runs, too, so few seeds need it once more at their end.
        let lives = if seed.is_multiple_of(4) { 2 } else { 1 };
        for life in 0..lives {
            self.world.begin_life();
            self.world.note(&format_args!("--- last start"));
            let mut server = self.machine.start(&self.plan.setup).await?;
            self.model.read(server.log.as_ref(), true)?;
            self.drain(&mut server).await?;
            self.model.check_alerts()?;
            self.model.check_state(&server)?;
            while server.take_in(64)? {}
            self.model.check_readings(&server, None).await?;
            let end = server.commit().await?;
            if self.plan.does(Act::Job) {
                self.job(&server).await?;
            }
            if end != server.log.end() {
                return Err(Failure::Broken(format!(
                    "the branch has committed up to {end}, the log ends at {}",
                    server.log.end()
                )));
            }
            self.model.check_readings(&server, None).await?;
            self.model.check_files(&self.machine.objects.lock(), end)?;
            self.model.check_job(&self.machine.objects.lock(), JOB_TABLE, self.job_runs)?;
            if life + 1 < lives {
                self.world.die();
                drop(server);
                self.machine.platter.lock().cut_power(&mut self.world.chance("power"));
            } else if seed.is_multiple_of(40) {
                self.model.check_count(visible_count(&server).await?)?;
            }
        }
        Ok(())
    }

    /// Steps the runner until everything that is decided is in the log. A round may write no more than one
    /// alert, where segments are small.
    async fn drain(&mut self, server: &mut Server) -> Result<(), Failure> {
        for round in 1..=2_000 {
            self.write(server)?;
            server.step_runner(16)?;
            if server.is_settled()? {
                return self.model.read(server.log.as_ref(), false);
            }
            // A log that is full waits for the branch and for snapshots.
            if round % 10 == 0 {
                while server.take_in(64)? {}
                server.commit().await?;
                self.snapshot(server).await?;
            }
        }
        Err(Failure::Broken("the engine does not come to the end of the log".to_owned()))
    }
}

/// How many readings queries see: those of the files and those of the tail.
async fn visible_count(server: &Server) -> Result<i64, Failure> {
    let snapshot = server.lake.snapshot().await?;
    let Some(readings) = snapshot.table(READINGS) else {
        return Err(Failure::Broken("there is no table of readings".to_owned()));
    };
    let everything = Bounds::default();
    let mut rows = 0;
    for file in readings.files(&everything) {
        let known = file.rows.and_then(|rows| i64::try_from(rows).ok());
        rows += known.ok_or_else(|| Failure::Broken(format!("{} has no count of rows", file.location)))?;
    }
    for batch in readings.tail(&everything, vec!["time".to_owned()], 8_192) {
        rows += i64::try_from(batch?.num_rows()).unwrap_or(i64::MAX);
    }
    Ok(rows)
}

/// A failure of the world is no failure of the program.
fn tolerate<T>(outcome: Result<T, Failure>) -> Result<Option<T>, Failure> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(Failure::Passing(_)) => Ok(None),
        Err(broken) => Err(broken),
    }
}

fn keys(readings: &[Sent]) -> Vec<Reading> {
    readings.iter().map(|&(series, time, value, _)| (series, time, value.to_bits())).collect()
}
