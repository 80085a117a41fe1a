//! Tests over several modules.

mod cmapss;
pub(crate) mod core;
mod lake;
mod memory;
mod service;
