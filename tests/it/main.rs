//! Drives the real server as a user would: over HTTP, with real clients, through crashes.

#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "this package is test code")]

mod accuracy;
mod backup;
mod bad_input;
mod clients;
mod clock;
mod commands;
mod demo;
mod disk;
mod estate;
mod kill;
mod log;
mod maintenance;
mod mqtt;
mod nab;
mod read_your_writes;
mod readers;
mod s3;
mod snapshots;
mod sql;
mod torture;
mod upgrade;
mod watch;
