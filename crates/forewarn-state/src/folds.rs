//! The folds: one file each.

mod bytes;
mod definitions;
mod engine;
mod intake;
mod read_model;

pub use definitions::{DefinitionsFold, InForce};
pub use engine::EngineFold;
pub use intake::IntakeFold;
pub use read_model::ReadModelFold;
