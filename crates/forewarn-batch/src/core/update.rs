//! Other jobs while the scheduler works.
//!
//! A job that is defined as before is not touched. One that is defined anew keeps its place: the run at work
//! goes on, those in line are run as they are defined now, and the schedule goes on from where the old one
//! ended. What was in line of a job that is gone stays on record, as when the server ends: should the job
//! come back, it is run.

use forewarn_types::Timestamp;

use super::{Core, Entry, JobPast};
use crate::{BatchError, Job, Schedule};

impl Core {
    /// Has the jobs be `jobs`. Those that are new come back, to be added with their past.
    ///
    /// # Errors
    /// [`BatchError::BadSchedule`] or [`BatchError::DuplicateJob`]; nothing has changed then.
    pub(crate) fn update(&mut self, jobs: Vec<Job>, now: Timestamp) -> Result<Vec<Job>, BatchError> {
        // A core of these jobs alone finds all that is wrong with them.
        let checked = Self::new(jobs)?;
        let place = |name: &str| checked.entries.iter().position(|entry| entry.job.name == name);
        for entry in &mut self.entries {
            entry.removed = place(&entry.job.name).is_none();
            if entry.removed {
                entry.waiting.clear();
                entry.cancelled |= entry.active.is_some();
            }
        }
        self.entries.sort_by_key(|entry| place(&entry.job.name).unwrap_or(usize::MAX));
        self.forget_removed();
        let mut new = Vec::new();
        for Entry { job, schedule, .. } in checked.entries {
            match self.entries.iter_mut().find(|entry| entry.job.name == job.name) {
                Some(entry) if entry.job.is_same(&job) => {}
                Some(entry) => entry.become_defined(job, schedule, now),
                None => new.push(job),
            }
        }
        Ok(new)
    }

    /// Adds jobs that are not there yet, of which `past` is on record.
    ///
    /// # Errors
    /// [`BatchError::BadSchedule`] or [`BatchError::DuplicateJob`]; nothing has changed then.
    pub(crate) fn add(
        &mut self,
        jobs: Vec<Job>,
        past: Vec<JobPast>,
        now: Timestamp,
    ) -> Result<(), BatchError> {
        let mut added = Self::new(jobs)?.entries;
        added.retain(|entry| self.index_of(&entry.job.name).is_err());
        let first = self.entries.len();
        self.entries.append(&mut added);
        self.seed_from(first, past, now);
        Ok(())
    }

    /// Puts the jobs in the order of `names`.
    pub(crate) fn sort(&mut self, names: &[String]) {
        let place = |entry: &Entry| names.iter().position(|name| *name == entry.job.name);
        self.entries.sort_by_key(|entry| place(entry).unwrap_or(usize::MAX));
    }

    /// Drops the jobs that are no longer defined and have no run at work.
    pub(super) fn forget_removed(&mut self) {
        self.entries.retain(|entry| !entry.removed || entry.active.is_some());
    }
}

impl Entry {
    /// Is from now on what `job` says.
    fn become_defined(&mut self, job: Job, schedule: Schedule, now: Timestamp) {
        let rescheduled = job.trigger != self.job.trigger;
        (self.job, self.schedule) = (job, schedule);
        if !rescheduled {
            return;
        }
        self.note = None;
        if self.cursor == Timestamp(0) && self.schedule.next_after(now).is_some() {
            // It had no schedule; as one that was never run, it begins with its next time.
            let complete = self.complete_to(now);
            self.cursor = self.schedule.last_at(complete).unwrap_or(complete);
        }
        self.catch_up(now);
    }
}
