//! What the scheduler makes of the past when it begins: how far each job is, what a crash left behind, what
//! is to be caught up with.

use forewarn_spec::CatchUp;
use forewarn_types::{JobRun, Offset, RunState, Timestamp};

use super::{Core, Entry, MAX_ATTEMPTS, MAX_INTERVALS, Stretches, attempt_of, series_of};

/// What is on record of one job.
#[derive(Debug, Default)]
pub(crate) struct JobPast {
    pub(crate) job: String,
    /// The latest end of a scheduled interval that succeeded.
    pub(crate) covered_to: Option<Timestamp>,
    /// The earliest start of a scheduled interval that was ever put in line.
    pub(crate) first_from: Option<Timestamp>,
    /// What a SQL job has written rows for.
    pub(crate) written: Stretches,
    /// The intervals computed of late, and where the `running` record of the run stands: what it has seen of
    /// the log. In the order in which they were computed.
    pub(crate) seen: Vec<(Timestamp, Timestamp, Offset)>,
    /// The newest state of the newest runs and of all that are not over, oldest run first.
    pub(crate) runs: Vec<JobRun>,
}

impl Core {
    /// Takes in the past. To be called once, before the first poll.
    pub(crate) fn seed(&mut self, past: Vec<JobPast>, now: Timestamp) {
        self.began = now;
        self.seed_from(0, past, now);
    }

    /// Takes in the past of the jobs from the `first` one on.
    pub(super) fn seed_from(&mut self, first: usize, past: Vec<JobPast>, now: Timestamp) {
        let mut past: std::collections::HashMap<String, JobPast> =
            past.into_iter().map(|past| (past.job.clone(), past)).collect();
        let (mut queued, mut again, mut closed) = (Vec::new(), Vec::new(), Vec::new());
        for entry in self.entries.iter_mut().skip(first) {
            let past = past.remove(&entry.job.name).unwrap_or_default();
            entry.cursor = entry.cursor_after(&past, now);
            entry.written = past.written;
            entry.take_seen(&past.seen);
            for run in past.runs {
                entry.remember(run);
            }
            for mut left in
                entry.history.iter().filter(|run| !run.state.is_final()).cloned().collect::<Vec<_>>()
            {
                let superseded = entry.attempts(series_of(&left.run)) > attempt_of(&left.run);
                if left.state == RunState::Queued && !superseded {
                    // It has not been tried yet, and its record is there.
                    queued.push(left);
                    continue;
                }
                again.extend(entry.rerun_of(&mut left, superseded, now));
                entry.remember(left.clone());
                closed.push(left);
            }
            entry.catch_up(now);
        }
        for run in queued {
            self.admit_written(run, now);
        }
        // A run is closed when the one that takes its place is on record: should the server end in between,
        // that one is found.
        for run in again {
            self.admit(run);
        }
        self.outbox.extend(closed);
    }
}

impl Entry {
    /// How far the schedule's intervals are done. A job that was never run begins with its next fire time.
    fn cursor_after(&self, past: &JobPast, now: Timestamp) -> Timestamp {
        if self.schedule.next_after(now).is_none() {
            return Timestamp(0);
        }
        let Some(known) = past.covered_to.or(past.first_from) else {
            let complete = self.complete_to(now);
            return self.schedule.last_at(complete).unwrap_or(complete);
        };
        // Requested runs that went on from there have covered their data too.
        past.written.overlap(known, known.plus_us(1)).map_or(known, |(_, end)| end)
    }

    /// Closes a run that the server's end has cut off, and gives the run that takes its place.
    fn rerun_of(&self, left: &mut JobRun, superseded: bool, now: Timestamp) -> Option<JobRun> {
        let attempt = attempt_of(&left.run);
        let rerun = (!superseded && attempt < MAX_ATTEMPTS).then(|| self.next_attempt(left, now));
        let was = left.state.as_str();
        left.state = RunState::Failed;
        left.time = now;
        left.error = Some(match &rerun {
            Some(rerun) => format!("the server ended while this run was {was}; run again as {}", rerun.run),
            None if superseded => {
                format!("the server ended while this run was {was}; a later attempt has taken its place")
            }
            None => {
                format!(
                    "the server ended while this run was {was}, attempt {attempt} of {MAX_ATTEMPTS}; \
                     request the interval to try again"
                )
            }
        });
        rerun
    }

    /// Decides about the intervals that passed while the server was down.
    pub(super) fn catch_up(&mut self, now: Timestamp) {
        match self.job.catch_up {
            CatchUp::All => self.limit_catch_up(now),
            CatchUp::Latest => {
                self.skip_to_newest(now);
            }
            CatchUp::None => {
                let last = self.schedule.last_at(self.complete_to(now));
                self.cursor = last.unwrap_or(self.cursor).max(self.cursor);
            }
        }
    }

    /// Leaves out the oldest intervals where there are too many, and says so.
    fn limit_catch_up(&mut self, now: Timestamp) {
        let complete = self.complete_to(now);
        if self.schedule.intervals(self.cursor, complete, MAX_INTERVALS).is_some() {
            return;
        }
        let Some(mut start) = self.schedule.last_at(complete) else { return };
        for _ in 0..MAX_INTERVALS {
            match self.schedule.last_before(start) {
                Some(earlier) => start = earlier,
                None => return,
            }
        }
        let note = format!(
            "more than {MAX_INTERVALS} intervals were missed; those from {} to {start} are left out: \
             backfill them in stretches if they are needed",
            self.cursor
        );
        tracing::warn!(job = self.job.name, "{note}");
        self.note = Some(note);
        self.cursor = start;
    }
}
