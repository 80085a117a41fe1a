//! What is asked for: which runs answer a request or a backfill, or why none do.

use forewarn_types::{JobKind, JobRun, Timestamp};

use super::{BACKFILL, Core, Entry, MAX_INTERVALS, MAX_QUEUED, REQUEST};
use crate::BatchError;

impl Core {
    /// The runs that would answer a request, of which none is in line yet, and the ids of all. Changes nothing.
    pub(crate) fn plan_request(
        &self,
        job: &str,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(Option<JobRun>, String), BatchError> {
        let entry = &self.entries[self.index_of(job)?];
        let to = to.unwrap_or(now);
        let start = from.unwrap_or_else(|| match entry.job.kind {
            JobKind::Sql => entry.spoken_for(),
            JobKind::Train | JobKind::Predict => Timestamp(0),
        });
        if start >= to {
            return Err(match from {
                Some(from) => BatchError::BadInterval { from, to },
                None => BatchError::NothingToDo { job: job.to_owned(), until: start },
            });
        }
        if to > now {
            return Err(BatchError::NotYet { to, now });
        }
        if let Some(run) = entry.in_hand(start, to) {
            return Ok((None, run.run.clone()));
        }
        self.check_room(1)?;
        let record = entry.new_run(start, to, REQUEST, now);
        let run = record.run.clone();
        Ok((Some(record), run))
    }

    /// The runs that would answer a backfill, oldest first. Changes nothing.
    pub(crate) fn plan_backfill(&self, job: &str, from: Timestamp, to: Timestamp, now: Timestamp) -> Result<Vec<JobRun>, BatchError> {
        let entry = &self.entries[self.index_of(job)?];
        if from >= to {
            return Err(BatchError::BadInterval { from, to });
        }
        if entry.schedule.next_after(Timestamp(0)).is_none() {
            return Err(BatchError::NoSchedule(job.to_owned()));
        }
        let to = to.min(now);
        let too_many = || BatchError::TooManyIntervals { job: job.to_owned(), limit: MAX_INTERVALS };
        let intervals = entry.schedule.intervals(from, to, MAX_INTERVALS).ok_or_else(too_many)?;
        if intervals.is_empty() {
            return Err(BatchError::NoInterval { job: job.to_owned(), schedule: entry.job.trigger.to_string(), from, to });
        }
        let new = intervals.into_iter().filter(|(from, to)| entry.in_hand(*from, *to).is_none());
        let runs: Vec<JobRun> = new.map(|(from, to)| entry.new_run(from, to, BACKFILL, now)).collect();
        self.check_room(runs.len())?;
        Ok(runs)
    }

    fn check_room(&self, runs: usize) -> Result<(), BatchError> {
        let waiting: usize = self.entries.iter().map(|entry| entry.waiting.len()).sum();
        if waiting + runs > MAX_QUEUED { Err(BatchError::QueueFull(waiting)) } else { Ok(()) }
    }
}

impl Entry {
    /// The run in line or at work for exactly this interval.
    fn in_hand(&self, from: Timestamp, to: Timestamp) -> Option<&JobRun> {
        let all = self.active.iter().chain(self.waiting.iter().map(|waiting| &waiting.record));
        all.into_iter().find(|run| run.from == from && run.to == to)
    }

    /// How far the data is covered by what is done, at work or in line without a gap.
    fn spoken_for(&self) -> Timestamp {
        let mut reach = self.cursor;
        loop {
            let all = self.active.iter().chain(self.waiting.iter().map(|waiting| &waiting.record));
            match all.filter(|run| run.from <= reach && run.to > reach).map(|run| run.to).max() {
                Some(further) => reach = further,
                None => return reach,
            }
        }
    }
}
