//! Judges the rows of one batch, one after the other, in the order of the log.

use std::borrow::Cow;
use std::sync::Arc;

use forewarn_types::{AssetPath, ReadingBatch, ReadingFlags, SeriesId, SeriesTable, Timestamp};
use parking_lot::RwLock;

use super::accepted::Accepted;
use super::counters::Reason;
use super::held::Held;
use super::limits::IntakeLimits;
use super::origins::Origins;
use super::senders::MAX_SENDERS;
use super::state::Memory;
use crate::{MAX_ERRORS, NO_TIME, RawBatch, Rejected};

/// 2000-01-01: no number that was meant to be a time lies before it.
const YEAR_2000_US: i64 = 946_684_800_000_000;

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
    earliest: i64,
    latest: i64,
    max_ahead_us: i64,
    /// Names with readings ahead of now, and by how much, µs.
    ahead: Vec<(u32, i64)>,
    table: &'a RwLock<SeriesTable>,
    names: Vec<Name>,
    held: &'a Held,
    /// Why a name was refused last.
    last_refusal: Arc<str>,
    /// The line that was stamped last, and the time it got.
    stamped: Option<(u32, i64)>,
    /// Rejections by reason.
    rejected: [u64; Reason::COUNT],
    pub(super) outcome: Accepted,
}

/// Why the sender of `batch` may not write `asset`, if they may not.
fn not_writable(batch: &RawBatch, asset: &str) -> Option<Arc<str>> {
    let writable = batch.writable.as_ref()?;
    (!(writable.admits)(asset)).then(|| Arc::clone(&writable.reason))
}

