//! Drives the real server as a user would: over HTTP, with real clients, through crashes.

#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "this package is test code")]

mod accuracy;
mod bad_input;
mod clients;
mod clock;
mod commands;
mod demo;
mod disk;
mod kill;
mod log;
mod maintenance;
mod mqtt;
mod nab;
mod readers;
mod snapshots;
mod watch;
