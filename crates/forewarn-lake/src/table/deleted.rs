//! The rows that another program has deleted in a file: they are in the file, not in the table.

use std::ops::Range;

use roaring::RoaringTreemap;

/// Numbers of rows of a file, counted from its start.
#[derive(Debug)]
pub struct Deleted {
    /// The id of the deletion vector in its table.
    pub(super) id: String,
    pub(super) rows: RoaringTreemap,
}

impl PartialEq for Deleted {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Deleted {
    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.rows.len()
    }

    /// Those in `range`, ascending.
    pub fn within(&self, range: Range<u64>) -> impl Iterator<Item = u64> {
        let mut rows = self.rows.iter();
        rows.advance_to(range.start);
        rows.take_while(move |row| *row < range.end)
    }
}