impl<'a> Judge<'a> {
    pub(super) fn new(
        batch: &'a RawBatch,
        now: Timestamp,
        limits: &IntakeLimits,
        table: &'a RwLock<SeriesTable>,
        origins: &Origins,
        held: &'a Held,
    ) -> Self {
        let known = table.read();
        let of_name = |(index, (asset, signal)): (usize, &(Box<str>, Box<str>))| {
            if let Some(reason) = not_writable(batch, asset) {
                return Name::Refused(reason);
            }
            match known.get(asset, signal) {
                Some(id) if batch.origin_of(index).is_none_or(|origin| origins.is(id, origin)) => {
                    Name::Known(id)
                }
                _ => Name::Unseen,
            }
        };
        let names = batch.names.iter().enumerate().map(of_name).collect();
        drop(known);
        // Anything before 1970 is a sender's unset clock.
        let earliest = batch.min_time.unwrap_or(limits.min_time).0.max(0);
        let latest = now.plus_us(limits.max_future_us).0;
        let last_refusal = Arc::from("");
        Self {
            batch,
            now,
            earliest,
            latest,
            max_ahead_us: limits.max_ahead_us,
            ahead: Vec::new(),
            table,
            names,
            held,
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
        if sent != NO_TIME && !(self.earliest..=self.latest).contains(&sent) {
            return self.reject(row, Reason::Time, self.no_time(sent));
        }
        let id = match self.series(row, &mut memory.origins) {
            Ok(id) => id,
            Err(reason) => return self.reject(row, Reason::Series, &*reason),
        };
        let time = if sent == NO_TIME {
            self.stamp(row, memory.newest(id), memory)
        } else if memory.is_known(id, sent, value) || self.held.contains(id, sent, value) {
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

    /// What must be known of a reading's time. One that lies ahead of now moves no time, so that the next
    /// ones are not late. If the newest of a series lies ahead of now, the server's clock was set back, and
    /// the series begins anew: no time, however wrong, may make what comes after it late.
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

    /// Nothing of the batch is stored.
    pub(super) const fn refuse_all(&mut self) {
        (self.outcome.accepted, self.outcome.late, self.outcome.duplicates) = (0, 0, 0);
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

    fn series(&mut self, row: usize, origins: &mut Origins) -> Result<SeriesId, Arc<str>> {
        let index = self.batch.name[row] as usize;
        match self.names.get(index) {
            Some(Name::Known(id)) => return Ok(*id),
            Some(Name::Refused(reason)) => return Err(Arc::clone(reason)),
            Some(Name::Unseen) => {}
            None => return Err(format!("the reading's name {index} is not in its batch").into()),
        }
        let named = self.named(index, origins).map_err(|reason| {
            if *self.last_refusal != *reason {
                self.last_refusal = reason.into();
            }
            Arc::clone(&self.last_refusal)
        });
        self.names[index] = match &named {
            Ok(id) => Name::Known(*id),
            Err(reason) => Name::Refused(Arc::clone(reason)),
        };
        named
    }

    /// The series of a name that the batch has not used yet.
    fn named(&self, index: usize, origins: &mut Origins) -> Result<SeriesId, String> {
        let (asset, signal) = self.batch.names.get(index).ok_or("the reading has no name")?;
        let (mut asset, mut signal) = (Cow::from(&**asset), Cow::from(&**signal));
        let intern = |asset: &str, signal: &str| {
            let mut table = self.table.write();
            let (id, _) = table.intern(asset, signal).map_err(|error| error.to_string())?;
            let path = table.def(id).map(|def| AssetPath::clone(&def.asset));
            Ok::<_, String>((id, path.unwrap_or_else(|| asset.into())))
        };
        let Some(origin) = self.batch.origin_of(index) else {
            return intern(&asset, &signal).map(|(id, _)| id);
        };
        // Other words came to the same name before: then these get one that tells all of them.
        let explicit = || self.batch.explicit(index).ok_or("the reading has no name of its own");
        // A series from before this was kept stays what it is.
        let kept = self.table.read().get(&asset, &signal).is_some_and(|id| origins.is_free(id));
        if !kept && !origins.allows_asset(&asset, origin) {
            asset = explicit()?.0.into();
            if let Some(reason) = not_writable(self.batch, &asset) {
                return Err(reason.to_string());
            }
            if !origins.allows_asset(&asset, origin) {
                return Err(format!(
                    "the asset {asset:?} stands for other tags already; hold them apart with influx.asset"
                ));
            }
        }
        let (mut id, mut path) = intern(&asset, &signal)?;
        if !origins.allows(id, origin) {
            signal = explicit()?.1.into();
            (id, path) = intern(&asset, &signal)?;
            if !origins.allows(id, origin) {
                return Err(format!(
                    "the signal {signal:?} of {asset} stands for another field already; hold them apart with \
                     influx.signal"
                ));
            }
        }
        origins.claim(id, &path, origin);
        Ok(id)
    }

    /// Why the time `sent` is refused, and in which unit it would be one of these days.
    fn no_time(&self, sent: i64) -> String {
        let (time, now, unit) = (Timestamp(sent), self.now, self.batch.unit);
        let problem = if sent < 0 {
            "lies before 1970".to_owned()
        } else if sent < self.earliest {
            format!("lies before limits.min_time = {}", Timestamp(self.earliest))
        } else {
            "lies too far in the future".to_owned()
        };
        let hint = match unit.meant(sent, Timestamp(self.earliest.max(YEAR_2000_US)), Timestamp(self.latest))
        {
            Some((meant, day)) => format!(
                "; read as {} it is {}, but it was read as {}: send those, or say the unit",
                meant.as_str(),
                day.date(),
                unit.as_str()
            ),
            None => "; check the sender's clock and unit".to_owned(),
        };
        format!("the time {time} {problem} (the server's clock shows {now}){hint}")
    }

    fn reject(&mut self, row: usize, reason: Reason, text: impl Into<String>) {
        self.rejected[reason as usize] += 1;
        self.outcome.rejected_total += 1;
        if self.outcome.rejected.len() < MAX_ERRORS {
            self.outcome.rejected.push(Rejected { line: self.batch.line[row] as usize, reason: text.into() });
        }
    }
}
