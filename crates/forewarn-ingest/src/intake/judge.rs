//! Judges the rows of one batch, one after the other, in the order of the log.

use std::sync::Arc;

use forewarn_types::{ReadingBatch, ReadingFlags, SeriesId, SeriesTable, Timestamp};
use parking_lot::RwLock;

use super::accepted::Accepted;
use super::counters::Reason;
use super::limits::IntakeLimits;
use super::senders::MAX_SENDERS;
use super::state::Memory;
use crate::{MAX_ERRORS, NO_TIME, RawBatch, Rejected};

/// The earliest time a reading may have: anything before 1970 is a sender's unset clock.
const EARLIEST: Timestamp = Timestamp(0);

/// Readings without a time that arrive within one tick of the clock are told apart by a microsecond each, up
/// to this long.
const MAX_STAMP_AHEAD_US: i64 = 1_000_000;

/// What is known about a name of the batch.
enum Name {
    Unseen,
    Known(SeriesId),
    /// With the reason, which names refused for the same reason share.
    Refused(Arc<str>),
}

/// The judgement of one batch so far.
pub(super) struct Judge<'a> {
    batch: &'a RawBatch,
    now: Timestamp,
    latest: i64,
    max_ahead_us: i64,
    /// Names with readings ahead of now, and by how much, µs.
    ahead: Vec<(u32, i64)>,
    table: &'a RwLock<SeriesTable>,
    names: Vec<Name>,
    /// Why a name was refused last.
    last_refusal: Arc<str>,
    /// The line that was stamped last, and the time it got.
    stamped: Option<(u32, i64)>,
    /// Rejections by reason.
    rejected: [u64; Reason::COUNT],
    pub(super) outcome: Accepted,
}

impl<'a> Judge<'a> {
    pub(super) fn new(
        batch: &'a RawBatch,
        now: Timestamp,
        limits: &IntakeLimits,
        table: &'a RwLock<SeriesTable>,
    ) -> Self {
        let known = table.read();
        let names = batch
            .names
            .iter()
            .map(|(asset, signal)| known.get(asset, signal).map_or(Name::Unseen, Name::Known))
            .collect();
        drop(known);
        let latest = now.plus_us(limits.max_future_us).0;
        let last_refusal = Arc::from("");
        Self {
            batch,
            now,
            latest,
            max_ahead_us: limits.max_ahead_us,
            ahead: Vec::new(),
            table,
            names,
            last_refusal,
            stamped: None,
            rejected: [0; Reason::COUNT],
            outcome: Accepted::default(),
        }
    }

    /// Columns for readings that arrive now.
    pub(super) fn batch_with_room(&self, rows: usize) -> ReadingBatch {
        ReadingBatch::with_capacity(self.now, rows)
    }

    /// Judges row `row`; it goes into `readings`, or is counted as a duplicate or a rejection.
    pub(super) fn row(&mut self, row: usize, memory: &mut Memory, readings: &mut ReadingBatch) {
        let (sent, value) = (self.batch.time[row], self.batch.value[row]);
        if !value.is_finite() {
            return self.reject(row, Reason::Value, "the value is not a finite number");
        }
        if sent != NO_TIME && !(EARLIEST.0..=self.latest).contains(&sent) {
            let problem = if sent < EARLIEST.0 { "lies before 1970" } else { "lies too far in the future" };
            let (time, now) = (Timestamp(sent), self.now);
            return self.reject(
                row,
                Reason::Time,
                format!(
                    "the time {time} {problem} (the server's clock shows {now}); check the sender's \
                     clock and unit"
                ),
            );
        }
        let id = match self.series(row) {
            Ok(id) => id,
            Err(reason) => return self.reject(row, Reason::Series, &*reason),
        };
        let time = if sent == NO_TIME {
            self.stamp(row, memory.newest(id), memory)
        } else if memory.is_known(id, sent, value) {
            self.outcome.duplicates += 1;
            return;
        } else {
            sent
        };
        let flags = self.flags(row, (id, time), memory);
        memory.remember(id, time, value, !flags.is_late() && !flags.is_ahead());
        self.outcome.accepted += 1;
        self.outcome.late += u64::from(flags.is_late());
        readings.push(id, Timestamp(time), value, flags);
    }

