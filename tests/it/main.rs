//! Drives the real server as a user would: over HTTP, with real clients, through crashes.

#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "this package is test code")]

mod accuracy;
mod faults;
mod features;
mod peers;
