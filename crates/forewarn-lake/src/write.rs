//! What is written to the tables, by the branch and by jobs, and shown to readers in the same step.
//!
//! [`writer`] commits files and moves the border between files and tail along. [`branch`] carries the log
//! into the lake, [`by_day`] makes files of its readings, [`append`] takes the rows of jobs, [`in_parts`]
//! those of jobs that give very many, [`others`] what other programs have committed. [`feed`] knows which
//! log feeds the lake, and [`marker`] keeps a note of it.

mod append;
mod branch;
mod by_day;
mod failures;
mod feed;
mod in_parts;
mod interval;
mod marker;
mod others;
mod writer;

pub use self::branch::{Branch, CONSUMER};
pub use self::failures::CommitFailure;
pub(crate) use self::feed::check_feeder;
pub use self::in_parts::RowsInParts;
pub use self::interval::IntervalOf;
pub use self::marker::found;
pub(crate) use self::marker::read_marker;
pub(crate) use self::writer::Writer;
