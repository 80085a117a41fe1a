//! Sets of time: which stretches a job has written the rows of.

use std::collections::BTreeMap;

use forewarn_types::Timestamp;

/// Stretches of time, each `[from, to)`. None touches another, so a job that runs without a gap takes the
/// room of one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Stretches(BTreeMap<Timestamp, Timestamp>);

impl Stretches {
    /// Adds `[from, to)`; nothing if that is empty.
    pub(crate) fn add(&mut self, mut from: Timestamp, mut to: Timestamp) {
        if from >= to {
            return;
        }
        while let Some((start, end)) = self.last_to_begin_by(to).filter(|(_, end)| *end >= from) {
            self.0.remove(&start);
            (from, to) = (from.min(start), to.max(end));
        }
        self.0.insert(from, to);
    }

    /// The first stretch that shares time with `[from, to)`.
    pub(crate) fn overlap(&self, from: Timestamp, to: Timestamp) -> Option<(Timestamp, Timestamp)> {
        let around = self.last_to_begin_by(from).filter(|(_, end)| *end > from);
        around.or_else(|| {
            self.0.range(from..).next().map(|(start, end)| (*start, *end)).filter(|(start, _)| *start < to)
        })
    }

    /// The parts of `[from, to)` that lie in no stretch, ascending.
    pub(crate) fn gaps(&self, from: Timestamp, to: Timestamp) -> Vec<(Timestamp, Timestamp)> {
        let (mut gaps, mut reach) = (Vec::new(), from);
        while reach < to {
            let (start, end) = self.overlap(reach, to).unwrap_or((to, to));
            if start > reach {
                gaps.push((reach, start));
            }
            reach = end;
        }
        gaps
    }

    fn last_to_begin_by(&self, time: Timestamp) -> Option<(Timestamp, Timestamp)> {
        self.0.range(..=time).next_back().map(|(start, end)| (*start, *end))
    }
}

impl FromIterator<(Timestamp, Timestamp)> for Stretches {
    fn from_iter<I: IntoIterator<Item = (Timestamp, Timestamp)>>(stretches: I) -> Self {
        let mut all = Self::default();
        for (from, to) in stretches {
            all.add(from, to);
        }
        all
    }
}
