//! Lake and tail as one: what a question sees, and the ways to read it.
//!
//! [`view`] is lake and tail at one moment, [`scan`] what has to be read of it, and [`files`] opens a data
//! file. [`snapshot`] is how other crates read, [`history`] gives readings in typed columns, [`result`] is
//! the form of rows in answers, [`form`] that of files whose rows are written again. [`reader`] holds what
//! all of these share, [`progress`] says how far the tail has come.

mod damage;
mod files;
mod form;
mod history;
mod progress;
mod reader;
mod result;
mod scan;
mod snapshot;
mod view;

pub(crate) use self::form::{form_of, in_form};
pub use self::history::{ReadingsQuery, SeriesReadings};
pub(crate) use self::reader::Reader;
pub use self::result::ResultSet;
pub use self::snapshot::{RowBatches, Snapshot, TableSnapshot, TailBatches};
pub(crate) use self::view::{TableView, View};
