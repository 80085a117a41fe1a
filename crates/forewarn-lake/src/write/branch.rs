//! The stage that carries the log into the lake.
//!
//! It follows the log by itself, keeps what is not yet committed as the tail that queries see, and commits it
//! in rounds. A round takes the tail up to an offset, adds one file a table (and day) in one Delta commit
//! that carries this offset, and then notes the offset in one small object, the marker. Only after that the
//! log may trim what it holds before that offset.
//!
//! What is exact once a crash has happened: a table with rows in the round has the offset in its own `txn`
//! action, so on a restart records below it are passed over for this table. A table without rows in the round
//! has nothing to repeat, so its older offset does no harm: the marker, not the tables, says where reading
//! begins. It spares tables of rare records an empty commit each round, and a marker that is missing or old
//! only costs time.
//!
//! Offsets mean something only within one log, so the marker and the application's name in `txn` carry the
//! log's id, and a lake that is fed from another log is refused.

mod by_hand;

use std::sync::Arc;
use std::time::Duration;

use forewarn_log::{Follower, Log};
use forewarn_types::{Clock, Offset, Timestamp};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::by_day::files_by_day;
use super::feed::{branch_app, check_end};
use super::writer::{FlushReply, Writer};
use crate::error::LakeError;
use crate::read::View;
use crate::store::MARKER;
use crate::table::{Appended, ColumnData, NewFile, TableSchema, file_of_columns};
use crate::tail::{Columns, READINGS, columns, series_of};

/// The name under which the log knows this consumer.
pub const CONSUMER: &str = "lake";
/// How often the injected clock is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Records taken from the log at a time.
const READ_RECORDS: usize = 4096;
/// Flushes that may wait for a round.
const MAX_FLUSHES: usize = 64;
/// Waits between attempts while the store fails: the first, and the longest.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(30));

/// How long the end waits for the store. What is not committed by then is in the log, and is committed after
/// the next start.
const FINISH: Duration = Duration::from_secs(15);

/// The stage. See the module's text.
pub struct Branch {
    writer: Arc<Writer>,
    log: Arc<dyn Log>,
    clock: Arc<dyn Clock>,
    flushes: mpsc::Receiver<FlushReply>,
    /// Who waits for a commit, and up to which offset.
    waiting: Vec<(Offset, FlushReply)>,
    round: Option<JoinHandle<Result<Offset, LakeError>>>,
    /// When the last round began, by the injected clock.
    last_round: Timestamp,
    /// Up to here everything is committed and noted.
    noted: Offset,
    /// After a failure: when to try again, and how long to wait after the next one.
    retry: Option<Instant>,
    backoff: Duration,
    /// Since when rounds have failed, and why the last one did.
    failure: Option<(Timestamp, String)>,
    finish_within: Duration,
}

impl Branch {
    /// A branch from `log` through `writer`. From here on queries wait for what the log holds when they are
    /// asked.
    pub(crate) fn new(writer: Arc<Writer>, log: Arc<dyn Log>, clock: Arc<dyn Clock>) -> Self {
        let (sender, flushes) = mpsc::channel(MAX_FLUSHES);
        writer.set_flush(Some(sender));
        writer.reader.progress.follow(log.watch());
        let (last_round, noted) = (clock.now(), writer.resume_offset());
        Self {
            writer,
            log,
            clock,
            flushes,
            waiting: Vec::new(),
            round: None,
            last_round,
            noted,
            retry: None,
            backoff: BACKOFF.0,
            failure: None,
            finish_within: FINISH,
        }
    }

    /// Runs until `shutdown`, then commits the rest.
    ///
    /// # Errors
    /// [`LakeError::Mismatch`] if the log and the lake do not belong together, [`LakeError::Log`] if the log
    /// fails, or why the last commit failed. A store that fails while the stage runs is tried again, without
    /// end.
    pub async fn run(mut self, shutdown: CancellationToken) -> Result<(), LakeError> {
        let others = Arc::clone(&self.writer).follow_others();
        let outcome = tokio::select! {
            outcome = self.follow(&shutdown) => outcome,
            never = others => match never {},
        };
        let reason = outcome
            .as_ref()
            .err()
            .map_or_else(|| "the branch has been shut down".to_owned(), ToString::to_string);
        self.writer.set_flush(None);
        self.writer.reader.progress.stop(reason);
        outcome
    }

