//! Definitions: what a user writes in YAML, checked once and handed on as types, and the expression language
//! of rules.
//!
//! Nothing behind this crate sees text that still needs to be understood. Every mistake of a definition tree
//! is reported at once, with its place.

mod algorithm;
mod detector;
mod diagnostics;
mod expr;
mod frame;
mod glob;
mod load;
mod model;
mod schema;
mod yaml;

pub use algorithm::Algorithm;
pub use detector::*;
pub use diagnostics::{Diagnostic, Diagnostics};
pub use expr::{BinaryOp, Compiled, Expr, ExprError, Function, Inputs, MAX_SIGNALS, Node, Type};
pub use frame::{Aggregate, Fill, Frame, FrameColumn, FrameSignal};
pub use glob::AssetGlob;
pub use load::{
    Refused, Stored, check_contacts, check_queries, load_definitions, load_definitions_with, load_stored,
    load_stored_with, parse_server_config,
};
pub use model::*;
pub use schema::schemas;
pub use yaml::hours::{parse_day, parse_hours};
pub use yaml::references::Variables;
