//! Time that does not count.

use serde::{Deserialize, Serialize};

use crate::body::JsonBody;
use crate::time::Timestamp;

/// The server runs again, or its clock was set: what the clock shows now, and that the time since the record
/// before is no silence of anyone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resumed {
    /// What the server's clock shows.
    pub now: Timestamp,
}

impl JsonBody for Resumed {
    const NAME: &'static str = "resumed";
    const TABLE: Option<&'static str> = None;
}
