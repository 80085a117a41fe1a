//! One data file of a table, and what the table knows of it.

use std::sync::Arc;

use object_store::path::Path;

use super::day::day_in;
use super::deleted::Deleted;
use super::min_max::MinMax;

/// One data file of a table.
#[derive(Debug, Clone)]
pub struct DataFile {
    /// Where it is in the lake's store.
    pub location: Path,
    /// Its size.
    pub size_bytes: u64,
    /// How many rows the table has in it, if the table says so. Rows that are deleted do not count.
    pub rows: Option<u64>,
    /// What is known of its columns; a column that is not named here may hold anything.
    pub bounds: Vec<(String, MinMax)>,
    /// The rows that another program has deleted, if it has.
    pub deleted: Option<Arc<Deleted>>,
}

impl DataFile {
    /// The partition it belongs to in a table partitioned by date, days since 1970, as its path says.
    #[must_use]
    pub fn date(&self) -> Option<i32> {
        day_in(&self.location)
    }
}

/// The files of one snapshot of a table.
pub(crate) type FileList = Arc<Vec<Arc<DataFile>>>;
