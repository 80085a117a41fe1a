//! The audit: who did what over HTTP, and who was refused.

use serde::{Deserialize, Serialize};

use crate::body::JsonBody;
use crate::time::Timestamp;

/// An act, or refusals of the same kind within a minute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audit {
    /// When, by the server's clock; of several the last one.
    pub time: Timestamp,
    /// Who asked, where that is known.
    pub principal: Option<String>,
    /// Their role.
    pub role: Option<String>,
    /// The address the request came from.
    pub address: Option<String>,
    /// The method and the route, such as `POST /v1/alerts/{id}/acknowledge`.
    pub route: String,
    /// The path that was asked for.
    pub path: Option<String>,
    /// `done`, `refused` or `failed`.
    pub outcome: String,
    /// The HTTP status.
    pub status: u16,
    /// How many requests this stands for.
    pub count: u64,
}

impl JsonBody for Audit {
    const NAME: &'static str = "audit";
    const TABLE: Option<&'static str> = Some("audit");
}
