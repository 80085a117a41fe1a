//! Retention: what is too old leaves the tables.

use std::sync::Arc;

use forewarn_types::Timestamp;

use super::shared::Upkeep;
use crate::error::LakeError;
use crate::table::{Change, DataFile, MinMax, Uploaded};

/// What [`Lake::retain`](crate::Lake::retain) removed from a table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retained {
    /// Files taken out.
    pub files: usize,
    /// Their rows, as far as the table says how many there were.
    pub rows: u64,
}

impl Upkeep {
    /// Takes the files out of which every row is too old; see [`Lake::retain`](crate::Lake::retain).
    pub(crate) async fn retain(&self, table: &str, before: Timestamp) -> Result<Retained, LakeError> {
        let _alone = self.alone.lock().await;
        let view = self.table(table)?;
        if view.schema.column("time").is_none() {
            return Err(LakeError::Query(format!(
                "the rows of table {table} have no time, so none of them is too old"
            )));
        }
        let old: Vec<Arc<DataFile>> =
            view.files.iter().filter(|file| ends_before(file, before)).cloned().collect();
        let Some(table) = self.writer.tables.get(table).filter(|_| !old.is_empty()) else {
            return Ok(Retained::default());
        };
        let writer = Arc::clone(&self.writer);
        let remove = move || {
            let mut table = table.lock();
            let done = table.replace(&old, &Uploaded::none(), Change::Deleted, writer.clock.now())?;
            writer.show_files(&mut table)?;
            let rows = old.iter().filter_map(|file| file.rows).sum();
            Ok(if done { Retained { files: old.len(), rows } } else { Retained::default() })
        };
        tokio::task::spawn_blocking(remove).await.map_err(|error| LakeError::cut_off(&error))?
    }
}

/// Whether every row of `file` is older than `before`. A file of which the times are not known stays.
fn ends_before(file: &DataFile, before: Timestamp) -> bool {
    let time = file.bounds.iter().find(|(name, _)| name == "time").map(|(_, bounds)| bounds);
    matches!(time, Some(MinMax::Time(_, newest)) if *newest < before.0)
}
