//! The hour that clocks show twice, when they are set back: the order of the rows tells which one is meant.

use hashbrown::HashMap;

/// What the rows of each series have shown in such hours so far.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    /// Rows go from new to old.
    descending: bool,
    last: HashMap<String, i64>,
    key: String,
}

impl Repeats {
    pub(super) fn new(descending: bool) -> Self {
        Self { descending, ..Self::default() }
    }

    /// Which of two times is meant: the first in the order of the rows, until that is passed.
    pub(super) fn choose(&mut self, asset: &str, signal: Option<&str>, early: i64, late: i64) -> i64 {
        self.key.clear();
        self.key.push_str(asset);
        if let Some(signal) = signal {
            self.key.extend(["\0", signal]);
        }
        let last = self.last.get(&self.key).copied();
        let time = match (self.descending, last) {
            (false, Some(last)) if early <= last => late,
            (false, _) => early,
            (true, Some(last)) if late >= last => early,
            (true, _) => late,
        };
        match self.last.get_mut(&self.key) {
            Some(last) => *last = time,
            None => {
                self.last.insert(self.key.clone(), time);
            }
        }
        time
    }
}
