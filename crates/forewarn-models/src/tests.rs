//! Tests over several modules.

mod artefact;
mod cmapss;
pub(crate) mod core;
mod lake;
mod memory;
mod service;
