//! The folds: one file each.

mod accounts;
mod attributes;
mod bytes;
mod definitions;
mod engine;
mod intake;
mod read_model;

pub use accounts::{Accounts, AccountsFold, MAX_TOKENS, MAX_USERS, Token, User};
pub use attributes::{AssetAttributes, AttributesFold};
pub use definitions::{DefinitionsFold, InForce};
pub use engine::EngineFold;
pub use intake::IntakeFold;
pub use read_model::ReadModelFold;
