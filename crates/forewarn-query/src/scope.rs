//! What of the tables a query may see.
//!
//! A query that is bound to assets sees the tables with a column `asset`, and of those the rows of its assets.
//! Rows are left out where they are read ([`crate::table`]), below everything that a query computes: whatever
//! it asks, it is answered as if there were no others.

use std::fmt;
use std::sync::Arc;

use forewarn_lake::{ColumnType, TableSchema};

/// The column that says which asset a row is about.
pub(crate) const ASSET: &str = "asset";
/// Tables that only administrators see.
const CONFIDENTIAL: [&str; 1] = ["audit"];

/// Whether an asset is visible.
pub type Sees = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// What of the tables a query may see.
#[derive(Clone, Default)]
pub enum Scope {
    /// Everything: for administrators, and for what the server itself asks.
    #[default]
    All,
    /// Every table but those that only administrators see.
    Common,
    /// Rows of some of the assets.
    Assets(Sees),
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::All => "All",
            Self::Common => "Common",
            Self::Assets(_) => "Assets(…)",
        })
    }
}

impl Scope {
    /// Whether a query may name the table.
    pub(crate) fn admits(&self, table: &TableSchema) -> bool {
        let confidential = CONFIDENTIAL.contains(&table.name.as_str());
        match self {
            Self::All => true,
            Self::Common => !confidential,
            Self::Assets(_) => {
                let has_assets = table.column(ASSET).is_some_and(|column| column.ty == ColumnType::Text);
                has_assets && !confidential
            }
        }
    }

    /// Which assets' rows it sees; none means all.
    pub(crate) fn sees(&self) -> Option<Sees> {
        match self {
            Self::Assets(sees) => Some(Arc::clone(sees)),
            Self::All | Self::Common => None,
        }
    }
}
