//! Intervals that readings have come to since they were computed: they are run again.
//!
//! A run sees every reading that stands in the log before its own `running` record, so a reading that stands
//! behind that, and whose time lies in the run's interval, may not be in what it has computed. After each run
//! of the schedule the job looks which readings have come since it last looked, within the time that it
//! recomputes. What one more run costs is little; what a run has missed would stay wrong.

use forewarn_types::{JobRun, Offset, RunState, Timestamp};

use super::seen::{Arrived, Look, MINUTE_US, RECOMPUTE};
use super::{Core, Entry};

impl Core {
    /// All jobs, and since when it is to be known what the runs of those that recompute have seen.
    pub(crate) fn asked(&self, now: Timestamp) -> Vec<(String, Option<Timestamp>)> {
        let asked = self.entries.iter().map(|entry| {
            let since = entry.recomputes().then(|| now.plus_us(-entry.job.late.recompute_us));
            (entry.job.name.clone(), since)
        });
        asked.collect()
    }

    /// The jobs that are to look for late readings now.
    pub(crate) fn looks(&mut self, now: Timestamp) -> Vec<Look> {
        let until = self.newest;
        self.entries.iter_mut().filter_map(|entry| entry.look(now, until)).collect()
    }

    /// A job has looked: puts the intervals that readings have come to in line. If it could not look, it does
    /// so again after its next run.
    pub(crate) fn looked(&mut self, look: &Look, arrived: Option<&Arrived>, now: Timestamp) {
        let Ok(index) = self.index_of(&look.job) else { return };
        let entry = &mut self.entries[index];
        entry.seen.looking = false;
        let Some(arrived) = arrived else { return };
        entry.seen.looked_to = entry.seen.looked_to.max(look.until);
        let touched = entry.touched(arrived);
        for (from, to) in touched {
            if self.check_room(1).is_err() {
                // It is looked for again from the start.
                self.entries[index].seen.looked_to = Offset(0);
                return;
            }
            let record = self.entries[index].new_run(from, to, RECOMPUTE, now);
            self.admit(record);
        }
    }
}

impl Entry {
    pub(super) fn recomputes(&self) -> bool {
        self.job.late.recompute_us > 0 && self.job.kind.writes_rows()
    }

    /// What earlier runs have seen, oldest first.
    pub(super) fn take_seen(&mut self, computed: &[(Timestamp, Timestamp, Offset)]) {
        for &(from, to, offset) in computed {
            self.seen.computed(from, to, offset);
        }
        self.want_look();
    }

    pub(super) fn want_look(&mut self) {
        self.seen.wanted = self.recomputes();
    }

    /// Whether it is going to look, or does.
    pub(super) const fn looks(&self) -> bool {
        self.seen.wanted || self.seen.looking
    }

    /// The `running` record of the run at work stands at `offset`.
    pub(super) const fn run_began(&mut self, offset: Offset) {
        self.seen.running = Some(offset);
    }

    /// A run is over for good.
    pub(super) fn note_seen(&mut self, run: &JobRun) {
        // Where its record could not be written, it counts as having seen nothing, and is run once more.
        let offset = self.seen.running.take().unwrap_or_default();
        if !self.recomputes() {
            return;
        }
        match run.state {
            RunState::Succeeded => self.seen.computed(run.from, run.to, offset),
            // What it was to take in is found again at the next look.
            RunState::Failed if run.trigger == RECOMPUTE => self.seen.looked_to = Offset(0),
            _ => {}
        }
    }

    fn look(&mut self, now: Timestamp, until: Offset) -> Option<Look> {
        let idle = self.active.is_none() && self.waiting.is_empty();
        if !self.seen.wanted || self.seen.looking || !idle {
            return None;
        }
        self.seen.wanted = false;
        let oldest = now.plus_us(-self.job.late.recompute_us);
        self.seen.computed.retain(|(_, to), _| *to > oldest);
        let computed = &self.seen.computed;
        let (from, to) = (computed.keys().next()?.0, computed.keys().map(|(_, to)| *to).max()?);
        let since = computed.values().min()?.next().max(self.seen.looked_to);
        self.seen.looking = true;
        Some(Look { job: self.job.name.clone(), from, to, since, until })
    }

    /// The intervals that readings have come to which their runs may not have seen.
    fn touched(&self, arrived: &Arrived) -> Vec<(Timestamp, Timestamp)> {
        let touched = |(from, to): &(Timestamp, Timestamp), seen: Offset| {
            let minute = Timestamp(from.0.div_euclid(MINUTE_US) * MINUTE_US);
            arrived.range(minute..*to).any(|(_, offset)| *offset > seen)
        };
        let touched = self.seen.computed.iter().filter(|(interval, seen)| touched(interval, **seen));
        touched
            .map(|(interval, _)| *interval)
            .filter(|(from, to)| self.in_hand(*from, *to).is_none())
            .collect()
    }
}
