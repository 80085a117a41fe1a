//! Delta tables: their columns and files, one commit at a time.
//!
//! [`schema`] and [`column`] are the forms of columns and values, [`parquet`] writes a file, [`delta`] is one
//! table as its one writer sees it, and [`tables`] holds all of them. [`bounds`] says of which rows a reader
//! wants to know, [`min_max`] which rows a [`file`] may have.

mod bounds;
mod column;
mod day;
mod deleted;
mod delta;
mod engine;
mod file;
mod location;
mod min_max;
mod parquet;
mod schema;
mod tables;
mod upload;

pub use self::bounds::{Bounds, Limit, MAX_TEXTS};
pub use self::column::{Cell, ColumnData};
pub(crate) use self::day::{DATE, DAY_US, day_of};
pub use self::deleted::Deleted;
pub(crate) use self::delta::{Appended, Change, DeltaTable};
pub use self::file::DataFile;
pub(crate) use self::file::FileList;
pub use self::min_max::MinMax;
pub(crate) use self::min_max::ends;
pub(crate) use self::parquet::{FileWriter, NewFile, bounds_of, encode, file_of_columns};
pub(crate) use self::schema::MARKS;
pub use self::schema::{ColumnInfo, ColumnType, TableInfo, TableSchema};
pub(crate) use self::tables::{SharedTable, Tables};
pub(crate) use self::upload::Uploaded;
