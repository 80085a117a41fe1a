//! The lowest floor: where the lake's files are, behind `object_store`.
//!
//! [`files`] reads and writes them, in parts where they are large ([`upload`], [`download`]) and so that they
//! outlast a power cut ([`durable`]); [`check`] tries at the start whether a store can be used, and [`place`]
//! says what to do if it cannot. [`epoch`] says which server may write. [`crash`] lets a test end the process at any of its steps.

mod check;
mod crash;
mod delta_log;
#[cfg(test)]
mod disk;
mod download;
mod durable;
mod epoch;
mod fence;
mod files;
mod layout;
mod place;
mod room;
mod runtime;
mod upload;

pub(crate) use self::delta_log::{LogEntry, first_needed};
pub use self::files::{ObjectFiles, StoredFile};
#[cfg(test)]
pub(crate) use self::layout::local_path;
pub(crate) use self::layout::{DELTA_LOG, MARKER, VACUUM_NOTES};
pub(crate) use self::runtime::runtime;
#[cfg(test)]
pub(crate) use self::runtime::unique;