    /// What must be known of a reading's time. One that lies ahead of now moves no time, so that the next ones
    /// are not late. If the newest of a series lies ahead of now, the server's clock was set back, and the
    /// series begins anew: no time, however wrong, may make what comes after it late.
    fn flags(&mut self, row: usize, (id, time): (SeriesId, i64), memory: &Memory) -> ReadingFlags {
        let quality = self.batch.quality[row];
        let ahead_us = time.saturating_sub(self.now.0);
        if ahead_us > self.max_ahead_us {
            self.outcome.ahead += 1;
            let name = self.batch.name[row];
            if self.ahead.len() < MAX_SENDERS && !self.ahead.iter().any(|(other, _)| *other == name) {
                self.ahead.push((name, ahead_us));
            }
            return ReadingFlags::ahead(quality);
        }
        let newest = memory.newest(id);
        let is_void = newest.saturating_sub(self.now.0) > self.max_ahead_us;
        ReadingFlags::new(quality, time <= newest && !is_void)
    }

    /// The names of the batch whose readings lie ahead of now, and by how much, µs.
    pub(super) fn ahead(&self) -> impl Iterator<Item = (&str, &str, i64)> {
        self.ahead.iter().filter_map(|(name, ahead_us)| {
            let (asset, signal) = self.batch.names.get(*name as usize)?;
            Some((&**asset, &**signal, *ahead_us))
        })
    }

    /// What became of the batch, and how many rejections there were for each reason.
    pub(super) fn finish(self) -> (Accepted, [u64; Reason::COUNT]) {
        (self.outcome, self.rejected)
    }

    /// The time of a reading that came without: that of arrival. A series' readings of the same instant stay
    /// in order and apart, and the values of one line together: they are one sample.
    fn stamp(&mut self, row: usize, newest: i64, memory: &Memory) -> i64 {
        let line = self.batch.line[row];
        if let Some((of_line, time)) = self.stamped
            && of_line == line
            && time > newest
        {
            return time;
        }
        let of_line = (row..self.batch.len())
            .take_while(|other| self.batch.line[*other] == line && self.batch.time[*other] == NO_TIME);
        let ids = of_line.filter_map(|other| match self.names.get(self.batch.name[other] as usize) {
            Some(Name::Known(id)) => Some(*id),
            _ => None,
        });
        let time = ids.map(|id| self.after(memory.newest(id))).max().unwrap_or(self.now.0);
        self.stamped = Some((line, time));
        time
    }

    /// The time of arrival, or just after `newest` if that is of the same instant.
    const fn after(&self, newest: i64) -> i64 {
        let ahead = newest.saturating_sub(self.now.0);
        if ahead >= 0 && ahead < MAX_STAMP_AHEAD_US { newest + 1 } else { self.now.0 }
    }

    fn series(&mut self, row: usize) -> Result<SeriesId, Arc<str>> {
        let index = self.batch.name[row] as usize;
        let (Some(name), Some((asset, signal))) = (self.names.get_mut(index), self.batch.names.get(index))
        else {
            return Err(format!("the reading's name {index} is not in its batch").into());
        };
        if matches!(name, Name::Unseen) {
            *name = match self.table.write().intern(asset, signal) {
                Ok((id, _)) => Name::Known(id),
                Err(error) => {
                    let reason = error.to_string();
                    if *self.last_refusal != *reason {
                        self.last_refusal = reason.into();
                    }
                    Name::Refused(Arc::clone(&self.last_refusal))
                }
            };
        }
        match name {
            Name::Known(id) => Ok(*id),
            Name::Refused(reason) => Err(Arc::clone(reason)),
            Name::Unseen => Err("the reading's series is not known".into()),
        }
    }

    fn reject(&mut self, row: usize, reason: Reason, text: impl Into<String>) {
        self.rejected[reason as usize] += 1;
        self.outcome.rejected_total += 1;
        if self.outcome.rejected.len() < MAX_ERRORS {
            self.outcome.rejected.push(Rejected { line: self.batch.line[row] as usize, reason: text.into() });
        }
    }
}
