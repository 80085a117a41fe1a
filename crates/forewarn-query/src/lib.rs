//! SQL over every table of the lake, files and tail as one.
//!
//! Queries are written in PostgreSQL's dialect and answered by DataFusion. A [`QueryEngine`] parses a query
//! ([`statement`]), refuses what does not only read or would be too large ([`guard`]), plans it over one
//! snapshot of the lake ([`table`]), settles the places where DataFusion computes otherwise than PostgreSQL
//! ([`semantics`]), and gives an [`Answer`] that streams: as JSON, CSV, Arrow or Parquet.
//!
//! All queries share a pool of memory and spill to disk beyond it. They run on threads of their own, apart
//! from those that take in readings. A query ends when its client leaves.

mod answer;
mod catalog;
mod engine;
mod error;
mod functions;
mod guard;
mod physical;
mod rows;
mod scope;
mod semantics;
mod session;
mod statement;
mod table;
#[cfg(test)]
mod tests;

pub use answer::{Answer, Form, Truncation};
pub use engine::{Query, QueryEngine, QueryOptions, check};
pub use error::QueryError;
pub use scope::{Scope, Sees};
