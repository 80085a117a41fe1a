//! Drives the real server as a user would: its own process, its own folder, HTTP from outside.

#![allow(
    clippy::cast_possible_truncation,
    clippy::expect_used,
    clippy::panic,
    reason = "this package is test code"
)]

pub mod cli;
pub mod data;
pub mod estate;
pub mod fuzz;
pub mod heat;
pub mod hook;
pub mod peers;
pub mod plant;
pub mod random;
pub mod raw;
pub mod readings;
pub mod s3;
pub mod site;
pub mod wear;

/// Says on standard error why a test does not test. The harness catches what is printed by macros, and shows
/// nothing of a test that passes.
fn say_skipped(why: &str) {
    use std::io::Write as _;
    let name = std::thread::current().name().unwrap_or("a test").to_owned();
    // One write, so that the harness writes nothing in between; without a standard error nothing is lost.
    let _ = std::io::stderr().write_all(format!("skipped: {name}: {why}\n").as_bytes());
}
