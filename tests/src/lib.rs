//! Drives the real server as a user would: its own process, its own folder, HTTP from outside.

#![allow(clippy::cast_possible_truncation, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "this package is test code")]

pub mod data;
pub mod peers;
pub mod plant;
pub mod site;
