//! The lake: Delta tables on object storage, and one consistent view of them and of the log's tail.
//!
//! Every kind of record in the log has a table. A [`Branch`] follows the log, shows what it reads at once as
//! the *tail*, and commits it to the tables from time to time, exactly once whatever crashes between. A
//! [`Lake`] answers questions over both as one: a query sees the files of one snapshot, which ends at an
//! offset, and the tail from this offset on. [`Lake::sql`] takes SQL, [`Lake::readings`] gives history in
//! typed columns, and [`Lake::append_rows`] takes what jobs compute.
//!
//! Tables are written through the Delta kernel with Parquet files of our own, so any Delta reader can read
//! them; SQL is polars'.

mod branch;
mod column;
mod compact;
mod crash;
mod damage;
mod error;
mod failures;
mod files;
#[cfg(test)]
mod foreign_tests;
mod history;
mod hold;
mod lake;
mod maintain;
#[cfg(test)]
mod odd_store;
mod others;
mod parquet;
mod records;
mod result;
mod scan;
mod schema;
mod sql;
mod store;
mod table;
mod tail;
#[cfg(test)]
mod testing;
mod view;

pub use branch::{Branch, CONSUMER};
pub use column::{Cell, ColumnData};
pub use compact::{CompactOptions, Compacted};
pub use error::LakeError;
pub use failures::CommitFailure;
pub use history::{ReadingsQuery, SeriesReadings};
pub use hold::{Held, HeldTable, LeftOut, Paused};
pub use lake::{Lake, LakeOptions, found};
pub use maintain::{Retained, Vacuumed};
pub use result::ResultSet;
pub use schema::{ColumnInfo, ColumnType, TableInfo};
pub use sql::{SqlRequest, check_query};
pub use store::{ObjectFiles, StoredFile};
