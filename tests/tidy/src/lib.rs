//! The rules of the house; see `tests/tidy.rs`.
