//! Lake and tail as one: what a question sees, and the ways to read it.
//!
//! [`view`] is lake and tail at one moment, [`scan`] what has to be read of it, and [`files`] opens a data
//! file. [`history`] gives readings in typed columns, [`result`] is the form of rows in answers.
//! [`reader`] holds what all of these share, [`progress`] says how far the tail has come.

mod damage;
mod files;
mod history;
mod progress;
mod queries;
mod reader;
mod result;
mod scan;
mod view;
mod watch;

pub(crate) use self::files::{ObjectReader, Portion, broken, in_form_of, may_match, open};
pub use self::history::{ReadingsQuery, SeriesReadings};
#[cfg(test)]
pub(crate) use self::queries::MAX_QUERIES;
pub(crate) use self::queries::Queries;
pub(crate) use self::reader::Reader;
pub use self::result::ResultSet;
pub(crate) use self::scan::Scan;
pub(crate) use self::view::{TableView, View};
pub(crate) use self::watch::Running;
#[cfg(test)]
pub(crate) use self::watch::Watch;
