//! The tail: what the log holds and the files do not.
//!
//! [`chunks`] holds the records themselves. [`rows`] turns them into rows of their tables, [`readings`] picks
//! those of readings.

mod chunk;
mod chunks;
mod readings;
mod rows;

pub(crate) use self::chunks::Tail;
pub(crate) use self::readings::{Columns, Names, series_of};
pub use self::rows::readings::READINGS;
pub(crate) use self::rows::readings::{QUALITIES, SeriesNames, array};
pub(crate) use self::rows::{built_in, columns};
