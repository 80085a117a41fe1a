//! What is asked for: which runs answer a request or a backfill, or why none do.

use forewarn_types::{JobRun, Timestamp};

use super::{BACKFILL, Core, Entry, MAX_INTERVALS, MAX_QUEUED, REQUEST, has_written};
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
        let start = from
            .unwrap_or_else(|| if entry.job.kind.writes_rows() { entry.spoken_for() } else { Timestamp(0) });
        let to = to.unwrap_or_else(|| match entry.taken(start, now) {
            // Nothing was said about the interval, so it is one that is free.
            Some(taken) if from.is_none() => taken.from,
            _ => now,
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
        if let Some(taken) = entry.taken(start, to) {
            return Err(entry.refusal(start, to, &taken));
        }
        self.check_room(1)?;
        let record = entry.new_run(start, to, REQUEST, now);
        let run = record.run.clone();
        Ok((Some(record), run))
    }

    /// The runs that would answer a backfill, oldest first, and how many intervals need none. Changes
    /// nothing.
    pub(crate) fn plan_backfill(
        &self,
        job: &str,
        from: Timestamp,
        to: Timestamp,
        now: Timestamp,
    ) -> Result<(Vec<JobRun>, usize), BatchError> {
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
            return Err(BatchError::NoInterval {
                job: job.to_owned(),
                schedule: entry.job.trigger.to_string(),
                from,
                to,
            });
        }
        let (mut runs, mut skipped) = (Vec::new(), 0);
        for (from, to) in intervals {
            let missing = entry.missing(from, to);
            skipped += usize::from(missing.is_empty());
            runs.extend(missing.into_iter().map(|(from, to)| entry.new_run(from, to, BACKFILL, now)));
        }
        self.check_room(runs.len())?;
        Ok((runs, skipped))
    }

    fn check_room(&self, runs: usize) -> Result<(), BatchError> {
        let waiting: usize = self.entries.iter().map(|entry| entry.waiting.len()).sum();
        if waiting + runs > MAX_QUEUED { Err(BatchError::QueueFull(waiting)) } else { Ok(()) }
    }
}

/// A stretch of time whose rows are written or will be.
struct Taken<'a> {
    from: Timestamp,
    to: Timestamp,
    /// The run in line or at work for it; `None` if its rows are written.
    run: Option<&'a JobRun>,
}

impl Entry {
    /// The runs in line and at work.
    fn unfinished(&self) -> impl Iterator<Item = &JobRun> {
        self.active.iter().chain(self.waiting.iter().map(|waiting| &waiting.record))
    }

    /// The run in line or at work for exactly this interval.
    fn in_hand(&self, from: Timestamp, to: Timestamp) -> Option<&JobRun> {
        self.unfinished().find(|run| run.from == from && run.to == to)
    }

    /// The first stretch within `[from, to)` whose rows are written or will be; runs of models may overlap,
    /// as each stands for itself.
    fn taken(&self, from: Timestamp, to: Timestamp) -> Option<Taken<'_>> {
        if !self.job.kind.writes_rows() {
            return None;
        }
        let runs = self.unfinished().filter(|run| run.from < to && run.to > from);
        let runs = runs.map(|run| Taken { from: run.from, to: run.to, run: Some(run) });
        let written = self.written.overlap(from, to).map(|(from, to)| Taken { from, to, run: None });
        runs.chain(written).min_by_key(|taken| taken.from)
    }

    /// The parts of an interval that no run has computed or will compute.
    fn missing(&self, from: Timestamp, to: Timestamp) -> Vec<(Timestamp, Timestamp)> {
        if !self.job.kind.writes_rows() {
            return if self.in_hand(from, to).is_some() { Vec::new() } else { vec![(from, to)] };
        }
        let (mut missing, mut reach) = (Vec::new(), from);
        while reach < to {
            let taken = self.taken(reach, to);
            let (start, end) = taken.map_or((to, to), |taken| (taken.from, taken.to));
            if start > reach {
                missing.push((reach, start));
            }
            reach = end;
        }
        missing
    }

    /// How far the data is covered by what is done, at work or in line without a gap.
    fn spoken_for(&self) -> Timestamp {
        let mut reach = self.cursor;
        while let Some(taken) = self.taken(reach, reach.plus_us(1)) {
            reach = taken.to;
        }
        reach
    }

    /// Why there is no run over an interval in which `taken` is the first stretch that is. Names the run
    /// where it is still known.
    fn refusal(&self, from: Timestamp, to: Timestamp, taken: &Taken<'_>) -> BatchError {
        let writers = self.history.iter().filter(|run| has_written(run) && run.from < to && run.to > from);
        let run = taken.run.or_else(|| writers.min_by_key(|run| run.from));
        let (other_from, other_to) = run.map_or((taken.from, taken.to), |run| (run.from, run.to));
        let by = run.map_or_else(|| "an earlier run".to_owned(), |run| format!("run {}", run.run));
        let job = self.job.name.clone();
        if taken.run.is_none() && other_from <= from && other_to >= to {
            return BatchError::Computed { job, from, to, by };
        }
        BatchError::Overlap { job, from, to, by, other_from, other_to }
    }
}
