//! A piece of the tail.

use std::sync::Arc;

use forewarn_types::{Offset, Record};

/// Records of the log with their offsets, a few hundred at most: the unit in which views share the tail.
pub(crate) type Chunk = Vec<(Offset, Arc<Record>)>;
