//! What is asked for: which runs answer a request or a backfill, or why none do.

use forewarn_types::{JobRun, Timestamp};

use super::{BACKFILL, Core, Entry, MAX_INTERVALS, MAX_QUEUED, REQUEST};
use crate::BatchError;

impl Core {
    /// The runs that would answer a request, of which none is in line yet, and the ids of all. Changes
    /// nothing.
    pub(crate) fn plan_request(
        &self,
        job: &str,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(Option<JobRun>, String), BatchError> {
        let entry = &self.entries[self.index_of(job)?];
        if let (Some(from), Some(to)) = (from, to)
            && from >= to
        {
            return Err(BatchError::BadInterval { from, to });
        }
        let (from, to) = match entry.whole(from, to, now)? {
            Some(whole) => whole,
            None => (from.unwrap_or(Timestamp(0)), to.unwrap_or(now)),
        };
        if from >= to {
            return Err(BatchError::BadInterval { from, to });
        }
        let due = to.plus_us(entry.job.late.delay_us);
        if due > now {
            return Err(BatchError::NotYet { to, due, now });
        }
        if let Some(run) = entry.in_hand(from, to) {
            return Ok((None, run.run.clone()));
        }
        self.check_room(1)?;
        let record = entry.new_run(from, to, REQUEST, now);
        let run = record.run.clone();
        Ok((Some(record), run))
    }

    /// The runs that would answer a backfill, oldest first, and how many intervals need none. With `again`,
    /// those that have succeeded are run once more. Changes nothing.
    pub(crate) fn plan_backfill(
        &self,
        job: &str,
        (from, to): (Timestamp, Timestamp),
        again: bool,
        now: Timestamp,
    ) -> Result<(Vec<JobRun>, usize), BatchError> {
        let entry = &self.entries[self.index_of(job)?];
        if from >= to {
            return Err(BatchError::BadInterval { from, to });
        }
        if !entry.has_schedule() {
            return Err(BatchError::NoSchedule(job.to_owned()));
        }
        let to = to.min(entry.complete_to(now));
        let too_many = || BatchError::TooManyIntervals { job: job.to_owned(), limit: MAX_INTERVALS };
        let intervals = entry.schedule.intervals(from, to, MAX_INTERVALS).ok_or_else(too_many)?;
        if intervals.is_empty() {
            return Err(BatchError::NoInterval {
                job: job.to_owned(),
                schedule: entry.job.trigger.to_string(),
                from,
                to,
            });
        }
        let needed = |&(from, to): &(Timestamp, Timestamp)| {
            entry.in_hand(from, to).is_none() && (again || !entry.written.gaps(from, to).is_empty())
        };
        let count = intervals.len();
        let runs: Vec<JobRun> = intervals
            .into_iter()
            .filter(needed)
            .map(|(from, to)| entry.new_run(from, to, BACKFILL, now))
            .collect();
        self.check_room(runs.len())?;
        let skipped = count - runs.len();
        Ok((runs, skipped))
    }

    pub(super) fn check_room(&self, runs: usize) -> Result<(), BatchError> {
        let waiting: usize = self.entries.iter().map(|entry| entry.waiting.len()).sum();
        if waiting + runs > MAX_QUEUED { Err(BatchError::QueueFull(waiting)) } else { Ok(()) }
    }
}

impl Entry {
    /// Until when data counts as complete at `now`: what comes within the job's delay is waited for.
    pub(super) fn complete_to(&self, now: Timestamp) -> Timestamp {
        now.plus_us(-self.job.late.delay_us)
    }

    fn has_schedule(&self) -> bool {
        self.schedule.next_after(Timestamp(0)).is_some()
    }

    /// The interval of the schedule that is asked for: without `from` and `to` the last one that is complete;
    /// `None` if the job's runs are not tied to intervals.
    fn whole(
        &self,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Option<(Timestamp, Timestamp)>, BatchError> {
        // A model is trained on all that lies before the end, whatever its schedule.
        if !self.job.kind.writes_rows() || !self.has_schedule() {
            return Ok(None);
        }
        let last = |at: Timestamp| {
            let end = self.schedule.last_at(at)?;
            Some((self.schedule.last_before(end)?, end))
        };
        let from_on = |from: Timestamp| Some((from, self.schedule.next_after(from)?));
        let meant = match (from, to) {
            (None, None) => last(self.complete_to(now)),
            (Some(from), None) => from_on(from),
            (None, Some(to)) => last(to).filter(|(_, end)| *end == to),
            (Some(from), Some(to)) => from_on(from).filter(|(_, end)| *end == to),
        };
        let is_whole = |(from, _): &(Timestamp, Timestamp)| self.schedule.last_at(*from) == Some(*from);
        if let Some(meant) = meant.filter(is_whole) {
            return Ok(Some(meant));
        }
        let around = from.or(to).unwrap_or(now).min(self.complete_to(now));
        let near = self.schedule.last_at(around).and_then(from_on);
        let near = near.filter(|(_, end)| *end <= self.complete_to(now)).or_else(|| last(around));
        let (near_from, near_to) = near.unwrap_or((around, around));
        let (job, schedule) = (self.job.name.clone(), self.job.trigger.to_string());
        Err(BatchError::NotWhole { job, schedule, near_from, near_to })
    }

    /// The runs in line and at work.
    fn unfinished(&self) -> impl Iterator<Item = &JobRun> {
        self.active.iter().chain(self.waiting.iter().map(|waiting| &waiting.record))
    }

    /// The run in line or at work for exactly this interval.
    pub(super) fn in_hand(&self, from: Timestamp, to: Timestamp) -> Option<&JobRun> {
        self.unfinished().find(|run| run.from == from && run.to == to)
    }
}
