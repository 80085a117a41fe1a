//! How a large batch is cut into records: no sample, which is all values of one asset with one time, is cut,
//! as each record is judged by itself.

use std::collections::HashMap;

use crate::RawBatch;

/// The rows of a batch, cut into records.
pub(super) struct Pieces {
    rows: usize,
    /// The rows so that those of each sample stand together. Nothing if all rows are one record, in the order
    /// they were sent in.
    order: Vec<u32>,
    /// Where each record ends in `order`.
    ends: Vec<usize>,
}

impl Pieces {
    /// Cuts `batch` into pieces of at most `most` rows. A sample of more than that is cut all the same.
    pub(super) fn of(batch: &RawBatch, most: usize) -> Self {
        let rows = batch.len();
        if rows <= most {
            return Self { rows, order: Vec::new(), ends: Vec::new() };
        }
        let samples = Samples::of(batch);
        let mut order: Vec<u32> = (0..u32::try_from(rows).unwrap_or(u32::MAX)).collect();
        // A series' readings stay in order, or get into order of time. Batches are sorted already, mostly.
        order.sort_by_key(|row| samples.of_row(*row as usize));
        let sample = |at: usize| samples.of_row(order[at] as usize);
        let (mut ends, mut start) = (Vec::new(), 0);
        while start < rows {
            let full = rows.min(start + most);
            let mut end = full;
            while end < rows && end > start && sample(end - 1) == sample(end) {
                end -= 1;
            }
            start = if end == start { full } else { end };
            ends.push(start);
        }
        Self { rows, order, ends }
    }

    /// The rows of each record.
    pub(super) fn iter(&self) -> impl Iterator<Item = Piece<'_>> {
        let whole = self.ends.is_empty().then_some(Piece::AsSent(0..self.rows));
        let mut start = 0;
        let cut = self.ends.iter().map(move |end| {
            let piece = Piece::Sorted(self.order[start..*end].iter());
            start = *end;
            piece
        });
        whole.into_iter().chain(cut)
    }
}

/// The rows of one record.
pub(super) enum Piece<'a> {
    AsSent(std::ops::Range<usize>),
    Sorted(std::slice::Iter<'a, u32>),
}

impl Iterator for Piece<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        match self {
            Self::AsSent(rows) => rows.next(),
            Self::Sorted(rows) => rows.next().map(|row| *row as usize),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self {
            Self::AsSent(rows) => rows.size_hint(),
            Self::Sorted(rows) => rows.size_hint(),
        }
    }
}

impl ExactSizeIterator for Piece<'_> {}

/// Which sample each row belongs to.
struct Samples<'a> {
    batch: &'a RawBatch,
    /// For each name the number of its asset.
    assets: Vec<u32>,
}

impl<'a> Samples<'a> {
    fn of(batch: &'a RawBatch) -> Self {
        let mut numbers: HashMap<&str, u32> = HashMap::new();
        let assets = batch
            .names
            .iter()
            .map(|(asset, _)| {
                let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
                *numbers.entry(asset).or_insert(next)
            })
            .collect();
        Self { batch, assets }
    }

    /// Time and asset. All readings without a time get that of arrival.
    fn of_row(&self, row: usize) -> (i64, u32) {
        let name = self.batch.name[row] as usize;
        (self.batch.time[row], self.assets.get(name).copied().unwrap_or(u32::MAX))
    }
}
