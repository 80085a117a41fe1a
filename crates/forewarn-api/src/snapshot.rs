//! How the API has a snapshot taken of all that is folded from the log.

use std::sync::Arc;

use forewarn_types::{BoxFuture, Offset};
use serde::Serialize;
use utoipa::ToSchema;

/// A snapshot of folded state in the lake's store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct SavedSnapshot {
    /// Every record before this one is folded in.
    #[schema(value_type = u64)]
    pub offset: Offset,
    /// Where it is, below the lake's URL.
    pub path: String,
}

/// Takes a snapshot now, or says why that cannot be done.
pub type TakeSnapshot = Arc<dyn Fn() -> BoxFuture<'static, Result<SavedSnapshot, String>> + Send + Sync>;