    async fn follow(&mut self, shutdown: &CancellationToken) -> Result<(), LakeError> {
        let start = self.check_log().await?;
        let mut follower = Follower::new(Arc::clone(&self.log), start);
        let mut look = tokio::time::interval(LOOK_EVERY);
        loop {
            let room = self.has_room();
            self.tell_behind(room);
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                done = finished(&mut self.round) => self.end_round(done)?,
                Some(reply) = self.flushes.recv() => {
                    let applied = self.writer.reader.view.read().tail.applied;
                    self.waiting.push((applied, reply));
                }
                _ = look.tick() => {}
                records = follower.next(READ_RECORDS), if room => {
                    let records = records.map_err(|error| LakeError::Log(error.to_string()))?;
                    self.writer.take_in(records, follower.position());
                }
            }
            if self.round.is_none() && self.is_due() {
                self.begin_round();
            }
        }
        self.finish().await
    }

    /// Where reading begins.
    async fn check_log(&self) -> Result<Offset, LakeError> {
        self.writer.claim(self.log.id()).await?;
        let newest = self.writer.adopt(self.log.id()).await?;
        let (start, end, resume) = (self.log.start(), self.log.end(), self.writer.resume_offset());
        check_end(newest, end)?;
        if newest < start {
            tracing::warn!(%newest, %start, "the log begins behind the offset the lake ends at; records \
                between them are missing from the lake");
        }
        Ok(resume.max(start))
    }

    /// Whether the tail may grow.
    fn has_room(&self) -> bool {
        let (view, options) = (self.writer.reader.view.read(), &self.writer.reader.options);
        view.tail.rows < options.tail_max_rows.max(1) && view.tail.bytes < options.tail_max_bytes.max(1)
    }

    /// While the tail is full and the store fails, those who wait for newer records are told so at once.
    fn tell_behind(&self, room: bool) {
        let told = self.failure.as_ref().filter(|_| !room);
        let behind = told.map(|(since, reason)| format!("the store has failed since {since}: {reason}"));
        self.writer.reader.progress.set_behind(behind);
    }

    /// Whether a round should begin: on request, at a bound, or when the time has come and there is something
    /// to do.
    fn is_due(&self) -> bool {
        if self.retry.is_some_and(|retry| Instant::now() < retry) {
            return false;
        }
        if !self.waiting.is_empty() || self.retry.is_some() {
            return true;
        }
        let options = &self.writer.reader.options;
        let (applied, rows, bytes) = {
            let tail = &self.writer.reader.view.read().tail;
            (tail.applied, tail.rows, tail.bytes)
        };
        if applied == self.noted {
            return false;
        }
        let full = rows >= options.commit_rows.min(options.tail_max_rows / 2).max(1)
            || bytes >= options.commit_bytes.min(options.tail_max_bytes / 2).max(1);
        let waited = self.clock.now().since_us(self.last_round);
        // A clock that was set back must not stop the commits.
        full || waited >= options.commit_every_us || waited < 0
    }

    fn begin_round(&mut self) {
        self.last_round = self.clock.now();
        self.retry = None;
        let (writer, log) = (Arc::clone(&self.writer), Arc::clone(&self.log));
        self.round = Some(tokio::spawn(async move { round(&writer, log).await }));
    }

    /// Takes note of how a round ended. Only an error that no retry can help comes back.
    fn end_round(&mut self, outcome: Result<Offset, LakeError>) -> Result<(), LakeError> {
        self.round = None;
        match outcome {
            Ok(end) => {
                self.noted = end;
                self.backoff = BACKOFF.0;
                self.failure = None;
                self.answer(&Ok(end));
                Ok(())
            }
            Err(error) if error.is_retryable() => {
                tracing::warn!(%error, wait = ?self.backoff, "a commit to the lake failed; it is tried \
                    again");
                self.answer(&Err(error.to_string()));
                let since = self.failure.take().map_or_else(|| self.clock.now(), |(since, _)| since);
                self.failure = Some((since, error.to_string()));
                self.retry = Some(Instant::now() + self.backoff);
                self.backoff = (self.backoff * 2).min(BACKOFF.1);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Answers those whom the outcome concerns: a request that came while a round ran may have meant records
    /// behind its end.
    fn answer(&mut self, outcome: &Result<Offset, String>) {
        for (wanted, reply) in std::mem::take(&mut self.waiting) {
            if outcome.as_ref().is_ok_and(|end| *end < wanted) {
                self.waiting.push((wanted, reply));
            } else {
                // The other side may have given up.
                let _ = reply.send(outcome.clone());
            }
        }
    }

    /// Commits what is left, if the store lets it.
    async fn finish(&mut self) -> Result<(), LakeError> {
        let committed = tokio::time::timeout(self.finish_within, self.commit_rest()).await;
        let late =
            "it did not answer in time; the records are in the log and are committed after the next start";
        committed.unwrap_or_else(|_| Err(LakeError::store("committing the last records", late)))
    }

    async fn commit_rest(&mut self) -> Result<(), LakeError> {
        if self.round.is_some() {
            let done = finished(&mut self.round).await;
            self.end_round(done)?;
        }
        let last = round(&self.writer, Arc::clone(&self.log)).await;
        self.answer(&last.as_ref().map(|end| *end).map_err(ToString::to_string));
        last.map(drop)
    }
}

/// The outcome of the round that runs; waits for ever while none does. Cancel-safe.
async fn finished(round: &mut Option<JoinHandle<Result<Offset, LakeError>>>) -> Result<Offset, LakeError> {
    match round {
        Some(handle) => handle.await.unwrap_or_else(|error| Err(LakeError::cut_off(&error))),
        None => std::future::pending().await,
    }
}

/// Commits the tail as it is now, table by table, then the marker, then lets the log trim.
async fn round(writer: &Arc<Writer>, log: Arc<dyn Log>) -> Result<Offset, LakeError> {
    let view = Arc::new(writer.reader.view());
    let end = view.tail.applied;
    let mut failed = None;
    for (name, table) in &view.tables {
        if table.committed.is_some_and(|committed| committed < end) {
            let (writing, view, table, app_id) =
                (Arc::clone(writer), Arc::clone(&view), name.clone(), branch_app(log.id()));
            let commit = move || commit_table(&writing, &view, &table, &app_id);
            let outcome =
                tokio::task::spawn_blocking(commit).await.map_err(|error| LakeError::cut_off(&error))?;
            writer.failures.note(name, outcome.as_ref().err(), writer.clock.now());
            match outcome {
                // One table that cannot be written does not keep the rows of the others out of the lake.
                Err(error) if error.is_retryable() => failed = failed.or(Some(error)),
                other => other?,
            }
        }
    }
    if let Some(error) = failed {
        return Err(error);
    }
    let marked = writer.put_marker(end, log.id(), false).await;
    writer.failures.note(MARKER, marked.as_ref().err(), writer.clock.now());
    marked?;
    writer.reader.view.write().trim(end);
    let note = tokio::task::spawn_blocking(move || log.checkpoint(CONSUMER, end));
    // The lake has the records; the log only keeps them longer. The next round notes a newer offset, perhaps
    // with more luck.
    if let Err(error) = note.await.map_err(|error| LakeError::cut_off(&error))? {
        tracing::warn!(%error, %end, "the log could not note what the lake has; it is not trimmed until it \
            can");
    }
    Ok(end)
}

/// Commits the rows one table has in the tail of `view`. Blocks.
fn commit_table(writer: &Writer, view: &View, name: &str, app_id: &str) -> Result<(), LakeError> {
    let (Some(table), Some(shared)) = (view.tables.get(name), writer.tables.get(name)) else {
        return Ok(());
    };
    let version = i64::try_from(view.tail.applied.0).unwrap_or(i64::MAX);
    loop {
        // Each turn starts from what the table has: a commit whose answer got lost moves that on, and the
        // rows are cut again.
        let committed = writer.reader.view.read().tables.get(name).and_then(|table| table.committed);
        let Some(from) = committed.filter(|from| *from < view.tail.applied) else { return Ok(()) };
        let files = files(writer, view, &table.schema, from)?;
        if files.is_empty()
            || writer.commit(&shared, files, app_id, version, Some(from))? != Appended::Overtaken
        {
            return Ok(());
        }
    }
}

fn files(writer: &Writer, view: &View, table: &TableSchema, from: Offset) -> Result<Vec<NewFile>, LakeError> {
    if table.name == READINGS {
        let columns = Columns::all(&view.tail.chunks, from);
        return files_by_day(
            table,
            &columns,
            &series_of(&columns, &writer.reader.series)?,
            writer.reader.options.file_bytes,
        );
    }
    let columns = columns(table, view.tail.records_from(from));
    if columns.iter().all(ColumnData::is_empty) {
        return Ok(Vec::new());
    }
    Ok(vec![file_of_columns(table, &columns)?])
}

#[cfg(test)]
mod tests;
