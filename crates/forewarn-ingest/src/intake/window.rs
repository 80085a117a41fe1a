//! The readings accepted last, by fingerprint, so that a sender may repeat itself after a lost
//! acknowledgement.

use std::collections::VecDeque;

use forewarn_types::SeriesId;
use hashbrown::HashTable;

/// A set of the newest fingerprints, bounded; the oldest make room. Additions can be taken back.
#[derive(Debug)]
pub(super) struct Window {
    order: VecDeque<u64>,
    known: HashTable<u64>,
    capacity: usize,
    /// Additions since the last commit.
    added: usize,
    /// Fingerprints dropped since the last commit, oldest first.
    dropped: Vec<u64>,
}

impl Window {
    pub(super) const fn new(capacity: usize) -> Self {
        Self { order: VecDeque::new(), known: HashTable::new(), capacity, added: 0, dropped: Vec::new() }
    }

    pub(super) fn contains(&self, fingerprint: u64) -> bool {
        self.known.find(fingerprint, |&other| other == fingerprint).is_some()
    }

    /// Adds a fingerprint, unless it is known.
    pub(super) fn add(&mut self, fingerprint: u64) {
        if self.capacity == 0 || self.contains(fingerprint) {
            return;
        }
        if self.order.len() == self.capacity
            && let Some(oldest) = self.order.pop_front()
        {
            self.forget(oldest);
            self.dropped.push(oldest);
        }
        self.order.push_back(fingerprint);
        self.known.insert_unique(fingerprint, fingerprint, |&other| other);
        self.added += 1;
    }

    /// Additions since the last commit stay.
    pub(super) fn commit(&mut self) {
        self.added = 0;
        self.dropped.clear();
    }

    /// Takes back the additions since the last commit, and what they pushed out comes back.
    pub(super) fn undo(&mut self) {
        // More may have been added than the window holds; those that were dropped again must not come back.
        let surplus = self.added.saturating_sub(self.order.len());
        for _ in 0..self.added - surplus {
            if let Some(newest) = self.order.pop_back() {
                self.forget(newest);
            }
        }
        let restored = self.dropped.len() - surplus;
        for index in (0..restored).rev() {
            let oldest = self.dropped[index];
            self.order.push_front(oldest);
            self.known.insert_unique(oldest, oldest, |&other| other);
        }
        self.commit();
    }

    /// The fingerprints, oldest first.
    pub(super) fn to_vec(&self) -> Vec<u64> {
        self.order.iter().copied().collect()
    }

    fn forget(&mut self, fingerprint: u64) {
        if let Ok(entry) = self.known.find_entry(fingerprint, |&other| other == fingerprint) {
            entry.remove();
        }
    }
}

/// The fingerprint of a reading: the same in every run, since snapshots hold it.
pub(super) fn fingerprint(series: SeriesId, time: i64, value: f64) -> u64 {
    let mixed = mix(u64::from(series.0) ^ 0x9e37_79b9_7f4a_7c15);
    let mixed = mix(mixed ^ time.cast_unsigned());
    mix(mixed.rotate_left(32) ^ value.to_bits())
}

/// The finaliser of `SplitMix64` (Steele, Lea, Flood 2014): a bijection in which each input bit flips each
/// output bit half of the time.
const fn mix(mut word: u64) -> u64 {
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn undo_restores_exactly_what_was(
            before in prop::collection::vec(0u64..40, 0..30),
            tried in prop::collection::vec(0u64..40, 0..30),
            capacity in 0usize..12,
        ) {
            let mut window = Window::new(capacity);
            for &fingerprint in &before {
                window.add(fingerprint);
            }
            window.commit();
            let expected = window.to_vec();
            for &fingerprint in &tried {
                window.add(fingerprint);
            }
            prop_assert!(window.order.len() <= capacity);
            window.undo();
            prop_assert_eq!(window.to_vec(), expected.clone());
            for fingerprint in 0..40 {
                prop_assert_eq!(window.contains(fingerprint), expected.contains(&fingerprint));
            }
        }
    }

    #[test]
    fn fingerprints_tell_readings_apart() {
        let base = fingerprint(SeriesId(1), 2, 3.0);
        assert_eq!(base, fingerprint(SeriesId(1), 2, 3.0));
        for other in [
            fingerprint(SeriesId(2), 1, 3.0),
            fingerprint(SeriesId(1), 3, 3.0),
            fingerprint(SeriesId(1), 2, 3.5),
        ] {
            assert_ne!(base, other);
        }
    }
}
