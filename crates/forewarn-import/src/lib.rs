//! Histories from files, for `forewarn import`: CSV, tables whose cells are parted by blanks, and Parquet,
//! read in bounded pieces.
//!
//! An [`ImportMapping`] says which columns make the asset, the time and the signals. [`Importer`] reads a
//! piece at a time into a [`RawBatch`](forewarn_ingest::RawBatch); a row or cell that cannot be used is
//! listed there and the rest goes on.

mod cell;
mod columns;
mod decimal;
mod error;
mod form;
mod importer;
mod input;
mod lives;
mod look;
mod mapping;
mod parquet;
mod plan;
mod repeats;
mod row;
mod split;
mod text;
mod time;
mod wall;

#[cfg(test)]
mod tests;

pub use error::ImportError;
pub use importer::{Importer, open};
pub use mapping::{Format, ImportMapping, Lives, TimeUnit};
