//! Which rows of a record are one sample, and in which order samples are judged.
//!
//! A sample is all values of one asset with one event time in one record, wherever they stand in it. The
//! record is cut, for each asset, wherever no sample of it spans the cut. The pieces follow one another as
//! they arrived; within a piece, where samples are mixed with one another, they follow in order of time. So
//! the order does not depend on how values stand within a sample, nor on how whole samples are cut into
//! records, and the readings of a series stay in order: those that are not late arrive in order of time,
//! and a late one follows on the newest of its series so far.

#[cfg(test)]
mod tests;

use forewarn_types::ReadingBatch;

use crate::build::index_u32;
use crate::dictionary::Dictionary;

/// The order of the rows of one record. It is kept from record to record, so that it allocates only while it
/// grows.
#[derive(Debug, Default)]
pub(crate) struct Samples {
    /// Whether samples stand one after the other as they are judged: then there is nothing below.
    in_order: bool,
    /// The rows as they are judged.
    rows: Vec<u32>,
    /// For each of `rows` the number that its sample goes by.
    numbers: Vec<u32>,
    /// The newest sample of each asset, by its number in the dictionary.
    seen: Vec<Seen>,
    /// Counts records.
    record: u64,
    /// When each row is judged: at its time, or if it is late at the newest time of its series before it in
    /// the record.
    turns: Vec<i64>,
    /// Rows of one asset, by turn.
    by_turn: Vec<(Turn, u32)>,
    groups: Vec<Group>,
    firsts: Vec<u32>,
}

/// The newest sample of an asset in a record.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    record: u64,
    time: i64,
}

/// When a sample is judged: late readings after the others of that time, and each with those of its own time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Turn {
    at: i64,
    is_late: bool,
    time: i64,
}

/// The rows of one sample.
#[derive(Debug, Clone, Copy)]
struct Group {
    /// The first and the last row in the record.
    first: u32,
    last: u32,
    /// Where its rows stand in [`Samples::by_turn`].
    start: usize,
    end: usize,
}

impl Samples {
    /// Finds the order of the rows of `batch`.
    pub(crate) fn arrange(&mut self, batch: &ReadingBatch, names: &Dictionary) {
        self.in_order = self.is_in_order(batch, names);
        if !self.in_order {
            self.sort(batch, names);
        }
    }

    /// The row that is judged as the `at`-th.
    #[inline]
    pub(crate) fn row(&self, at: usize) -> usize {
        if self.in_order { at } else { self.rows[at] as usize }
    }

    /// What the sample that begins with the `at`-th row goes by: samples of an asset are judged in the order
    /// of their numbers, and no two samples have the same.
    #[inline]
    pub(crate) fn number(&self, at: usize) -> u32 {
        if self.in_order { index_u32(at) } else { self.numbers[at] }
    }

    /// Whether each sample is in one piece: it is if the samples of each asset follow in order of time, which
    /// is the usual case and the cheap one to tell.
    fn is_in_order(&mut self, batch: &ReadingBatch, names: &Dictionary) -> bool {
        self.record += 1;
        self.seen.resize(names.asset_count(), Seen::default());
        let mut last = (u32::MAX, i64::MIN);
        for (series, time) in batch.series.iter().zip(&batch.time) {
            let asset = names.asset_of(*series);
            if (asset, *time) == last {
                continue;
            }
            let Some(seen) = self.seen.get_mut(asset as usize) else { continue };
            if seen.record == self.record && *time <= seen.time {
                return false;
            }
            *seen = Seen { record: self.record, time: *time };
            last = (asset, *time);
        }
        true
    }

    #[cold]
    fn sort(&mut self, batch: &ReadingBatch, names: &Dictionary) {
        self.find_turns(batch);
        let Self { rows, numbers, turns, by_turn, groups, firsts, .. } = self;
        rows.sort_unstable_by_key(|row| (names.asset_of(batch.series[*row as usize]), *row));
        numbers.clear();
        for of_asset in rows.chunk_by_mut(|one, other| {
            names.asset_of(batch.series[*one as usize]) == names.asset_of(batch.series[*other as usize])
        }) {
            by_turn.clear();
            by_turn.extend(of_asset.iter().map(|row| {
                let (at, time) = (turns[*row as usize], batch.time[*row as usize]);
                (Turn { at, is_late: at != time, time }, *row)
            }));
            by_turn.sort_unstable();
            groups.clear();
            groups.extend(samples(by_turn));
            groups.sort_unstable_by_key(|group| group.first);
            let (mut placed, mut from) = (0, 0);
            while from < groups.len() {
                let to = end_of_piece(groups, from);
                firsts.clear();
                firsts.extend(groups[from..to].iter().map(|group| group.first));
                // In `by_turn` samples stand in order of time.
                groups[from..to].sort_unstable_by_key(|group| group.start);
                for (group, number) in groups[from..to].iter().zip(&*firsts) {
                    for (_, row) in &by_turn[group.start..group.end] {
                        of_asset[placed] = *row;
                        numbers.push(*number);
                        placed += 1;
                    }
                }
                from = to;
            }
        }
    }

    /// Finds out when each row is judged.
    fn find_turns(&mut self, batch: &ReadingBatch) {
        let Self { rows, turns, .. } = self;
        rows.clear();
        rows.extend(0..index_u32(batch.len()));
        turns.clone_from(&batch.time);
        if !batch.flags.iter().any(|flags| flags.is_late()) {
            return;
        }
        rows.sort_unstable_by_key(|row| (batch.series[*row as usize], *row));
        let mut newest = (None, i64::MIN);
        for row in &*rows {
            let row = *row as usize;
            let (series, time) = (Some(batch.series[row]), batch.time[row]);
            if newest.0 != series {
                newest = (series, i64::MIN);
            }
            if batch.flags[row].is_late() {
                turns[row] = time.max(newest.1);
            } else {
                newest.1 = time;
            }
        }
    }
}

/// The samples of an asset, whose rows stand by turn.
fn samples(by_turn: &[(Turn, u32)]) -> impl Iterator<Item = Group> {
    let mut start = 0;
    by_turn.chunk_by(|one, other| one.0 == other.0).map(move |rows| {
        let end = start + rows.len();
        let group = Group { first: rows[0].1, last: rows[rows.len() - 1].1, start, end };
        start = end;
        group
    })
}

/// The end of the piece that begins with the group `from`: the first place behind it that no sample spans.
/// The groups stand in the order of their first rows.
fn end_of_piece(groups: &[Group], from: usize) -> usize {
    let mut last = groups[from].last;
    let mut to = from + 1;
    while to < groups.len() && groups[to].first < last {
        last = last.max(groups[to].last);
        to += 1;
    }
    to
}
