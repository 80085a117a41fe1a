//! What all upkeep shares.

use std::sync::Arc;

use crate::error::LakeError;
use crate::read::TableView;
use crate::write::Writer;

/// The lake, as its upkeep sees it.
pub(crate) struct Upkeep {
    pub(super) writer: Arc<Writer>,
    /// Held by what compacts, deletes or vacuums.
    pub(super) alone: Arc<tokio::sync::Mutex<()>>,
}

impl Upkeep {
    pub(crate) fn new(writer: Arc<Writer>) -> Self {
        Self { writer, alone: Arc::default() }
    }

    /// The table of that name as queries see it.
    pub(super) fn table(&self, name: &str) -> Result<TableView, LakeError> {
        let view = self.writer.reader.view.read().tables.get(name).cloned();
        view.ok_or_else(|| LakeError::Query(format!("there is no table {name}")))
    }
}
