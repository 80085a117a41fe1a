//! The rules of the house that neither rustfmt nor clippy knows. Each check takes text and gives a list of
//! faults, so that its unit test can show on made-up text that it finds them; `tests/tidy.rs` runs all
//! checks over this repository. The package needs no other crate and is built in seconds.
//!
//! [`tree`] reads the repository, [`tokens`] cuts a Rust file into tokens, [`modules`] knows what each
//! module of a crate defines and imports. On these stand the checks: [`circles`], [`floors`],
//! [`dependencies`], [`layout`] and [`licenses`]. [`exceptions`] lists what is not yet as it should be.

#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot read the tree has failed")]

pub mod circles;
pub mod dependencies;
pub mod exceptions;
pub mod floors;
pub mod layout;
pub mod licenses;
pub mod modules;
pub mod tokens;
pub mod tree;
