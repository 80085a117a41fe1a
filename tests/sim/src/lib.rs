//! The log, the folds and the branch over a simulated disk and object store.
//!
//! A seed is a plan: a stream of readings, and between them groups that the log writes, steps of the runner,
//! commits of the branch, compaction, retention, vacuum, checkpoints, snapshots, queries, deaths and starts.
//! The code is the real one, driven by hand on one thread; the [disk](disk) and the [store](store) under it
//! tear, lose, delay, refuse and repeat, as the [world](world) decides by the seed. Others are in that world,
//! too: a program that rewrites files of the same tables, and a server that was paused, replaced, and goes on
//! where it was. Beside it a [model](model) and a [reader of the Delta logs](ledger) know what must hold:
//! what was acknowledged is there exactly once, what was once read never changes, alerts are those of an
//! undisturbed engine on the same log, and no reader loses a file as long as vacuum promises to leave it.
//!
//! The same seed does the same, operation by operation: `simulate FROM SEEDS` runs many, `simulate --trace
//! SEED` tells what one does.

#![allow(
    clippy::missing_errors_doc,
    reason = "this package is test code: an error is what must not hold, in words"
)]

pub mod crowd;
pub mod disk;
pub mod drive;
pub mod ledger;
pub mod model;
pub mod plan;
pub mod server;
pub mod store;
pub mod world;

pub use drive::{Report, run};
