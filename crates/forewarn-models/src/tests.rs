//! Tests over several modules.

mod cmapss;
mod core;
mod lake;
mod memory;
mod service;
