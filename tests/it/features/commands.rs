//! The command line as people use it: what each command prints, and the exit code it ends with.

mod alert;
mod check;
mod import;
mod job;
mod model;
mod rule;
mod server;
mod sql;
