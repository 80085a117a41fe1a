//! The lake: Delta tables on object storage, and one consistent view of them and of the log's tail.
//!
//! Every kind of record in the log has a table. A [`Branch`] follows the log, shows what it reads at once as
//! the *tail*, and commits it to the tables from time to time, exactly once whatever crashes between. A
//! [`Lake`] shows both as one: a [`Snapshot`] has the files of one version of each table, which ends at an
//! offset, and the tail from this offset on. [`Lake::readings`] gives history in typed columns, and
//! [`Lake::append_rows`] takes what jobs compute.
//!
//! Tables are written through the Delta kernel with Parquet files of our own, so any Delta reader can read
//! them.
//!
//! The crate is built in floors, and each uses only those below it. From the lowest to the highest:
//!
//! 1. `error` and `options`;
//! 2. `store`: files in a folder or a bucket;
//! 3. `table`: Delta tables of such files;
//! 4. `tail`: the records of the log that no file has yet, and their rows;
//! 5. `read`: lake and tail as one;
//! 6. `write`: what adds rows, and shows them to readers in the same step;
//! 7. `upkeep`: what rearranges and deletes;
//! 8. `lake`: the facade.

mod error;
mod lake;
mod options;
mod read;
mod store;
mod table;
mod tail;
#[cfg(test)]
mod testing;
mod upkeep;
mod write;

pub use error::LakeError;
pub use lake::Lake;
pub use options::LakeOptions;
pub use read::{ReadingsQuery, ResultSet, RowBatches, SeriesReadings, Snapshot, TableSnapshot, TailBatches};
pub use store::{ObjectFiles, StoredFile};
pub use table::{
    Bounds, Cell, ColumnData, ColumnInfo, ColumnType, DataFile, Deleted, Limit, MAX_TEXTS, MinMax, TableInfo,
    TableSchema,
};
pub use tail::READINGS;
pub use upkeep::{CompactOptions, Compacted, Held, HeldTable, LeftOut, Paused, Retained, Vacuumed};
pub use write::{Branch, CONSUMER, CommitFailure, IntervalOf, RowsInParts, found};
